// Events as they happen. A browser asks again by itself after a broken connection, and gives up for ever after an answer
// that is an error: a proxy's while the service restarts, or the service's own without Kafka.

import { ask } from "./api.js";

const KINDS = ["new", "update", "end"];
const AGAIN_MS = 5000;

/**
 * Tell every event from now on to `take`, and to `tell` whether there is a connection; return what ends that.
 * Where nobody is logged in any more it ends by itself, and `tell` is told "over".
 * @param {string} query @param {(event: any) => void} take @param {(state: "live" | "lost" | "over") => void} tell
 */
export function follow(query, take, tell) {
  /** @type {EventSource} */
  let stream;
  let timer = 0, isOver = false;
  const lost = async () => {
    tell("lost");
    if (stream.readyState !== EventSource.CLOSED) return;
    const problem = await ask("GET", "/v1/session").then(() => null, error => error);
    if (isOver) return;
    if (problem?.status === 401) tell("over");
    else timer = setTimeout(open, AGAIN_MS);
  };
  const open = () => {
    stream = new EventSource(`/v1/events?${query}&start=end&stream=true`);
    for (const kind of KINDS) stream.addEventListener(kind, message => take(JSON.parse(message.data)));
    stream.onopen = () => tell("live");
    stream.onerror = lost;
  };
  open();
  return () => {
    isOver = true;
    clearTimeout(timer);
    stream.close();
  };
}
