// Messages of the browser's own about what happens, with a cool-down so that they stay few.

import { html, useEffect, useState } from "./vendor/htm-preact.js";
import { useKept } from "./api.js";
import { causeOf } from "./events.js";

const COOL_S = [10, 60, 300, 900];

/** @param {{query: string}} props which events, as a request has it */
export function Notify({ query }) {
  const [kept, setCool] = useKept("cool", "60");
  const cool = Number(kept);
  const [isOn, setOn] = useState(false);
  const [why, setWhy] = useState("");
  const begin = async () => {
    if (isOn) return setOn(false);
    if (!("Notification" in window)) return setWhy("This browser has none.");
    const said = await Notification.requestPermission();
    setWhy(said === "granted" ? "" : "The browser does not allow them.");
    return setOn(said === "granted");
  };
  useEffect(() => {
    if (!isOn) return undefined;
    /** @type {Map<string, number>} */
    const told = new Map();
    const stream = new EventSource(`/v1/events?${query}&start=end&stream=true`);
    stream.addEventListener("new", message => {
      const event = JSON.parse(message.data), of = `${event.camera_id} ${event.label}`, now = Date.now();
      if (now - (told.get(of) ?? 0) < cool * 1000) return;
      told.set(of, now);
      const shown = new Notification(`${event.label}, ${event.camera_id}`, { body: causeOf(event), tag: of });
      shown.onclick = () => {
        focus();
        location.hash = `#/events/${event.id}`;
      };
    });
    return () => stream.close();
  }, [isOn, cool, query]);
  return html`<span class="notify"><button aria-pressed=${isOn} onClick=${begin}>Notify me</button>
    ${isOn && html`<label>at most each <select onChange=${event => setCool(event.target.value)}>
      ${COOL_S.map(one => html`<option value=${one} selected=${one === cool}>${one < 60 ? `${one} s` : `${one / 60} min`}</option>`)}</select></label>`}
    ${why && html`<small role="status">${why}</small>`}</span>`;
}
