// One camera on the wall: its picture with what was found in it, and what it is doing.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { colourOf, drawLook } from "./drawing.js";
import { Trails } from "./trails.js";
import { countsOf, lengthOf, noteOf, stateOf, NO_PICTURE, STATES } from "./words.js";

const OLD_MS = 5000;
const TELL_MS = 1000;
const STILL_FPS = 1;

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Whether a look is older than the one shown. The service's own numbers begin anew when nobody looks for a while.
 * @param {Look} look @param {Look | undefined} shown */
const isBehind = (look, shown) => shown !== undefined && look.run === shown.run
  && (look.seq < shown.seq || look.seq === shown.seq && !look.answer && !look.gap && Boolean(shown.answer || shown.gap));

/**
 * A canvas that shows a camera while it is seen. `take` is told of looks, once a second at most.
 * @param {{socket: any, camera: string, paused: boolean, boxes: boolean, paths: boolean, view?: any, full?: boolean,
 *          take: (look: Look) => void, keep?: (look: Look, picture: Blob) => void}} props
 */
export function Live({ socket, camera, paused, boxes, paths, view, full, take, keep }) {
  const drawn = useRef(/** @type {any} */ (null));
  const now = useRef(/** @type {any} */ ({}));
  const trails = useRef(new Trails());
  const how = useRef(/** @type {any} */ ({}));
  how.current = { boxes, view, trails: paths ? trails.current.all : [] };

  const draw = () => {
    const { picture, look } = now.current;
    if (picture && drawn.current?.clientWidth) drawLook(drawn.current, picture, look, how.current);
  };
  useEffect(draw, [boxes, paths, view]);

  useEffect(() => {
    const canvas = drawn.current;
    let isSeen = false, width = 0, timer = 0;
    const told = () => {
      clearTimeout(timer);
      timer = 0;
      now.current.told = performance.now();
      take(now.current.look);
    };
    const show = async (look, blob) => {
      const picture = await createImageBitmap(blob).catch(() => null);
      if (!picture) return undefined; // A damaged one; the worker says so, too.
      if (!drawn.current || isBehind(look, now.current.look)) return picture.close();
      now.current.picture?.close();
      now.current = { picture, look, told: now.current.told };
      trails.current.take(look);
      if (paths) how.current.trails = trails.current.all;
      draw();
      keep?.(look, blob);
      const rest = (now.current.told ?? -TELL_MS) + TELL_MS - performance.now();
      if (rest <= 0) told();
      else if (!timer) timer = setTimeout(told, rest); // The last one is told, too.
      return undefined;
    };
    const say = () => {
      if (paused || !isSeen || !width) socket.leave(camera);
      else socket.watch(camera, { width: full ? 0 : width, ...(calm.matches ? { fps: STILL_FPS } : {}) }, show);
    };
    const sizes = new ResizeObserver(() => {
      const ratio = window.devicePixelRatio || 1;
      const source = now.current.look?.source, inside = canvas.clientWidth * ratio;
      width = Math.round(source ? Math.min(inside, canvas.clientHeight * ratio * source[0] / source[1]) : inside);
      draw();
      say();
    });
    const sight = new IntersectionObserver(entries => {
      isSeen = entries[entries.length - 1].isIntersecting;
      say();
    }, { rootMargin: "100px" });
    sizes.observe(canvas);
    sight.observe(canvas);
    calm.addEventListener("change", say);
    return () => {
      sizes.disconnect();
      sight.disconnect();
      calm.removeEventListener("change", say);
      if (timer) told();
      socket.leave(camera);
    };
  }, [socket, camera, paused, full, paths]);
  useEffect(() => () => now.current.picture?.close(), []);

  return html`<canvas class="picture" ref=${drawn} aria-hidden="true"></canvas>`;
}

/** What was found, as text: for people who do not see the picture, and for all others.
 * @param {{look: Look | null}} props */
export function Counts({ look }) {
  const counts = countsOf(look?.answer ?? null);
  return html`<ul class="counts">${counts.map(one => html`<li key=${one.label} class=${one.count ? "found" : ""}>
    <span class="swatch" style=${{ background: colourOf(one.number) }}></span>${one.label} <b>${one.count}</b></li>`)}</ul>`;
}

/** Tells every second how old a look is. @param {Look | null} look */
export function useAge(look) {
  const [, tick] = useState(0);
  const came = useRef(0);
  useEffect(() => {
    came.current = performance.now();
  }, [look]);
  useEffect(() => {
    const timer = setInterval(() => tick(n => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return look && came.current ? look.age_ms + performance.now() - came.current : null;
}

/**
 * @param {{socket: any, camera: Camera, paused: boolean, boxes: boolean, paths: boolean, isAnswered: boolean}} props
 */
export function Tile({ socket, camera, paused, boxes, paths, isAnswered }) {
  const [look, take] = useState(/** @type {Look | null} */ (null));
  const age = useAge(look);
  const isOld = !paused && age !== null && age > OLD_MS;
  const note = !look ? "" : camera.state !== "online" && isOld ? stateOf(camera) : noteOf(look, isAnswered);
  const name = camera.name || camera.camera_id;
  const state = stateOf(camera);
  return html`<article class=${`tile ${camera.state} ${isOld ? "old" : ""} ${note ? "hatched" : ""}`} data-camera=${camera.camera_id}>
    <a class="stage" href=${`#/camera/${encodeURIComponent(camera.camera_id)}`} aria-label=${`${name}: ${state}. Open`}>
      <${Live} socket=${socket} camera=${camera.camera_id} paused=${paused} boxes=${boxes} paths=${paths} take=${take} />
      ${!look && html`<span class="empty">${camera.state === "online" ? NO_PICTURE : state}</span>`}
      ${note && html`<span class="note">${note}</span>`}
      ${isOld && html`<span class="note age">this picture is ${lengthOf(age / 1000)} old</span>`}
    </a>
    <header>
      <h2>${name}</h2>
      <span class="state"><span class="dot"></span>${STATES[camera.state] ?? camera.state}</span>
    </header>
    <${Counts} look=${look} />
  </article>`;
}
