// What answers, how well, and what to do where it does not.

import { html } from "./vendor/htm-preact.js";
import { usePolled } from "./api.js";
import { ADVICE, GAPS, lengthOf, many, msOf, stateOf, timeOf } from "./words.js";

export function Health() {
  const workers = usePolled("/v1/workers", 2), health = usePolled("/v1/health", 3), cameras = usePolled("/v1/cameras", 3);
  const problem = workers.problem || health.problem || cameras.problem;
  const figures = new Map((health.said?.cameras ?? []).map(one => [one.camera_id, one]));
  const reasons = new Map();
  for (const one of figures.values()) for (const [why, count] of Object.entries(one.gaps)) reasons.set(why, (reasons.get(why) ?? 0) + count);
  const behind = health.said?.frames_behind;
  return html`<section class="health"><div class="bar"><h1>Health</h1></div>
    ${problem && html`<p class="problem" role="status">${problem}</p>`}
    <h2>Workers</h2>
    <ul class="cards">${workers.said?.workers.map(one => html`<li key=${one.worker_id} class=${one.state === "ready" ? "online" : "connecting"}>
      <b>${one.model?.name ?? one.asked_for}</b> <span class="state"><span class="dot"></span>${one.state.replaceAll("_", " ")} since ${timeOf(msOf(one.since_ns))}</span>
      ${one.progress !== null && html`<progress value=${one.progress} max="1">${Math.round(one.progress * 100)} %</progress>`}
      <small>${[one.worker_id, one.device, one.precision, many(one.partitions, "partition")].filter(Boolean).join(" · ")}</small>
      ${one.reason && html`<p class="problem">${one.reason}</p>`}</li>`)}
      ${workers.said && !workers.said.workers.length && html`<li class="offline"><b>No worker has told of itself.</b> <span>Start one: groundcam work --model tiny</span></li>`}</ul>
    ${health.said && html`<p>${behind === null ? "How far workers are behind is not known yet." : behind > 0
      ? `${many(behind, "frame")} wait on Kafka for workers.` : "No frame waits on Kafka."}</p>`}
    <h2>Frames that nobody looked at, in the last ${lengthOf(health.said?.window_s ?? 60)}</h2>
    ${reasons.size ? html`<table><thead><tr><th>Frames</th><th>Why</th><th>What to do</th></tr></thead><tbody>
      ${[...reasons].sort((a, b) => b[1] - a[1]).map(([why, count]) => html`<tr><td>${count}</td><td>${GAPS[why] ?? why}</td><td>${ADVICE[why] ?? ""}</td></tr>`)}
      </tbody></table>` : html`<p>None.</p>`}
    <h2>Cameras</h2>
    <div class="wide"><table><thead><tr><th>Camera</th><th>State</th><th>Answers</th><th>From capture to answer</th><th>Newest answer</th><th>Not looked at</th></tr></thead><tbody>
      ${cameras.said?.cameras.map(one => {
        const its = figures.get(one.camera_id);
        return html`<tr key=${one.camera_id} class=${one.state}><td><a href=${`#/camera/${encodeURIComponent(one.camera_id)}`}>${one.name || one.camera_id}</a></td>
          <td><span class="state"><span class="dot"></span>${stateOf(one)}</span></td>
          <td>${its ? `${its.answers_per_s.toFixed(1)} a second` : "none"}</td>
          <td>${its?.latency_s != null ? lengthOf(its.latency_s) : ""}</td>
          <td>${its?.age_s != null ? `${lengthOf(its.age_s)} ago` : ""}</td>
          <td>${Object.values(its?.gaps ?? {}).reduce((a, b) => a + b, 0) || ""}</td></tr>`;
      })}</tbody></table></div>
  </section>`;
}
