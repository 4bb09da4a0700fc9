// Draw zones, lines and regions on a camera's picture: with a mouse, a finger, arrow keys, or numbers.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { ask, ifStill } from "./api.js";
import { bodyOf as questionBody, formOf } from "./ask.js";
import { colourOf } from "./drawing.js";
import { NumberField } from "./number.js";
import { bodyOf, moved, NAMES, newShape, regionsOf, shapesOf, sharedName, split, without } from "./shapes.js";

const STEP = 0.01, FINE = 0.001;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SEVERITIES = ["info", "warning", "alert"];

/** What the service says, or null where there is nothing. @param {string} path */
async function orNull(path) {
  try {
    return await ask("GET", path);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

/** @param {{socket: any, id: string, session: Session}} props */
export function Zones({ socket, id, session }) {
  const at = encodeURIComponent(id);
  const [known, setKnown] = useState(/** @type {any} */ (null));
  const [shapes, setShapes] = useState(/** @type {import("./shapes.js").Shape[]} */ ([]));
  const [chosen, choose] = useState(0);
  const [told, tell] = useState({ problem: "", done: "" });
  const [isChanged, setChanged] = useState(false);
  const may = session.scopes.includes("ask");

  const read = async () => {
    try {
      const [zones, question] = await Promise.all([orNull(`/v1/cameras/${at}/zones`), orNull(`/v1/questions/${at}`)]);
      setKnown({ zones, question });
      setShapes(shapesOf(zones, question?.question));
      setChanged(false);
    } catch (error) {
      tell({ problem: error.message, done: "" });
    }
  };
  useEffect(() => {
    read();
  }, [id]);

  const change = next => {
    setShapes(next);
    setChanged(true);
    tell({ problem: "", done: "" });
  };
  const put = (number, shape) => change(shapes.map((one, n) => n === number ? shape : one));
  const add = kind => {
    change([...shapes, newShape(shapes, kind)]);
    choose(shapes.length);
  };
  const save = async () => {
    try {
      const twice = sharedName(shapes), regions = regionsOf(shapes), own = known.question;
      const areOthers = JSON.stringify(regions) !== JSON.stringify(own?.question.regions ?? []);
      if (twice !== undefined) throw new Error(`Two are called "${twice}": give one of them another name.`);
      if (areOthers && !own) throw new Error("A region belongs to a question: ask this camera something of its own first, under Question.");
      const headers = ifStill(known.zones);
      const body = bodyOf(shapes, known.zones?.anchor ?? "bottom_centre");
      let zones = known.zones;
      if (Object.keys(body.zones).length + Object.keys(body.lines).length) zones = await ask("PUT", `/v1/cameras/${at}/zones`, { json: body, headers });
      else if (zones) zones = await ask("DELETE", `/v1/cameras/${at}/zones`, { headers }).then(() => null);
      setKnown({ ...known, zones }); // What follows may be refused, and these are saved.
      if (areOthers) await ask("PUT", `/v1/questions/${at}`, { json: questionBody(formOf(own.question), regions), headers: ifStill(own) });
      await read();
      tell({ problem: "", done: "Saved. It holds from the next frame on." });
    } catch (error) {
      tell({ problem: error.message, done: "" });
    }
  };
  if (!known) return html`<p class="lead" role="status">${told.problem || "Reading ..."}</p>`;
  const shape = shapes[chosen];
  return html`<div class="beside zones">
    <${Board} socket=${socket} id=${id} shapes=${shapes} chosen=${chosen} choose=${choose} put=${put} />
    <div><p><small>Drag corners, or reach them with Tab and move them with the arrow keys (with Shift finer); Delete removes one.</small></p>
      <div class="bar">${Object.entries(NAMES).map(([kind, name]) => html`<button disabled=${!may} onClick=${() => add(kind)}>New ${name.toLowerCase()}</button>`)}</div>
      <ul class="shapes">${shapes.map((one, n) => html`<li key=${n}><button aria-pressed=${n === chosen} onClick=${() => choose(n)}>
        <span class="swatch" style=${{ background: colourOf(n) }}></span>${one.name} <small>${NAMES[one.kind].toLowerCase()}</small></button></li>`)}</ul>
      ${shape && html`<${Fields} key=${chosen} shape=${shape} put=${next => put(chosen, next)}
        remove=${() => change(shapes.toSpliced(chosen, 1))} />`}
      <div class="bar"><button class="main" disabled=${!may || !isChanged} onClick=${save}>Save</button>
        <button disabled=${!isChanged} onClick=${read}>Undo all</button></div>
      <div role="status">${told.problem && html`<p class="problem">${told.problem}</p>`}${told.done && html`<p class="done">${told.done}</p>`}</div>
    </div></div>`;
}

/** The picture with the shapes over it. It stands still until a newer one is wished for.
 * @param {any} props */
function Board({ socket, id, shapes, chosen, choose, put }) {
  const [source, setSource] = useState(/** @type {[number, number]} */ ([16, 9]));
  const [count, again] = useState(0);
  const canvas = useRef(/** @type {any} */ (null)), svg = useRef(/** @type {any} */ (null));
  useEffect(() => {
    socket.watch(id, { width: 0 }, async (look, blob) => {
      const picture = await createImageBitmap(blob);
      socket.leave(id);
      setSource(look.source);
      if (canvas.current) {
        [canvas.current.width, canvas.current.height] = look.source;
        canvas.current.getContext("2d").drawImage(picture, 0, 0, look.source[0], look.source[1]);
      }
      picture.close();
    });
    return () => socket.leave(id);
  }, [id, count]);
  /** @returns {[number, number]} */
  const place = event => {
    const box = svg.current.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const [width, height] = source, radius = width / 90;
  const corner = (shape, n, k) => {
    const [x, y] = shape.points[k];
    const press = event => {
      const by = ARROWS[event.key], step = event.shiftKey ? FINE : STEP;
      if (by) put(n, moved(shape, k, x + by[0] * step, y + by[1] * step));
      else if (event.key === "Delete" || event.key === "Backspace") put(n, without(shape, k));
      else return;
      event.preventDefault();
    };
    const drag = event => event.currentTarget.hasPointerCapture(event.pointerId) && put(n, moved(shape, k, ...place(event)));
    const grab = event => {
      choose(n);
      event.currentTarget.setPointerCapture(event.pointerId);
    };
    // The grip is as large as a finger, however small the picture is shown.
    return html`<g onPointerDown=${grab} onPointerMove=${drag}><circle class="grip" cx=${x * width} cy=${y * height} r=${radius} />
      <circle class="corner" cx=${x * width} cy=${y * height} r=${radius} tabindex="0" role="button"
      aria-label=${`Corner ${k + 1} of ${shape.name}: ${Math.round(x * 100)} % across, ${Math.round(y * 100)} % down`}
      onKeyDown=${press} onFocus=${() => choose(n)} /></g>`;
  };
  return html`<div><div class="stage board" style=${{ aspectRatio: `${width} / ${height}` }}><canvas class="picture" ref=${canvas} aria-hidden="true"></canvas>
    <svg ref=${svg} viewBox=${`0 0 ${width} ${height}`} role="group" aria-label="Zones, lines and regions">${shapes.map((shape, n) => {
    const points = shape.points.map(([x, y]) => `${x * width},${y * height}`).join(" ");
    const paint = { stroke: colourOf(n), fill: shape.kind === "line" ? "none" : colourOf(n) };
    return html`<g key=${n} class=${`shape ${shape.kind} ${n === chosen ? "chosen" : ""}`}>
      <polygon points=${points} style=${paint} onPointerDown=${() => choose(n)} />
      ${shape.points.map((_, k) => corner(shape, n, k))}</g>`;
  })}</svg></div><div class="bar"><button onClick=${() => again(count + 1)}>Newer picture</button></div></div>`;
}

/** A shape's fields. @param {{shape: any, put: (shape: any) => void, remove: () => void}} props */
function Fields({ shape, put, remove }) {
  const field = (name, label, more = {}) => html`<label>${label} <input value=${shape[name]} ...${more}
    onInput=${event => put({ ...shape, [name]: event.target.value })} /></label>`;
  return html`<fieldset class="fields"><legend>${NAMES[shape.kind]}</legend>
    ${shape.kind !== "region" && html`${field("name", "Name")}${field("labels", "Only these classes", { placeholder: "all" })}
      <label>Severity <select onChange=${event => put({ ...shape, severity: event.target.value })}>${SEVERITIES.map(one => html`<option value=${one} selected=${one === shape.severity}>${one}</option>`)}</select></label>`}
    ${shape.kind === "zone" && html`<label>Seconds inside <${NumberField} min="0" step="0.5" value=${shape.dwell_s} set=${dwell_s => put({ ...shape, dwell_s })} /></label>`}
    ${shape.kind === "line" && html`${field("to_right", "To the right is called")}${field("to_left", "To the left is called")}`}
    <table><thead><tr><th>Corner</th><th>% across</th><th>% down</th><th>More, fewer</th></tr></thead><tbody>${shape.points.map(([x, y], k) => html`<tr key=${k}><td>${k + 1}</td>
      ${[x, y].map((value, axis) => html`<td><${NumberField} min="0" max="100" step="0.1" value=${+(value * 100).toFixed(1)} aria-label=${`Corner ${k + 1}, per cent ${axis ? "down" : "across"}`}
        set=${number => put(moved(shape, k, axis ? x : number / 100, axis ? number / 100 : y))} /></td>`)}
      <td>${shape.kind !== "line" && html`<button onClick=${() => put(split(shape, k))} aria-label=${`A corner behind ${k + 1}`}>+</button>
        <button onClick=${() => put(without(shape, k))} aria-label=${`Remove corner ${k + 1}`}>−</button>`}</td></tr>`)}</tbody></table>
    <button onClick=${remove}>Remove ${shape.name}</button></fieldset>`;
}
