// What became of single objects: as it happens, and back as far as Kafka keeps it.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { ask, askWhole } from "./api.js";
import { Notify } from "./notify.js";
import { follow } from "./stream.js";
import { CONNECTION_LOST, CUT, ENDS, lengthOf, many, msOf, timeOf } from "./words.js";

const PAGE = 50;
const MOST = 500;
/** A picture comes on a topic of its own, some seconds after the event that tells of its look; where there was one half a
 * minute ago, half a minute after that. Pauses between attempts double. */
const AGAIN_MS = 2000, PICTURE_MS = 60000;
const FILTERS = ["camera", "label", "zone", "severity", "from", "to"];
const SEVERITIES = ["info", "warning", "alert"];

/** The query of a request, from a page's. @param {URLSearchParams} query */
function asked(query) {
  const said = new URLSearchParams();
  for (const name of FILTERS) {
    for (const value of query.getAll(name).filter(Boolean)) {
      const isTime = name === "from" || name === "to";
      if (isTime && Number.isNaN(Date.parse(value))) continue; // Anybody may have typed it into the address.
      said.append(name, isTime ? new Date(value).toISOString() : value);
    }
  }
  return said;
}

/** What happened, in words. @param {any} event */
export function causeOf(event) {
  const words = event.cause.replaceAll("_", " ") + (event.about ? `: ${event.about}` : "");
  return event.end ? `ended: ${ENDS[event.end.reason] ?? event.end.reason}` : words;
}

const nameOf = event => `${event.id} ${event.n}`;

/** Lists in this order, each event once. @param {any[][]} lists */
const together = (...lists) => [...new Map(lists.flat().map(one => [nameOf(one), one])).values()];

/** @param {{query: URLSearchParams, go: (path: string) => void, fixed?: string}} props `fixed` is the only camera */
export function Events({ query, go, fixed }) {
  const [events, setEvents] = useState(/** @type {any[] | null} */ (null));
  const [before, setBefore] = useState(/** @type {string | null} */ (null));
  const [problem, setProblem] = useState("");
  const [isLive, setLive] = useState(false);
  const [told, setTold] = useState("");
  const text = asked(query).toString();
  const [isCut, setCut] = useState(false);
  const wanted = useRef(new AbortController());
  /** What came since the newest page was asked for. */
  const fresh = useRef(/** @type {any[]} */ ([]));
  const most = useRef(MOST);

  const read = async behind => {
    const { signal } = wanted.current;
    if (behind) most.current += PAGE;
    else fresh.current = [];
    try {
      const page = await ask("GET", `/v1/events?${text}&limit=${PAGE}${behind ? `&before=${encodeURIComponent(behind)}` : ""}`, { signal });
      if (signal.aborted) return;
      setEvents(had => behind ? together(had ?? [], page.events) : together(fresh.current, page.events, had ?? []));
      setBefore(had => behind || had === null ? page.before : had);
      setProblem("");
    } catch (error) {
      if (!signal.aborted) setProblem(error.message);
    }
  };
  const begin = () => {
    setEvents(null);
    setBefore(null);
    setCut(false);
    most.current = MOST;
    read(null);
  };
  useEffect(() => {
    wanted.current = new AbortController();
    begin();
    let stop = () => {};
    if (!query.get("to")) {
      stop = follow(text, event => {
        fresh.current = together([event], fresh.current).slice(0, MOST);
        setEvents(had => together([event], had ?? []));
        setTold(`${event.label}, ${event.camera_id}: ${causeOf(event)}`);
      }, state => {
        setLive(state === "live");
        if (state === "live") read(null); // What happened until then.
      });
    }
    return () => {
      wanted.current.abort();
      stop();
    };
  }, [text]);
  useEffect(() => {
    if (events && events.length > most.current) {
      setEvents(events.slice(0, most.current));
      setCut(true);
    }
  }, [events]);

  const filter = event => {
    event.preventDefault();
    const given = [...new FormData(event.target)].filter(([, value]) => value);
    const chosen = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    go(`${location.hash.split("?")[0]}?${chosen}`);
  };
  const objects = new Map();
  for (const one of events ?? []) if (!objects.has(one.id) || objects.get(one.id).n < one.n) objects.set(one.id, one);
  const newest = [...objects.values()];
  return html`<section class="events">
    ${!fixed && html`<div class="bar"><h1>Events</h1><span class=${`state ${isLive ? "online" : "connecting"}`}><span class="dot"></span>${isLive ? "live" : query.get("to") ? "of a time that is over" : "connecting"}</span>
      <span class="push"></span><${Notify} query=${text} /></div>`}
    <form class="filter" key=${query.toString()} onSubmit=${filter} aria-label="Which events">
      ${!fixed && html`<label>Camera <input name="camera" defaultValue=${query.get("camera") ?? ""} /></label>`}
      <label>Class <input name="label" defaultValue=${query.get("label") ?? ""} /></label>
      <label>Zone or line <input name="zone" defaultValue=${query.get("zone") ?? ""} /></label>
      <label>At least <select name="severity">${SEVERITIES.map(one => html`<option value=${one} selected=${one === (query.get("severity") ?? "info")}>${one}</option>`)}</select></label>
      <label>From <input name="from" type="datetime-local" defaultValue=${query.get("from") ?? ""} /></label>
      <label>To <input name="to" type="datetime-local" defaultValue=${query.get("to") ?? ""} /></label>
      <button class="main">Show</button>
    </form>
    ${problem && html`<p class="problem" role="status">${problem}</p>`}
    <p class="unseen" role="status">${told}</p>
    ${events === null && !problem && html`<p class="lead" role="status">Reading events ...</p>`}
    ${events !== null && !newest.length && html`<p class="lead">There is no event${text ? " of that kind" : " yet: a tracker makes them (groundcam work --track)"}.</p>`}
    <ul class="objects">${newest.map(one => html`<${Card} key=${one.id} event=${one} />`)}</ul>
    ${isCut ? html`<button onClick=${begin}>${CUT}</button>` : before && html`<button onClick=${() => read(before)}>Older ones</button>`}
  </section>`;
}

