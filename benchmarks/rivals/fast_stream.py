"""The job on FastStream with confluent-kafka: a subscriber of batches, acknowledged when its answers are.

The subscriber takes 8 frames or what has come after 10 ms (`max_records`, `polling_interval`). JPEGs are read in a pool
of two threads, the detector waits on a thread of its own so that the event loop runs on, and `publish_batch` returns
when Kafka has the answers (acks=all). Guaranteed: only then the batch is acknowledged, which commits its offsets
(`AckPolicy.NACK_ON_ERROR`: after an error it is read again); frames are answered again after a crash. Not there,
unlike in groundcam: gaps, dead letters, questions over Kafka, freshness, metrics, a detector that works while the next
batch is fetched and decoded.

    .venv-rivals/bin/python benchmarks/rivals/fast_stream.py WAIT_MS
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker, KafkaMessage, KafkaPublishMessage
from job import BATCH, BATCH_WAIT_S, DETECTIONS, FRAMES, GROUP, HEADERS, SERVERS, Job, Taken

job = Job()
detecting = ThreadPoolExecutor(1, thread_name_prefix="detect")
broker = KafkaBroker(SERVERS, acks="all", enable_idempotence=True, allow_auto_create_topics=False, logger=None)


async def as_it_came(message: KafkaMessage) -> Any:
    """A frame is no JSON."""
    return message.body


@broker.subscriber(
    FRAMES,
    group_id=GROUP,
    batch=True,
    max_records=BATCH,
    polling_interval=BATCH_WAIT_S,
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.NACK_ON_ERROR,
    max_partition_fetch_bytes=4 * 1024 * 1024,
    decoder=as_it_came,
)
async def answer(bodies: list[bytes], message: KafkaMessage) -> None:
    """Answer one batch, and return when Kafka has the answers."""
    loop, consumed_at_ns = asyncio.get_running_loop(), time.time_ns()
    taken = [
        Taken(body, record.partition(), record.offset(), record.timestamp()[1], consumed_at_ns)
        for body, record in zip(bodies, message.raw_message, strict=True)
    ]
    works = await asyncio.gather(*(loop.run_in_executor(job.pool, job.read, one) for one in taken))
    answers = await loop.run_in_executor(detecting, job.answer, works)
    messages = [KafkaPublishMessage(value, key=camera.encode()) for camera, value in answers]
    await broker.publish_batch(*messages, topic=DETECTIONS, headers=HEADERS)


if __name__ == "__main__":
    asyncio.run(FastStream(broker, logger=None).run(log_level=logging.ERROR))
