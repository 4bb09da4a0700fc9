// All cameras at once: 1, 4, 9 or 16 to a page, or as many as there are.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/htm-preact.js";
import { useKept, usePolled } from "./api.js";
import { GroupForm, inOrder, keepGroups, keptGroups } from "./groups.js";
import { Tile } from "./tile.js";
import { NO_CAMERAS, NOT_OF_GROUP, NOT_THESE } from "./words.js";

const LAYOUTS = ["auto", "1", "4", "9", "16"];
const MOST = 64;
const TURN_MS = 20000;
const LEAST_PX = 220, READ_PX = 320, GAP_PX = 12;
const BELOW_PX = 66; // A tile's name and counts.
const ASPECT = 16 / 9;

/** Columns, and the width of a tile in them, with which so many tiles are largest and all on the screen; where they would
 * be too small for that, as wide as they can be read.
 * @param {number} tiles @param {number} width @param {number} height @param {number} [fixed] columns that are wished for */
export function layoutFor(tiles, width, height, fixed) {
  let best = { columns: 1, side: 0 };
  for (let columns = fixed ?? 1; columns <= (fixed ?? Math.min(tiles, 8)); columns++) {
    const rows = Math.ceil(tiles / columns), across = (width - (columns - 1) * GAP_PX) / columns;
    const side = Math.min(across, (height / rows - GAP_PX - BELOW_PX) * ASPECT);
    if (side > best.side) best = { columns, side };
  }
  if (best.side >= LEAST_PX) return best;
  const columns = fixed ?? Math.max(1, Math.floor(width / READ_PX));
  return { columns, side: (width - (columns - 1) * GAP_PX) / columns };
}

/** Keep the screen of a wall display on while the page is seen; return what ends that. Browsers allow it over HTTPS and
 * on the machine itself, and let go of it whenever the page is hidden. */
function staysLit() {
  /** @type {any} */
  let lock = null;
  const light = async () => {
    if (document.visibilityState !== "visible") return;
    lock = await navigator.wakeLock?.request("screen").catch(() => null);
  };
  light();
  document.addEventListener("visibilitychange", light);
  return () => {
    document.removeEventListener("visibilitychange", light);
    lock?.release();
  };
}

