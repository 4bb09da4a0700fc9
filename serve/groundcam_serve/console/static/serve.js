// Serve Grounding DINO: pick a model, start it, see it come up, and try it on a picture.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { ask, usePolled } from "./api.js";
import { Threshold } from "./ask.js";
import { drawStill } from "./drawing.js";
import { lengthOf, many } from "./words.js";

const MODELS = [
  ["tiny", "Grounding DINO tiny (Swin-T): fast"],
  ["base", "Grounding DINO base (Swin-B): larger, surer"],
  ["iSEE-Laboratory/llmdet_tiny", "LLMDet tiny: better at long phrases"],
  ["iSEE-Laboratory/llmdet_base", "LLMDet base"],
  ["demo", "demo: a small one that comes along, and knows coloured shapes"],
];
const LEAST = 0.05;

/** @param {{session: Session}} props */
export function Serve({ session }) {
  const { said, problem, again } = usePolled("/v1/models", 1.5);
  const [model, setModel] = useState("tiny");
  const [told, setTold] = useState("");
  const may = session.scopes.includes("models");
  const start = async event => {
    event.preventDefault();
    setTold("");
    try {
      await ask("POST", "/v1/models", { json: { model } });
      again();
    } catch (error) {
      setTold(error.message);
    }
  };
  const end = async () => {
    try {
      await ask("DELETE", "/v1/models");
      again();
    } catch (error) {
      setTold(error.message);
    }
  };
  return html`<section class="serve"><div class="bar"><h1>Serve</h1></div>
    <h2>Models</h2>
    ${problem && html`<p class="problem" role="status">${problem}</p>`}
    <ul class="cards" aria-live="polite">${said?.models.map(one => html`<li key=${one.asked_for} class=${one.is_ready ? "online" : "connecting"}>
      <b>${one.asked_for}</b> <span class="state"><span class="dot"></span>${one.state.replaceAll("_", " ")}</span>
      ${one.progress !== null && html`<progress value=${one.progress} max="1">${Math.round(one.progress * 100)} %</progress>`}
      ${one.name && html`<small>${one.name}${one.revision ? `@${one.revision.slice(0, 12)}` : ""}</small>`}
      <small>${many(one.workers, "worker")}</small>${one.reason && html`<p class="problem">${one.reason}</p>`}</li>`)}
      ${said && !said.models.length && html`<li>There is no worker.</li>`}</ul>
    ${may ? html`<form class="bar" onSubmit=${start}>
      <label>Model <input list="models" value=${model} required onInput=${event => setModel(event.target.value)} /></label>
      <datalist id="models">${MODELS.map(([name, text]) => html`<option value=${name}>${text}</option>`)}</datalist>
      <button class="main">Start</button><button type="button" onClick=${end}>End the worker</button>
      <small>tiny, base, demo, a folder, or an id of the Hub. It replaces the worker of this service.</small></form>`
      : html`<p><small>Your role may not change models.</small></p>`}
    <p class="problem" role="status">${told}</p>
    ${session.scopes.includes("detect") && html`<${Try} />`}
  </section>`;
}

/** One picture, one question: asked once with low thresholds, so that the slider shows at once what others would give. */
function Try() {
  const [file, setFile] = useState(/** @type {Blob | null} */ (null));
  const [question, setQuestion] = useState("person, car");
  const [least, setLeast] = useState(0.35);
  const [result, setResult] = useState(/** @type {any} */ (null));
  const [told, setTold] = useState("");
  const [busy, setBusy] = useState(false);
  const canvas = useRef(/** @type {any} */ (null));

  const look = async event => {
    event.preventDefault();
    setBusy(true);
    setTold("");
    const form = new FormData();
    form.append("image", /** @type {Blob} */ (file));
    for (const [name, value] of Object.entries({ question, box_threshold: LEAST, text_threshold: LEAST })) form.append(name, String(value));
    const began = performance.now();
    try {
      const said = await ask("POST", "/v1/detect", { body: form });
      setResult({ ...said.results[0], took: (performance.now() - began) / 1000 });
    } catch (error) {
      setTold(error.message);
    }
    setBusy(false);
  };
  const objects = result?.objects.filter(one => one.score >= least).map(one => ({ ...one, class: one.class_id })) ?? [];
  useEffect(() => {
    if (!file || !canvas.current) return;
    createImageBitmap(file).then(picture => {
      const size = /** @type {[number, number]} */ (result ? [result.source_width, result.source_height] : [picture.width, picture.height]);
      canvas.current.style.aspectRatio = `${size[0]} / ${size[1]}`;
      drawStill(canvas.current, picture, size, objects);
      picture.close();
    }).catch(() => setTold("This file is no picture that the browser can show."));
  }, [file, result, least]);
  const choose = chosen => {
    setFile(chosen ?? null);
    setResult(null);
  };
  return html`<h2>Try it</h2><form class="try" onSubmit=${look}
      onDragOver=${event => event.preventDefault()} onDrop=${event => {
        event.preventDefault();
        choose(event.dataTransfer.files[0]);
      }}>
    <label>Picture <input type="file" accept="image/jpeg,image/png,image/webp" required=${!file} onChange=${event => choose(event.target.files[0])} /></label>
    <label>Look for <input value=${question} required onInput=${event => setQuestion(event.target.value)} /></label>
    <button class="main" disabled=${busy || !file}>${busy ? "Looking ..." : "Detect"}</button>
    <${Threshold} label="Threshold" hint="Boxes below it are hidden." value=${least} set=${value => setLeast(Math.max(LEAST, value))} />
    <p class="problem" role="status">${told}</p>
    ${file && html`<canvas class="try-picture" ref=${canvas} role="img" aria-label=${objects.map(one => one.label).join(", ") || "the picture"}></canvas>`}
    ${result && html`<p role="status">${many(objects.length, "object")} of ${result.objects.length} at ${least.toFixed(2)}, in ${lengthOf(result.took)}, by ${result.model.name}.</p>
      <table><thead><tr><th>Phrase</th><th>Score</th><th>Box (x1, y1, x2, y2)</th></tr></thead><tbody>${objects.map(one => html`
        <tr><td>${one.label}</td><td>${one.score.toFixed(3)}</td><td>${one.box.map(v => Math.round(v)).join(", ")}</td></tr>`)}</tbody></table>`}
  </form>`;
}
