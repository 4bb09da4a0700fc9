// The page: who is logged in, which part is shown, and one connection for all pictures.

import { html, render, useEffect, useState } from "./vendor/htm-preact.js";
import { ask, login, useKept } from "./api.js";
import { CameraPage } from "./camera.js";
import { Event, Events } from "./events.js";
import { Health } from "./health.js";
import { Login } from "./login.js";
import { Question } from "./ask.js";
import { Serve } from "./serve.js";
import { WallSocket } from "./socket.js";
import { Wall } from "./wall.js";
import { CONNECTION_LOST } from "./words.js";

const THEMES = { auto: "As the system", light: "Light", dark: "Dark" };
const PARTS = [["", "Live"], ["events", "Events"], ["question", "Question"], ["serve", "Serve"], ["health", "Health"]];

const go = path => {
  location.hash = path;
};

/** @param {string} part of an address, which anybody may have typed */
function readable(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The part of the address behind #/, and its query. */
function placeOf() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").map(readable), query: new URLSearchParams(query ?? "") };
}

function Theme() {
  const [theme, set] = useKept("theme", "auto");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return html`<label class="theme">Colours <select onChange=${event => set(event.target.value)}>
    ${Object.entries(THEMES).map(([name, text]) => html`<option value=${name} selected=${name === theme}>${text}</option>`)}</select></label>`;
}

function App() {
  const [place, setPlace] = useState(placeOf());
  const [session, setSession] = useState(/** @type {Session | null} */ (null));
  const [needed, setNeeded] = useState(/** @type {any} */ (null));
  const [trouble, setTrouble] = useState("");
  const [link, setLink] = useState(/** @type {string[]} */ (["", ""]));
  const [socket, setSocket] = useState(/** @type {any} */ (null));

  const begin = async () => {
    try {
      setSession(await ask("GET", "/v1/session"));
      setNeeded(null);
      setTrouble("");
    } catch (error) {
      if (error.status !== 401) setTrouble(error.message);
    }
  };
  useEffect(() => {
    const moved = () => setPlace(placeOf());
    addEventListener("hashchange", moved);
    login.needed = problem => {
      setSession(null);
      setNeeded(problem);
    };
    begin();
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    if (!session) return undefined;
    const made = new WallSocket((state, why) => {
      setLink([state, why]);
      if (state === "refused") begin();
    });
    setSocket(made);
    return () => {
      made.close();
      setSocket(null);
    };
  }, [session?.name]);
  useEffect(() => {
    document.title = [place.parts[1] ?? "", place.parts[0] || "live", "groundcam"].filter(Boolean).join(" · ");
    if (!place.query.has("keep")) document.getElementById("content")?.focus({ preventScroll: true });
  }, [place.parts.join("/"), session?.name, socket === null]);

  if (needed) return html`<${Login} problem=${needed} done=${begin} />`;
  if (!session || !socket) return html`<p class="lead" role="status">${trouble || "Connecting ..."} ${trouble && html`<button onClick=${begin}>Try again</button>`}</p>`;
  const [part, name, tab] = place.parts;
  const { query } = place;
  const leave = async () => {
    try {
      await ask("DELETE", "/v1/session");
    } catch (error) {
      if (error.status !== 401) return setLink(["lost", `Not logged out: ${error.message}`]);
    }
    return begin();
  };
  const shown = part === "" ? html`<${Wall} key=${query.has("wall")} socket=${socket} query=${query} />`
    : part === "camera" ? html`<${CameraPage} key=${name} socket=${socket} id=${name} tab=${tab ?? ""} session=${session} query=${query} go=${go} />`
      : part === "events" && name ? html`<${Event} key=${name} id=${name} />`
        : part === "events" ? html`<${Events} query=${query} go=${go} />`
          : part === "question" ? html`<section><div class="bar"><h1>Question for all cameras</h1></div><${Question} id="*" session=${session} look=${null} /></section>`
            : part === "serve" ? html`<${Serve} session=${session} />`
              : part === "health" ? html`<${Health} />`
                : html`<h1 class="lead">There is no such page. <a href="#/">Live</a></h1>`;
  return html`
    <a class="skip" href="#content" onClick=${event => {
      event.preventDefault();
      document.getElementById("content")?.focus();
    }}>To the content</a>
    ${!query.has("wall") && html`<header class="top"><a class="home" href="#/"><img src="icon.svg" alt="" width="24" height="24" />groundcam</a>
      <nav aria-label="Parts of the page">${PARTS.map(([path, text]) => html`
        <a href=${`#/${path}`} aria-current=${part === path ? "page" : undefined}>${text}</a>`)}</nav>
      <span class="push"></span>
      <span class="link" role="status">${link[0] === "live" ? "" : link[1] || (link[0] === "lost" ? CONNECTION_LOST : "")}</span>
      <${Theme} />
      ${session.by !== "nothing" && html`<span class="who">${session.name}${session.role ? ` (${session.role})` : ""}</span>`}
      ${session.by === "session" && html`<button onClick=${leave}>Log out</button>`}
    </header>`}
    <main id="content" tabindex="-1">${shown}</main>`;
}

render(html`<${App} />`, /** @type {Element} */ (document.getElementById("page")));
