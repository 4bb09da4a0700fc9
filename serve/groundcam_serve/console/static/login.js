// Who are you: by a name and a password, or by a key.

import { html, useState } from "./vendor/htm-preact.js";
import { ask } from "./api.js";

/** @param {{problem: any, done: () => void}} props */
export function Login({ problem, done }) {
  const kinds = problem.login ?? "both";
  const [kind, setKind] = useState(kinds === "keys" ? "key" : "user");
  const [told, setTold] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async event => {
    event.preventDefault();
    const fields = new FormData(event.target);
    setBusy(true);
    try {
      await ask("POST", "/v1/session", { json: Object.fromEntries(fields) });
      done();
    } catch (error) {
      setTold(error.message);
    }
    setBusy(false);
  };
  return html`<main class="login"><form onSubmit=${send}>
    <img src="icon.svg" alt="" width="40" height="40" /><h1>groundcam</h1>
    ${kind === "user" ? html`
      <label>Name <input name="user" autocomplete="username" required autofocus /></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required /></label>`
    : html`<label>Key <input name="key" type="password" autocomplete="off" required autofocus /></label>`}
    <button class="main" disabled=${busy}>Log in</button>
    ${kinds === "both" && html`<button type="button" onClick=${() => setKind(kind === "user" ? "key" : "user")}>
      ${kind === "user" ? "With a key instead" : "With a name instead"}</button>`}
    <p class="problem" role="alert">${told}</p>
  </form></main>`;
}
