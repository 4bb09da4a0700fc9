// What both programs share: where Kafka is, reading to the end or for ever, and both forms of a message.

import { randomUUID } from "node:crypto";
import { decode } from "@msgpack/msgpack";
import kafkajs from "kafkajs";

const { Kafka, logLevel } = kafkajs;
const SERVERS = process.env.GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS ?? "localhost:9092";
const PREFIX = process.env.GROUNDCAM_KAFKA__TOPIC_PREFIX ?? "groundcam.";

const kafka = new Kafka({ clientId: "groundcam-example", brokers: SERVERS.split(","), logLevel: logLevel.ERROR });

export const topic = (name) => PREFIX + name;

/** A message's content: JSON, or msgpack with times as BigInt, since they have more bits than numbers. */
export function content(message) {
  const type = header(message, "content-type");
  const isJson = type ? type === "application/json" : message.value[0] === "{".charCodeAt(0);
  return isJson ? JSON.parse(message.value) : decode(message.value, { useBigInt64: true });
}

/** All values of a header, which may stand there more than once. */
export const headers = (message, name) => [message.headers[name] ?? []].flat().map(String);

export const header = (message, name) => headers(message, name)[0];

/** The offsets of a topic, by partition: { low, high }, as text. */
export async function offsets(name) {
  const admin = kafka.admin();
  await admin.connect();
  const found = await admin.fetchTopicOffsets(name);
  await admin.disconnect();
  return new Map(found.map((one) => [one.partition, one]));
}

/** Call `each(message, partition)` until it returns false, or with `toTheEnd` until all that is there now was read. */
export async function read(name, { toTheEnd = false, from }, each) {
  const left = new Map();
  for (const [partition, { low, high }] of await offsets(name)) {
    if (toTheEnd && BigInt(low) < BigInt(high)) left.set(partition, BigInt(high));
  }
  if (toTheEnd && !left.size) return;
  // kafkajs reads as a group only: one of our own each time, which keeps no offsets.
  const consumer = kafka.consumer({ groupId: `groundcam-example-${randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [name], fromBeginning: toTheEnd });
  try {
    await new Promise((done, failed) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || failed(payload.error));
      const eachMessage = async ({ partition, message }) => {
        try {
          if (each(message, partition) === false) done();
        } catch (error) {
          failed(error);
        }
        if (BigInt(message.offset) + 1n >= left.get(partition)) left.delete(partition);
        if (toTheEnd && !left.size) done();
      };
      consumer.run({ autoCommit: false, eachMessage }).catch(failed);
      if (from) consumer.seek({ topic: name, ...from });
    });
  } finally {
    await consumer.disconnect();
  }
}
