"""Marks on the attempts topic: a frame is marked before it is tried alone, so that the next process knows.

Everything here waits for Kafka; it runs on a thread of its own.
"""

import logging

from groundcam_runtime.kafka.errors import UnreachableError
from groundcam_runtime.kafka.publisher import Publisher, Record
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Partition
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import MSGPACK_CONTENT_TYPE, Attempt, SchemaError, decode, encode

log = logging.getLogger(__name__)

PATIENCE_S = 10.0
MAX_BYTES = 64 * 1024
HEADERS = (("content-type", MSGPACK_CONTENT_TYPE.encode()),)


class Attempts:
    """The marks of one consumer group."""

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        """Connect to nothing yet: most workers never have to."""
        self._settings = settings
        self._topic = settings.topics.attempts
        self._group = group
        self._publisher: Publisher | None = None
        self._marked: set[Partition] = set()
        self._known: dict[Partition, Attempt] = {}

    def announce(self, partition: Partition, offset: int, camera_id: str | None, *, read: bool) -> int:
        """Mark a frame, and return how often a process has ended while it was tried alone. Raises KafkaProblem.

        `read`: other workers may have left marks meanwhile.
        """
        if read:
            self._known = self._read()
        before = self._known.get(partition)
        deaths = before.tries if before is not None and before.offset == offset else 0
        mark = Attempt(
            group=self._group, topic=partition.topic, partition=partition.number, offset=offset,
            camera_id=camera_id, tries=deaths + 1,
        )  # fmt: skip
        self._write({partition: encode(mark)})
        self._marked.add(partition)
        self._known.pop(partition, None)
        return deaths

    def clear(self) -> None:
        """Take the marks back: nothing is tried alone any more. Raises KafkaProblem."""
        if self._marked:
            self._write(dict.fromkeys(self._marked, b""))
        self._marked.clear()

    def close(self) -> None:
        """Disconnect."""
        if self._publisher is not None:
            self._publisher.close()

    def _read(self) -> dict[Partition, Attempt]:
        known: dict[Partition, Attempt] = {}
        with Reader(self._settings, [self._topic], start="beginning") as reader:
            for record in reader.to_the_end():
                partition = self._partition_of(record.key or b"")
                if partition is None:
                    continue
                try:
                    known[partition] = decode(Attempt, record.value or b"")
                except SchemaError:
                    known.pop(partition, None)  # it was taken back
        return known

    def _write(self, marks: dict[Partition, bytes]) -> None:
        if self._publisher is None:
            self._publisher = Publisher(
                self._settings, max_waiting_bytes=MAX_BYTES, max_record_bytes=MAX_BYTES,
                client_id="groundcam-attempts",
            )  # fmt: skip
        for partition, value in marks.items():
            self._publisher.send(Record(self._topic, value, self._key(partition), headers=HEADERS), urgent=True)
        failed = [delivery.error for delivery in self._publisher.flush(PATIENCE_S) if delivery.error]
        if failed or self._publisher.unfinished:
            raise UnreachableError(f"a mark on {self._topic} is not acknowledged ({failed or 'no answer'})")

    def _key(self, partition: Partition) -> str:
        return f"{self._group}/{partition.topic}/{partition.number}"

    def _partition_of(self, key: bytes) -> Partition | None:
        group, _, rest = key.decode("utf-8", "replace").rpartition(f"{self._group}/")
        topic, _, number = rest.partition("/")
        return Partition(topic, int(number)) if not group and number.isdigit() else None
