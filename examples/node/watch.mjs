// node watch.mjs [--all] [--label NAME]: print what is found, and what nobody looked at.
// --all reads what is there and ends; without it, what comes from now on is printed until Ctrl-C.
// --label prints detections with this label only. The others are never decoded: headers tell.

import { parseArgs } from "node:util";
import { content, header, headers, read, topic } from "./topics.mjs";

const { values: wanted } = parseArgs({ options: { all: { type: "boolean" }, label: { type: "string" } } });
let decoded = 0;
let passed = 0;

/** A time of a message: text in JSON, else nanoseconds as BigInt. A Date has whole milliseconds. */
const time = (message, name) => new Date(message[name] ?? Number(message[`${name}_ns`] / 1_000_000n));

function show(record) {
  // Records of versions before the headers say it in the message alone.
  const [name, version] = (header(record, "schema") ?? content(record).schema).split("/");
  if (!version.startsWith("1.")) {
    console.error(`not read: ${name}/${version}`);
  } else if (name === "gap") {
    console.log(gap(content(record)));
  } else if (name === "detections") {
    if (wanted.label && !headers(record, "label").includes(wanted.label)) {
      passed += 1;
      return;
    }
    decoded += 1;
    console.log(detections(content(record)));
  }
}

function detections({ camera_id, frame, objects, ...message }) {
  const found = objects.map(({ label, score }) => `${label} ${score.toFixed(2)}`).join(", ") || "nothing";
  const place = `${frame.topic}/${frame.partition}/${frame.offset}`;
  return `${camera_id} ${time(message, "captured_at").toISOString()} ${place}: ${found}`;
}

function gap({ camera_id, first_seq, last_seq, reason, ...message }) {
  const range =
    first_seq !== null
      ? `frames ${first_seq} to ${last_seq}`
      : `${time(message, "from").toISOString()} to ${time(message, "to").toISOString()}`;
  return `${camera_id} not looked at: ${range}, ${reason}`;
}

await read(topic("detections"), { toTheEnd: wanted.all }, show);
console.error(`${decoded} detections were decoded, ${passed} passed over`);
