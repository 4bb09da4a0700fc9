"""The job on Quix Streams: a sink that answers a batch each time that the application makes a checkpoint.

The application makes one after 8 frames or 10 ms (`commit_every`, `commit_interval`); it flushes the sink and then
commits the offsets, which is the library's own way to at-least-once: a sink's `flush` "confirms the delivery of the
previously sent messages". JPEGs are read in a pool of two threads while the batch gathers. Guaranteed: every frame's
answer is acknowledged (acks=all, the default) before its offset is committed, synchronously; frames are answered again
after a crash. Not there, unlike in groundcam: gaps, dead letters, questions over Kafka, freshness, metrics, a detector
that works while the next batch is fetched and decoded.

    .venv-rivals/bin/python benchmarks/rivals/quix_streams.py WAIT_MS
"""

import logging
import tempfile
import time
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException, Producer
from job import BATCH, BATCH_WAIT_S, DETECTIONS, FRAMES, GROUP, HEADERS, SERVERS, Job, Taken
from quixstreams import Application
from quixstreams.sinks.base import BaseSink


class Detecting(BaseSink):
    """Answers what came since the last checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self._job = Job()
        self._reading: list[Future[Any]] = []
        self._failed: list[Any] = []

    def setup(self) -> None:
        """Connect the producer of answers."""
        self._producer = Producer({"bootstrap.servers": SERVERS, "enable.idempotence": True})

    def add(
        self,
        value: bytes,
        key: Any,  # noqa: ARG002 - the library's signature
        timestamp: int,
        headers: Any,  # noqa: ARG002
        topic: str,  # noqa: ARG002
        partition: int,
        offset: int,
    ) -> None:
        """Begin to read a frame."""
        taken = Taken(value, partition, offset, timestamp, time.time_ns())
        self._reading.append(self._job.pool.submit(self._job.read, taken))

    def flush(self) -> None:
        """Answer, and return when Kafka has the answers."""
        works, self._reading = [one.result() for one in self._reading], []
        if not works:
            return
        for camera, answer in self._job.answer(works):
            self._producer.produce(DETECTIONS, answer, camera, headers=HEADERS, on_delivery=self._delivered)
        self._producer.flush()
        if self._failed:
            raise KafkaException(self._failed[0])

    def on_paused(self) -> None:
        """Forget what is read: it comes again."""
        self._reading = []

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed.append(error)


def main() -> None:
    """Answer until SIGTERM."""
    app = Application(
        broker_address=SERVERS,
        consumer_group=GROUP,
        state_dir=tempfile.mkdtemp(prefix="groundcam-quix-"),
        auto_offset_reset="earliest",
        commit_every=BATCH,
        commit_interval=BATCH_WAIT_S,
        # By default a lone frame waits a second for another one before its checkpoint.
        consumer_poll_timeout=BATCH_WAIT_S,
        consumer_extra_config={"fetch.message.max.bytes": 4 * 1024 * 1024},
        auto_create_topics=False,
        loglevel=logging.ERROR,
    )
    frames = app.topic(FRAMES, value_deserializer="bytes", key_deserializer="bytes")
    app.dataframe(frames).sink(Detecting())
    app.run()


if __name__ == "__main__":
    main()
