// node picture.mjs TOPIC/PARTITION/OFFSET FILE: the picture that a detection is about, as watch.mjs prints its place.
// node picture.mjs EVENT_ID FILE: the best picture of the object that an event is about.

import { writeFileSync } from "node:fs";
import { content, header, offsets, read, topic } from "./topics.mjs";

const [what, file] = process.argv.slice(2);
if (!file) fail("usage: node picture.mjs TOPIC/PARTITION/OFFSET|EVENT_ID FILE");
const place = /^(.+)\/(\d+)\/(\d+)$/.exec(what);
const picture = place ? await ofFrame(place[1], Number(place[2]), place[3]) : await ofEvent(what);
writeFileSync(file, picture);
console.log(`${file}: ${picture.length} bytes`);

/** A frame is msgpack with the picture in `data`, or a JPEG as it is. */
async function ofFrame(name, partition, offset) {
  const held = (await offsets(name)).get(partition);
  if (!held || BigInt(offset) < BigInt(held.low)) fail(`${what} is not on Kafka any more`);
  if (BigInt(offset) >= BigInt(held.high)) fail(`${what} is not on Kafka yet`);
  let found;
  await read(name, { from: { partition, offset } }, (message, its) => {
    if (its !== partition || message.offset !== offset) return true;
    found = message;
    return false;
  });
  const isJpeg = found.value[0] === 0xff && found.value[1] === 0xd8;
  return isJpeg ? found.value : content(found).data;
}

/** The newest record with the event's id as key; it is empty where the picture could not be had. */
async function ofEvent(id) {
  let found;
  await read(topic("pictures"), { toTheEnd: true }, (message) => {
    if (String(message.key) === id) found = message;
  });
  if (!found) fail(`there is no picture of ${id} yet, or not any more`);
  if (!found.value?.length) fail(`there is no picture of ${id}: ${header(found, "reason")}`);
  return found.value;
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
