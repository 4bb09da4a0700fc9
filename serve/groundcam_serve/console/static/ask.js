// What a camera, or every camera, is asked: a preview that changes nothing, the workers' verdict, who asked what before.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { ask, ifStill, usePolled } from "./api.js";
import { drawStill } from "./drawing.js";
import { NumberField } from "./number.js";
import { lengthOf, many, msOf, timeOf } from "./words.js";

const DEFAULTS = { question: "", decoys: "", box_threshold: 0.3, text_threshold: 0.3, nms_iou: 0.7, nms_across: false, max_objects: 1000 };
const PREVIEW_SECONDS = 60;

/** A question as the form has it, from one in force. @param {any} question */
export function formOf(question) {
  const classes = question.classes.map(one => {
    return one.box_threshold == null ? one.phrase : `${one.phrase}:${one.box_threshold}`;
  });
  return { ...question, question: classes.join(", "), decoys: question.decoys.join(", "), nms_iou: question.nms_iou ?? 1 };
}

/** The body of a request. @param {any} form @param {any[]} regions */
export const bodyOf = (form, regions) => ({
  question: form.question, decoys: form.decoys, box_threshold: Number(form.box_threshold),
  text_threshold: Number(form.text_threshold), nms_iou: Number(form.nms_iou), nms_across: form.nms_across,
  max_objects: form.max_objects, regions,
});

/** A threshold, by slider and by number. @param {{label: string, hint: string, value: number, set: (value: number) => void}} props */
export function Threshold({ label, hint, value, set }) {
  return html`<label class="threshold">${label}
    <input type="range" min="0" max="1" step="0.01" value=${value} onInput=${event => set(Number(event.target.value))} />
    <${NumberField} min="0" max="1" step="0.01" value=${value} aria-label=${`${label}, as a number`}
      set=${number => set(Math.max(0, Math.min(1, number)))} />
    <small>${hint}</small></label>`;
}

/** Pictures with what a question would find in them. @param {{pictures: any[]}} props */
function Pictures({ pictures }) {
  return html`<ul class="preview">${pictures.map(one => html`<${Still} key=${one.captured_at_ns} one=${one} />`)}</ul>`;
}

function Still({ one }) {
  const canvas = useRef(/** @type {any} */ (null));
  const { result } = one;
  useEffect(() => {
    const bytes = Uint8Array.from(atob(one.picture), letter => letter.charCodeAt(0));
    createImageBitmap(new Blob([bytes])).then(picture => {
      const objects = result.objects.map(each => ({ ...each, class: each.class_id }));
      if (canvas.current) drawStill(canvas.current, picture, [result.source_width, result.source_height], objects);
      picture.close();
    });
  }, [one]);
  const shape = { aspectRatio: `${result.source_width} / ${result.source_height}` };
  const labels = result.objects.map(each => `${each.label} ${each.score.toFixed(2)}`);
  return html`<li><canvas ref=${canvas} style=${shape} role="img" aria-label=${labels.join(", ") || "nothing found"}></canvas>
    <span>${timeOf(msOf(one.captured_at_ns), Date.now(), true)} · ${many(result.objects.length, "object")}</span></li>`;
}

/** Looks at a question that was just asked until its first answer comes. @param {string} version @param {Look | null} look */
function useFirstAnswer(version, look) {
  const [began, setBegan] = useState(0);
  const [took, setTook] = useState(/** @type {number | null} */ (null));
  useEffect(() => {
    if (!version) return;
    setBegan(performance.now());
    setTook(null);
  }, [version]);
  useEffect(() => {
    if (version && began && took === null && look?.answer?.question === version) setTook((performance.now() - began) / 1000);
  }, [look]);
  return took;
}

