// A single camera: its picture with zoom, pause and step; its question, zones and events beside it.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { useKept, usePolled } from "./api.js";
import { drawLook } from "./drawing.js";
import { Counts, Live, useAge } from "./tile.js";
import { Question } from "./ask.js";
import { Zones } from "./zones.js";
import { Events } from "./events.js";
import { lengthOf, noteOf, stateOf, timeOf } from "./words.js";

const KEPT = 100;
const TABS = [["", "Live"], ["question", "Question"], ["zones", "Zones"], ["events", "Events"]];
const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];
const WHOLE = { zoom: 1, x: 0.5, y: 0.5 };

/** @param {{socket: any, id: string, tab: string, session: Session, query: URLSearchParams, go: (path: string) => void}} props */
export function CameraPage({ socket, id, tab, session, query, go }) {
  const { said, problem } = usePolled("/v1/cameras", 3);
  const workers = usePolled("/v1/workers", 3).said;
  const camera = said?.cameras.find(one => one.camera_id === id);
  const address = `#/camera/${encodeURIComponent(id)}`;
  const [look, take] = useState(/** @type {Look | null} */ (null));
  const isAnswered = workers ? workers.workers.some(one => one.state === "ready") : true;
  if (said && !camera) return html`<h1 class="lead">There is no camera ${id}. <a href="#/">All cameras</a></h1>`;
  return html`<section class="camera">
    <div class="bar"><h1>${camera?.name || id}</h1>
      ${camera && html`<span class=${`state ${camera.state}`}><span class="dot"></span>${stateOf(camera)}</span>`}
      <nav class="choice" aria-label="About this camera">${TABS.map(([name, text]) => html`
        <a href=${name ? `${address}/${name}` : address} aria-current=${tab === name ? "page" : undefined}>${text}</a>`)}</nav>
    </div>
    ${problem && html`<p class="problem" role="status">${problem}</p>`}
    ${tab === "zones" ? html`<${Zones} socket=${socket} id=${id} session=${session} />`
      : tab === "events" ? html`<${Events} query=${new URLSearchParams([...query, ["camera", id]])} go=${go} fixed=${id} />`
        : html`<div class=${tab === "question" ? "beside" : ""}>
          <${Player} key=${id} socket=${socket} id=${id} take=${take} isAnswered=${isAnswered} look=${look} />
          ${tab === "question" && html`<${Question} id=${id} session=${session} look=${look} />`}
        </div>`}
  </section>`;
}

/** @param {{socket: any, id: string, look: Look | null, take: (look: Look) => void, isAnswered: boolean}} props */
export function Player({ socket, id, look, take, isAnswered }) {
  const [paused, setPaused] = useState(false);
  const [boxes, setBoxes] = useState(true);
  const [paths, setPaths] = useKept("paths", "on");
  const [view, setView] = useState(WHOLE);
  const [at, setAt] = useState(0);
  const kept = useRef(/** @type {[Look, Blob][]} */ ([])), isPaused = useRef(false);
  const still = useRef(/** @type {any} */ (null)), stage = useRef(/** @type {any} */ (null));
  const age = useAge(look);

  const pause = on => {
    isPaused.current = on; // A picture that is being read just now moves none of those that are kept.
    setAt(Math.max(0, kept.current.length - 1));
    setPaused(on);
  };
  const step = by => {
    if (!paused) pause(true);
    setAt(before => Math.max(0, Math.min(kept.current.length - 1, (paused ? before : kept.current.length - 1) + by)));
  };
  const zoom = by => setView(before => {
    const next = ZOOMS[Math.max(0, Math.min(ZOOMS.length - 1, ZOOMS.indexOf(before.zoom) + by))];
    return next === 1 ? WHOLE : { ...before, zoom: next };
  });
  const move = (x, y) => setView(before => before.zoom === 1 ? before : {
    ...before, x: Math.max(0, Math.min(1, before.x + x / before.zoom)), y: Math.max(0, Math.min(1, before.y + y / before.zoom)),
  });

  useEffect(() => {
    let isOver = false;
    if (paused && kept.current[at]) {
      const [one, blob] = kept.current[at];
      createImageBitmap(blob).then(picture => {
        if (!isOver && still.current) drawLook(still.current, picture, one, { boxes, view });
        picture.close();
      });
    }
    return () => {
      isOver = true;
    };
  }, [paused, at, boxes, view]);

  const keys = { " ": () => pause(!paused), ",": () => step(-1), ".": () => step(1), "+": () => zoom(1), "-": () => zoom(-1),
    b: () => setBoxes(!boxes), ArrowLeft: () => move(-0.1, 0), ArrowRight: () => move(0.1, 0), ArrowUp: () => move(0, -0.1),
    ArrowDown: () => move(0, 0.1) };
  const press = event => {
    if (event.target !== stage.current || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  const drag = event => {
    if (!event.buttons || view.zoom === 1) return;
    move(-event.movementX / stage.current.clientWidth, -event.movementY / stage.current.clientHeight);
  };
  const wheel = event => {
    if (view.zoom === 1 && event.deltaY > 0) return; // The page scrolls.
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1 : -1);
  };
  const full = () => document.fullscreenElement ? document.exitFullscreen() : stage.current?.requestFullscreen();
  const shown = paused ? kept.current[at]?.[0] ?? null : look;
  const note = shown ? noteOf(shown, isAnswered) : "";
  return html`<div class="player">
    <div class=${`stage ${note ? "hatched" : ""} ${view.zoom === 1 ? "" : "zoomed"}`} ref=${stage} tabindex="0" onKeyDown=${press} onPointerMove=${drag} onWheel=${wheel}
      role="group" aria-label="Picture: space pauses, comma and full stop step, plus and minus zoom, arrows move">
      <${Live} socket=${socket} camera=${id} paused=${paused} boxes=${boxes} paths=${paths === "on"} view=${view} full=${true} take=${take}
        keep=${(one, blob) => {
          if (isPaused.current) return;
          kept.current.push([one, blob]);
          if (kept.current.length > KEPT) kept.current.shift();
        }} />
      ${paused && html`<canvas class="picture" ref=${still} aria-hidden="true"></canvas>`}
      ${!shown && html`<span class="empty">no picture yet</span>`}
      ${note && html`<span class="note">${note}</span>`}
    </div>
    <div class="bar">
      <button aria-pressed=${paused} onClick=${() => pause(!paused)}>${paused ? "Go on" : "Pause"}</button>
      <button onClick=${() => step(-1)} aria-label="One picture back">◀</button>
      <button onClick=${() => step(1)} aria-label="One picture on">▶</button>
      <button onClick=${() => zoom(-1)} aria-label="Smaller">−</button>
      <button onClick=${() => zoom(1)} aria-label="Larger">+</button>
      <button aria-pressed=${boxes} onClick=${() => setBoxes(!boxes)}>Boxes</button>
      <button aria-pressed=${paths === "on"} onClick=${() => setPaths(paths === "on" ? "off" : "on")}>Paths</button>
      <button onClick=${full}>Full screen</button>
      <span class="push"></span>
      ${shown && html`<span class="figures">${timeOf(shown.captured_at_ms, Date.now(), true)} · frame ${shown.seq}${shown.answer
        ? ` · answered in ${lengthOf(shown.answer.latency_ms / 1000)} by ${shown.answer.model}` : ""}${!paused && age !== null
        ? ` · ${lengthOf(age / 1000)} old` : ""}${shown.skipped ? ` · ${shown.skipped} not shown` : ""}</span>`}
    </div>
    <${Counts} look=${shown} />
  </div>`;
}