/** @param {{event: any}} props the newest event of an object */
function Card({ event }) {
  return html`<li class=${`object ${event.severity} ${event.end ? "over" : "open"}`}>
    <a href=${`#/events/${event.id}`}><${Best} event=${event} />
    <b>${event.label}</b> <span>${event.camera_id}</span></a>
    <span>${timeOf(msOf(event.first.captured_at_ns), Date.now(), true)} · ${causeOf(event)}</span>
    <small>${[`${lengthOf((event.last.captured_at_ns - event.first.captured_at_ns) / 1e9)}`, many(event.frames_seen, "look"),
      ...new Set(event.zones.map(one => one.name))].join(" · ")}</small></li>`;
}

/** The frame of a look, as pictures name theirs. @param {any} look */
const frameOf = look => `${look.frame.run_id}/${look.frame.seq}`;

/** An object's best picture, once there is one; it is looked for when it comes into sight, and anew for a better look.
 * @param {{event: any}} props the newest event of an object */
function Best({ event }) {
  const { id, label } = event, wanted = frameOf(event.best), isOver = event.end !== null;
  const [{ url, frame }, setPicture] = useState({ url: "", frame: "" });
  const [why, setWhy] = useState("");
  const box = useRef(/** @type {any} */ (null));
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    const sight = new IntersectionObserver(entries => entries.some(one => one.isIntersecting) && setSeen(true));
    sight.observe(box.current);
    return () => sight.disconnect();
  }, []);
  useEffect(() => {
    if (!isSeen || frame === wanted) return undefined;
    const gone = new AbortController();
    const began = performance.now();
    let timer = 0, pause = AGAIN_MS, shown = frame;
    const isFresh = () => msOf(event.last.captured_at_ns) > Date.now() - PICTURE_MS;
    const look = async () => {
      try {
        const { said, headers } = await askWhole("GET", `/v1/events/${id}/picture`, { headers: { Accept: "image/jpeg" }, signal: gone.signal });
        if (gone.signal.aborted) return;
        const cut = `${headers.get("X-Groundcam-Run")}/${headers.get("X-Groundcam-Seq")}`;
        if (cut !== shown) setPicture({ url: URL.createObjectURL(said), frame: shown = cut });
        if (cut === wanted || !isFresh()) return;
      } catch (error) {
        if (gone.signal.aborted) return;
        setWhy(error.status === 404 ? isOver ? "no picture" : "no picture yet" : error.status === 503 ? "..." : error.message);
        if (error.status !== 503 && (error.status !== 404 || !isFresh())) return;
      }
      if (performance.now() - began < PICTURE_MS) timer = setTimeout(look, pause * (1 + Math.random() / 4));
      pause *= 2;
    };
    look();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [isSeen, isOver, wanted]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  return html`<span class="best" ref=${box}>${url ? html`<img src=${url} alt=${`the best picture of this ${label}`} />` : html`<small>${why || "..."}</small>`}</span>`;
}

/** One object's life, as it goes on. @param {{id: string}} props */
export function Event({ id }) {
  const [life, setLife] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState("");
  const [copied, setCopied] = useState(false);
  const known = life?.events[life.events.length - 1];
  const isOpen = Boolean(known && !known.end);
  const take = (events, more = {}) => setLife(had => ({
    ...had, ...more, events: [...new Map([...(had?.events ?? []), ...events].map(one => [one.n, one])).values()].sort((a, b) => a.n - b.n),
  }));
  const read = () => ask("GET", `/v1/events/${encodeURIComponent(id)}`).then(said => {
    setProblem("");
    take(said.events, { is_whole: said.is_whole });
  }, error => setProblem(error.message));
  useEffect(() => {
    read();
  }, [id]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const its = new URLSearchParams({ camera: known.camera_id, label: known.label });
    return follow(its.toString(), event => {
      if (event.id === id) take([event]);
    }, state => {
      if (state === "live") read(); // What happened until then.
      else setProblem(CONNECTION_LOST);
    });
  }, [id, isOpen]);
  if (!life) return html`<p class="lead" role="status">${problem || "Reading ..."} <a href="#/events">Events</a></p>`;
  const last = life.events[life.events.length - 1];
  const copy = async () => {
    await navigator.clipboard.writeText(location.href);
    setCopied(true);
  };
  const stay = one => `${lengthOf(one.dwell_ms / 1000)}${one.left_ns === null ? " until it was last seen inside" : ""}`;
  return html`<section class="event"><div class="bar"><h1>${last.label}, ${last.camera_id}</h1><span class="push"></span>
      <button onClick=${copy}>${copied ? "Copied" : "Copy the link"}</button></div>
    ${problem && html`<p class="problem" role="status">${problem}</p>`}
    <div class="beside"><figure><${Best} event=${last} />
      <figcaption>Best look: ${timeOf(msOf(last.best.captured_at_ns), Date.now(), true)}, score ${last.best.score.toFixed(2)}</figcaption></figure>
    <div><${Path} event=${last} />
    <dl><dt>Seen</dt><dd>${timeOf(msOf(last.first.captured_at_ns), Date.now(), true)} to ${timeOf(msOf(last.last.captured_at_ns), Date.now(), true)}, in ${many(last.frames_seen, "frame")}</dd>
      <dt>Not seen</dt><dd>${many(last.frames_missed, "frame")} in between${last.unseen.length ? `; nobody looked ${many(last.unseen.length, "time")}` : ""}</dd>
      <dt>State</dt><dd>${last.end ? causeOf(last) : `in front of the camera, ${last.motion}`}</dd>
      <dt>Model</dt><dd>${last.model.name}</dd></dl>
    ${last.zones.length > 0 && html`<h2>Zones</h2><ul>${last.zones.map(one => html`<li>${one.name}: ${stay(one)}</li>`)}</ul>`}
    ${last.lines.length > 0 && html`<h2>Lines</h2><ul>${last.lines.map(one => html`<li>${one.name}: ${one.direction}, ${timeOf(msOf(one.at_ns), Date.now(), true)}</li>`)}</ul>`}
    <h2>What was told</h2><ol class="history">${life.events.map(one => html`<li key=${one.n}><span>${causeOf(one)}</span><small>${timeOf(msOf(one.last.captured_at_ns), Date.now(), true)}</small></li>`)}</ol>
    ${!life.is_whole && html`<p><small>Its beginning is not on Kafka any more.</small></p>`}</div></div></section>`;
}

/** Where an object went, in the proportions of the picture. @param {{event: any}} props */
function Path({ event }) {
  const [width, height] = [event.source_width, event.source_height];
  const points = event.path.map(one => `${one.x * width},${one.y * height}`).join(" ");
  const [x1, y1, x2, y2] = event.last.box;
  return html`<svg class="path" viewBox=${`0 0 ${width} ${height}`} role="img" aria-label="Its path through the picture">
    <rect x=${x1} y=${y1} width=${x2 - x1} height=${y2 - y1} /><polyline points=${points} />
    ${event.path.slice(0, 1).map(one => html`<circle cx=${one.x * width} cy=${one.y * height} r=${width / 80} />`)}</svg>`;
}