/** @param {{id: string, session: Session, look: Look | null}} props `id` is a camera's, or `*` */
export function Question({ id, session, look }) {
  const path = `/v1/questions/${encodeURIComponent(id)}`;
  const every = usePolled("/v1/questions", 3);
  const history = usePolled(`${path}/history`, 10);
  const known = every.said?.questions.find(one => one.camera_id === id);
  const forAll = every.said?.questions.find(one => one.camera_id === "*");
  const [form, setForm] = useState(/** @type {any} */ (null));
  // The question that the form was filled from: one that somebody else has asked since is not overwritten unseen.
  const [base, setBase] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState("");
  const [done, setDone] = useState("");
  const [preview, setPreview] = useState(/** @type {any} */ (null));
  const [asked, setAsked] = useState("");
  const took = useFirstAnswer(asked, look);
  const mayAsk = session.scopes.includes("ask"), mayTry = session.scopes.includes("detect") && session.scopes.includes("cameras");

  useEffect(() => {
    if (form !== null || !every.said) return;
    const own = known ?? forAll;
    setBase(known);
    setForm(own ? formOf(own.question) : { ...DEFAULTS, question: (look?.answer?.classes ?? []).join(", ") });
  }, [every.said]);
  useEffect(() => {
    if (form && !form.question && look?.answer) setForm({ ...form, question: look.answer.classes.join(", ") });
  }, [look?.answer?.question]);
  if (!form) return html`<p class="lead" role="status">${every.problem || "Reading the question ..."}</p>`;

  const regions = known?.question.regions ?? [];
  const change = (name, value) => setForm({ ...form, [name]: value });
  const during = async (what, work) => {
    setBusy(what);
    setProblem("");
    setDone("");
    try {
      await work();
    } catch (error) {
      setProblem(error.message);
      if (error.status === 412) {
        setBase(null);
        every.again();
      }
    }
    setBusy("");
  };
  const tryIt = () => during("preview", async () => {
    setPreview(null);
    setPreview(await ask("POST", `/v1/cameras/${encodeURIComponent(id)}/preview`, { json: bodyOf(form, regions) }));
  });
  const send = () => during("ask", async () => {
    const said = await ask("PUT", path, { json: bodyOf(form, regions), headers: ifStill(base ?? known) });
    setAsked(said.version);
    setBase(said);
    setDone(said.workers.length ? said.workers.map(one => `${one.worker} ${one.says}${one.reason ? `: ${one.reason}` : ""}`).join("; ")
      : "It is asked; no worker is there to say whether it takes it.");
    every.again();
    history.again();
  });
  const takeBack = () => during("take back", async () => {
    await ask("DELETE", path, { headers: ifStill(known) });
    setAsked("");
    setBase(null);
    setDone("Taken back.");
    every.again();
  });
  const submit = event => {
    event.preventDefault();
    send();
  };

  return html`<form class="question" onSubmit=${submit} aria-busy=${busy !== ""}>
    <p class="asked">${known
      ? html`Asked now: <b>${formOf(known.question).question}</b>, by ${known.set_by || "somebody"}, ${timeOf(msOf(known.set_at_ns))}.`
      : id === "*" ? "Nothing is asked of all cameras over Kafka: the workers' own question holds."
        : forAll ? html`This camera is asked what all are asked: <b>${formOf(forAll.question).question}</b>.` : "The workers' own question holds."}</p>
    <label>Look for <textarea rows="2" required value=${form.question} placeholder="person, forklift:0.4"
      onInput=${event => change("question", event.target.value)}></textarea>
      <small>Classes with commas between them; a threshold of its own behind a colon.</small></label>
    <${Threshold} label="Box threshold" hint="How sure a box must be." value=${form.box_threshold} set=${value => change("box_threshold", value)} />
    <${Threshold} label="Text threshold" hint="How sure its best word must be." value=${form.text_threshold} set=${value => change("text_threshold", value)} />
    <details><summary>More</summary>
      <label>Decoys <input value=${form.decoys} onInput=${event => change("decoys", event.target.value)} />
        <small>Asked besides, compete for the boxes, and are never reported.</small></label>
      <${Threshold} label="Overlap" hint="Of a class's boxes that overlap by more the best is kept." value=${form.nms_iou} set=${value => change("nms_iou", value)} />
      ${regions.length > 0 && html`<p><small>${many(regions.length, "region")} stay as they are; draw them under Zones.</small></p>`}
    </details>
    <div class="bar">
      ${id !== "*" && mayTry && html`<button type="button" onClick=${tryIt} disabled=${busy !== "" || !form.question.trim()}>${busy === "preview" ? "Looking ..." : "Preview"}</button>`}
      ${mayAsk && html`<button class="main" disabled=${busy !== "" || !form.question.trim()}>${busy === "ask" ? "Asking ..." : "Ask"}</button>`}
      ${mayAsk && known && html`<button type="button" onClick=${takeBack} disabled=${busy !== ""}>Take back</button>`}
      ${!mayAsk && html`<small>Your role may not ask.</small>`}
    </div>
    <div role="status">${problem && html`<p class="problem">${problem}</p>`}
      ${done && html`<p class="done">${done}${asked && took !== null ? ` First answer after ${lengthOf(took)}.` : asked && look ? " Waiting for the first answer ..." : ""}</p>`}</div>
    ${preview && html`<section aria-label="Preview"><h2>Preview: ${many(preview.pictures.length, "picture")} of the last ${PREVIEW_SECONDS} s</h2>
      ${preview.pictures.length ? html`<${Pictures} pictures=${preview.pictures} />` : html`<p>There is no picture of the last minute yet.</p>`}</section>`}
    ${history.said?.questions.length > 0 && html`<section><h2>Asked before</h2><ol class="history">${history.said.questions.map(one => html`
      <li key=${one.set_at_ns}><span>${one.question ? formOf(one.question).question : "(taken back)"}</span>
        <small>${one.set_by || "somebody"}, ${timeOf(msOf(one.set_at_ns))}</small>
        ${one.question && html`<button type="button" onClick=${() => {
          setForm(formOf(one.question));
          setBase(known);
        }}>Use</button>`}</li>`)}</ol></section>`}
  </form>`;
}
