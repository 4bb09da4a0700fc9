// Messages of the browser's own about what happens, with a cool-down so that they stay few.

import { html, useState } from "./vendor/htm-preact.js";
import { useKept } from "./api.js";
import { causeOf } from "./events.js";
import { follow } from "./stream.js";

const COOL_S = [10, 60, 300, 900];

/** What is told now. It goes on while the page is open, whatever part of it is shown.
 * @type {{query: string, cool: number, stop: () => void, changed: () => void} | null} */
let telling = null;

/** @param {string} query @param {number} cool seconds */
function begin(query, cool) {
  /** @type {Map<string, number>} */
  const told = new Map();
  const take = event => {
    const of = `${event.camera_id} ${event.label}`, now = Date.now();
    if (event.type !== "new" || now - (told.get(of) ?? 0) < (telling?.cool ?? cool) * 1000) return;
    told.set(of, now);
    const shown = new Notification(`${event.label}, ${event.camera_id}`, { body: causeOf(event), tag: of });
    shown.onclick = () => {
      focus();
      location.hash = `#/events/${event.id}`;
    };
  };
  telling = { query, cool, changed: () => {}, stop: follow(query, take, state => state === "over" && end()) };
}

function end() {
  const before = telling;
  telling = null;
  before?.stop();
  before?.changed();
}

/** @param {{query: string}} props which events, as a request has it */
export function Notify({ query }) {
  const [kept, setCool] = useKept("cool", "60");
  const [, again] = useState(0);
  const [why, setWhy] = useState("");
  const isOn = telling?.query === query;
  if (telling && isOn) {
    telling.cool = Number(kept);
    telling.changed = () => again(n => n + 1);
  }
  const press = async () => {
    if (isOn) return end();
    if (!("Notification" in window)) return setWhy("This browser has none.");
    const said = await Notification.requestPermission();
    setWhy(said === "granted" ? "" : "The browser does not allow them.");
    if (said !== "granted") return undefined;
    end();
    begin(query, Number(kept));
    return again(n => n + 1);
  };
  return html`<span class="notify"><button aria-pressed=${isOn} onClick=${press}>Notify me</button>
    ${isOn && html`<label>at most each <select onChange=${event => setCool(event.target.value)}>
      ${COOL_S.map(one => html`<option value=${one} selected=${one === Number(kept)}>${one < 60 ? `${one} s` : `${one / 60} min`}</option>`)}</select></label>`}
    ${telling && !isOn && html`<small>of other events now</small>`}
    ${why && html`<small role="status">${why}</small>`}</span>`;
}
