// Every text of the page that is not a label of a control stands here, so that it is said in one way everywhere.

/** Why nobody looked at a frame, by the reason of its gap. */
export const GAPS = {
  stale: "skipped: too old to be of use",
  undecodable: "not looked at: the picture is damaged",
  too_large: "not looked at: the picture is too large",
  producer_overload: "not sent: the producer had too much to do",
  camera_offline: "the camera was away",
  expired: "lost: deleted before anybody read it",
  dead_lettered: "not looked at: it made workers fail",
  no_question: "nobody asks about this camera",
};

/** What to do about gaps of a reason, for the page of health. */
export const ADVICE = {
  stale: "Detectors are slower than cameras: add workers, lower fps, or take a smaller model.",
  undecodable: "Pictures come damaged: look at the camera's link, or take TCP.",
  too_large: "Lower the camera's max_size, or raise the topic's max.message.bytes.",
  producer_overload: "The producers' machine is busy: give it more processor, or fewer cameras.",
  camera_offline: "Look at the camera and its network.",
  expired: "Kafka deleted frames before workers read them: raise the retention, or add workers.",
  dead_lettered: "See `groundcam dead-letters`.",
  no_question: "Ask something under Question.",
};

/** What a camera is doing. */
export const STATES = {
  connecting: "connecting",
  online: "online",
  stalled: "no pictures come",
  offline: "offline",
  refused: "refused",
};

/** The kinds of errors that producers tell of, in words. */
export const ERRORS = {
  Unauthorized: "wrong user or password",
  HTTPUnauthorizedError: "wrong user or password",
  HTTPForbiddenError: "it does not allow this user",
  HTTPNotFoundError: "there is no such stream",
  Redirect: "it redirects to another address",
  TimeoutError: "it does not answer in time",
  ConnectionRefusedError: "nothing listens at its address",
  ConnectionResetError: "it closed the connection",
  OSError: "its network cannot be reached",
  gaierror: "its name is not known",
  SSLError: "TLS fails",
  SSLCertVerificationError: "its certificate is not trusted",
  ProtocolError: "it does not speak RTSP as it should",
  SettingError: "its settings are wrong",
  EndOfStream: "its stream ended",
  FileNotFoundError: "there is no such file",
  NoVideo: "there is no video in it",
  NoPicture: "no picture in it can be decoded",
  TwoProducers: "two producers send it",
};

/** Why an object ended. */
export const ENDS = {
  left: "it left the picture",
  lost: "it was not seen any more",
  question_changed: "nobody asks about it any more",
  camera_offline: "the camera went away",
  silent: "nothing came from the camera",
};

export const NOBODY = "nobody answers";
export const NOT_YET = "not looked at yet";
export const NO_PICTURE = "no picture yet";
export const NO_CAMERAS = "No camera has told of itself yet. Start one: groundcam produce --camera gate=rtsp://...";
export const NOT_THESE = "None of these cameras has told of itself yet; the names in the address are the cameras' ids.";
export const NOT_OF_GROUP = "None of this group's cameras has told of itself yet, or you may see none of them.";
export const SAME_NAME = "Another group has this name.";
export const CUT = "So many came that the list was cut: read it again";
export const CONNECTION_LOST = "No connection to groundcam; trying again.";

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockSeconds = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat([], { weekday: "short", day: "numeric", month: "short" });

/** @param {number} ns nanoseconds since 1970 */
export const msOf = ns => Math.round(ns / 1e6);

/** A time of today as 14:02, another with its day. @param {number} ms @param {number} [nowMs] @param {boolean} [seconds] */
export function timeOf(ms, nowMs = Date.now(), seconds = false) {
  const told = (seconds ? clockSeconds : clock).format(ms);
  return new Date(ms).toDateString() === new Date(nowMs).toDateString() ? told : `${day.format(ms)} ${told}`;
}

/** A length of time, as short as it can be said. @param {number} seconds */
export function lengthOf(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129600 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86400)} days`;
}

/** A camera's state, its time and its reason. @param {Camera} camera */
export function stateOf(camera) {
  const state = STATES[camera.state] ?? camera.state;
  if (camera.state === "online") return state;
  const why = camera.last_error ? `, ${ERRORS[camera.last_error] ?? camera.last_error}` : "";
  return `${state} since ${timeOf(msOf(camera.since_ns))}${why}`;
}

/** What a look says besides its boxes, or nothing. @param {Look} look @param {boolean} isAnswered whether workers are ready */
export function noteOf(look, isAnswered) {
  if (look.gap) return GAPS[look.gap] ?? look.gap;
  if (look.answer) return "";
  return isAnswered ? NOT_YET : NOBODY;
}

/** How many there are of each class, in words. @param {Look["answer"]} answer */
export function countsOf(answer) {
  if (!answer) return [];
  const counts = new Map(answer.classes.map(label => [label, 0]));
  for (const one of answer.objects) counts.set(one.label, (counts.get(one.label) ?? 0) + 1);
  return [...counts].map(([label, count], number) => ({ label, count, number }));
}

/** @param {number} n @param {string} one */
export const many = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;
