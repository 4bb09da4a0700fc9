// Requests to the service, whose problems are sentences.

import { useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { CONNECTION_LOST } from "./words.js";

/** What the service refused: a sentence, and the problem document. */
export class Refused extends Error {
  /** @param {number} status @param {any} problem */
  constructor(status, problem) {
    super(problem?.detail ?? CONNECTION_LOST);
    this.status = status;
    this.problem = problem ?? {};
  }
}

/** A header that lets a change pass only where that version holds still. @param {any} known @returns {Record<string, string>} */
export const ifStill = known => known ? { "If-Match": `"${known.version}"` } : {};

/** Called where a session is needed and there is none. */
export const login = { needed: /** @type {(problem: any) => void} */ (() => {}) };

/** @typedef {{json?: any, body?: any, headers?: Record<string, string>, signal?: AbortSignal}} More */

/** Ask the service; return what it says, parsed where it is JSON, else as a Blob.
 * @param {string} method @param {string} path @param {More} [more] */
export const ask = async (method, path, more) => (await askWhole(method, path, more)).said;

/** The same, with the answer's headers. @param {string} method @param {string} path @param {More} [more] */
export async function askWhole(method, path, more = {}) {
  const headers = { Accept: "application/json", ...more.headers };
  if (more.json !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method, headers, body: more.json === undefined ? more.body : JSON.stringify(more.json), signal: more.signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused(0, null);
  }
  const kind = response.headers.get("Content-Type") ?? "";
  const said = kind.includes("json") ? await response.json() : response.status === 204 ? null : await response.blob();
  if (!response.ok) {
    const problem = kind.includes("json") ? said : { detail: `${method} ${path}: ${response.status}` };
    if (problem.type === "urn:groundcam:no-key") login.needed(problem);
    throw new Refused(response.status, problem);
  }
  return { said, headers: response.headers };
}

/** A state that this browser keeps. @param {string} name @param {string} otherwise @returns {[string, (value: string) => void]} */
export function useKept(name, otherwise) {
  const [value, set] = useState(localStorage.getItem(name) ?? otherwise);
  return [value, next => {
    localStorage.setItem(name, next);
    set(next);
  }];
}

/**
 * Ask again and again while the page is seen; what was said last stays while nothing is heard.
 * @param {string | null} path nothing is asked of null @param {number} seconds
 * @returns {{said: any, problem: string, again: () => void}}
 */
export function usePolled(path, seconds) {
  const [state, set] = useState({ said: /** @type {any} */ (null), problem: "" });
  const [count, setCount] = useState(0);
  const of = useRef(path);
  useEffect(() => {
    if (path === null) return undefined;
    if (of.current !== path) {
      of.current = path;
      set({ said: null, problem: "" });
    }
    const ended = new AbortController();
    let timer = 0;
    const look = async () => {
      try {
        const said = document.hidden ? undefined : await ask("GET", path, { signal: ended.signal });
        if (said !== undefined) set({ said, problem: "" });
      } catch (error) {
        if (ended.signal.aborted) return;
        set(before => ({ ...before, problem: error.message }));
      }
      timer = setTimeout(look, seconds * 1000);
    };
    look();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [path, seconds, count]);
  return { ...state, again: () => setCount(before => before + 1) };
}