/** @param {{socket: any, query: URLSearchParams}} props */
export function Wall({ socket, query }) {
  const { said, problem } = usePolled("/v1/cameras", 3);
  const workers = usePolled("/v1/workers", 3).said;
  const isKiosk = query.has("wall");
  const [kept, setLayout] = useKept("layout", "auto");
  const layout = isKiosk ? "auto" : kept;
  const [page, setPage] = useState(0);
  const [paused, setPaused] = useState(false);
  const [boxes, setBoxes] = useState(true);
  const [paths, setPaths] = useKept("paths", "on");
  const [groups, setGroups] = useState(keptGroups());
  const [groupName, setGroupName] = useKept("group", "");
  const [form, setForm] = useState("");
  const [room, setRoom] = useState([innerWidth, innerHeight]);
  const grid = useRef(/** @type {any} */ (null));
  const openers = useRef(/** @type {any} */ (null)), hadForm = useRef(false);
  const root = useRef(/** @type {any} */ (null));

  useEffect(() => {
    const fit = () => {
      const top = grid.current?.getBoundingClientRect().top ?? 0;
      setRoom([grid.current?.clientWidth ?? innerWidth, innerHeight - Math.max(0, top) - 16]);
    };
    fit();
    addEventListener("resize", fit);
    document.addEventListener("fullscreenchange", fit);
    return () => {
      removeEventListener("resize", fit);
      document.removeEventListener("fullscreenchange", fit);
    };
  }, [said !== null, form]);
  useEffect(() => {
    const press = event => {
      if (/input|textarea|select/i.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "f") full();
      else if (event.key === "p" && !isKiosk) setPaused(before => !before);
      else if (event.key === "b") setBoxes(before => !before);
    };
    // Single letters act only while the focus is in the content: who dictates text elsewhere presses none by mistake.
    const content = document.getElementById("content");
    content?.addEventListener("keydown", press);
    return () => content?.removeEventListener("keydown", press);
  }, [isKiosk]);

  useLayoutEffect(() => {
    // What had the focus went with the form.
    if (hadForm.current && !form) openers.current?.querySelector("button:last-of-type")?.focus();
    hadForm.current = form !== "";
  }, [form]);
  useEffect(() => {
    const changed = () => setGroups(keptGroups()); // By another tab.
    addEventListener("storage", changed);
    return () => removeEventListener("storage", changed);
  }, []);

  useEffect(() => isKiosk ? staysLit() : undefined, [isKiosk]);

  useEffect(() => {
    // Nobody turns the pages of a screen that hangs somewhere.
    const timer = isKiosk ? setInterval(() => setPage(before => before + 1), TURN_MS) : 0;
    return () => clearInterval(timer);
  }, [isKiosk]);

  const full = () => document.fullscreenElement ? document.exitFullscreen() : root.current?.requestFullscreen();
  const arrange = one => {
    setLayout(one);
    setPage(0);
  };
  const choose = name => {
    setGroupName(name);
    setForm("");
    setPage(0);
  };

  if (!said) return html`<p class="lead" role="status">${problem || "Looking for cameras ..."}</p>`;
  const group = isKiosk ? null : groups.find(one => one.name === groupName) ?? null;
  const named = group?.cameras ?? query.get("wall")?.split(",").filter(Boolean);
  const cameras = named?.length ? inOrder(said.cameras, named) : said.cameras;
  const size = layout === "auto" ? MOST : Number(layout);
  const pages = Math.max(1, Math.ceil(cameras.length / size)), at = isKiosk ? page % pages : Math.min(page, pages - 1);
  const shown = cameras.slice(at * size, (at + 1) * size);
  const wished = Number(query.get("cols")) || (layout === "auto" ? undefined : room[0] < 600 ? 1 : Math.sqrt(size));
  const { columns, side } = layoutFor(shown.length, room[0], room[1], wished);
  const isAnswered = workers ? workers.workers.some(one => one.state === "ready") : true;

  return html`<section class="wall" ref=${root} aria-label="Live wall">
    ${!isKiosk && html`<div class="bar">
      <h1>Live</h1>
      <div class="choice" role="group" aria-label="Cameras at once">${LAYOUTS.map(one => html`
        <button aria-pressed=${layout === one} onClick=${() => arrange(one)}>${one === "auto" ? "Auto" : one}</button>`)}</div>
      ${pages > 1 && html`<div class="choice" role="group" aria-label="Page of cameras">
        <button onClick=${() => setPage(at - 1)} disabled=${at === 0}>Previous</button>
        <span>${at + 1} of ${pages}</span>
        <button onClick=${() => setPage(at + 1)} disabled=${at === pages - 1}>Next</button></div>`}
      <span class="choice" ref=${openers}>${groups.length > 0 && html`<label class="inline">Group <select onChange=${event => choose(event.target.value)}>
          <option value="" selected=${!group}>All cameras</option>
          ${groups.map(one => html`<option value=${one.name} selected=${one === group}>${one.name}</option>`)}</select></label>`}
        <button aria-expanded=${form === "new"} onClick=${() => setForm(form === "new" ? "" : "new")}>New group</button>
        ${group && html`<button aria-expanded=${form === "edit"} onClick=${() => setForm(form === "edit" ? "" : "edit")}>Change it</button>`}</span>
      <span class="push"></span>
      <button aria-pressed=${boxes} onClick=${() => setBoxes(!boxes)} title="Key b">Boxes</button>
      <button aria-pressed=${paths === "on"} onClick=${() => setPaths(paths === "on" ? "off" : "on")}>Paths</button>
      <button aria-pressed=${paused} onClick=${() => setPaused(!paused)} title="Key p">Pause</button>
      <button onClick=${full} title="Key f">Full screen</button>
    </div>`}
    ${form && html`<${GroupForm} key=${form} group=${form === "edit" ? group : null} cameras=${said.cameras}
      done=${(all, name) => {
        keepGroups(all);
        setGroups(all);
        choose(name);
      }} leave=${() => setForm("")} />`}
    ${problem && html`<p class="problem" role="status">${problem}</p>`}
    ${!isAnswered && cameras.length > 0 && html`<p class="problem" role="status">No worker is ready: pictures are shown, and nobody answers. <a href="#/health">Health</a> says why.</p>`}
    ${!cameras.length && html`<p class="lead">${!said.cameras.length ? NO_CAMERAS : group ? NOT_OF_GROUP : NOT_THESE}</p>`}
    <div class="grid" ref=${grid} style=${{ "--columns": columns, "--side": `${Math.floor(side)}px` }}>
      ${shown.map(one => html`<${Tile} key=${one.camera_id} socket=${socket} camera=${one} paused=${paused} boxes=${boxes}
        paths=${paths === "on"} isAnswered=${isAnswered} />`)}
    </div>
    ${isKiosk && pages > 1 && html`<p class="turn">${at + 1} of ${pages}</p>`}
  </section>`;
}
