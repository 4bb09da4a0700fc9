"""Marks on the attempts topic: a quarantined frame is marked before its attempt, so that the next process knows.

Everything here waits for Kafka; it runs on a thread of its own.
"""

import logging

from groundcam_runtime.kafka.errors import UnreachableError
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Partition
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Attempt, SchemaError, decode

log = logging.getLogger(__name__)

PATIENCE_S = 10.0
MAX_BYTES = 64 * 1024
Place = tuple[Partition, int]
"""A partition, and an offset in it."""


class AttemptLog:
    """The marks of one consumer group."""

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        """Connect to nothing yet: most workers never have to."""
        self._settings = settings
        self._topic = settings.topics.attempts
        self._group = group
        self._publisher: Publisher | None = None
        self._marked: set[Place] = set()
        self._known: dict[Place, int] = {}
        self._found: dict[Place, int] = {}

    def announce(self, place: Place, camera_id: str | None, *, read: bool) -> int:
        """Mark a frame, and return how often a process has ended during its attempt. Raises KafkaProblem.

        The marks of frames before it are taken back. `read`: other workers may have left marks meanwhile.
        """
        if read:
            self._known = self._read()
        # What this process has marked itself is no death.
        deaths = self._found.setdefault(place, self._known.get(place, 0))
        partition, offset = place
        mark = Attempt(
            group=self._group, topic=partition.topic, partition=partition.number, offset=offset,
            camera_id=camera_id, tries=deaths + 1,
        )  # fmt: skip
        before = self._marked - {place}
        self._marked.add(place)  # it may come to Kafka although that is not acknowledged
        self._write({**dict.fromkeys(before), place: mark})
        self._marked = {place}
        return deaths

    def clear(self) -> None:
        """Take the last mark back: no quarantined frame is being tried any more. Raises KafkaProblem."""
        if self._marked:
            self._write(dict.fromkeys(self._marked))
        self._marked.clear()
        self._found.clear()

    def close(self) -> None:
        """Disconnect."""
        if self._publisher is not None:
            self._publisher.close()

    def _read(self) -> dict[Place, int]:
        known: dict[str, Attempt | None] = {}
        with Reader(self._settings, [self._topic], start="beginning") as reader:
            for record in reader.to_the_end():
                known[(record.key or b"").decode("utf-8", "replace")] = _mark_of(record.value or b"")
        return {
            (Partition(mark.topic, mark.partition), mark.offset): mark.tries
            for mark in known.values()
            if mark is not None and mark.group == self._group
        }

    def _write(self, marks: dict[Place, Attempt | None]) -> None:
        if self._publisher is None:
            self._publisher = Publisher(
                self._settings, max_waiting_bytes=MAX_BYTES, max_record_bytes=MAX_BYTES,
                client_id="groundcam-attempts",
            )  # fmt: skip
        for ((topic, number), offset), mark in marks.items():
            key = f"{self._group}/{topic}/{number}/{offset}"
            self._publisher.send(Record.of(self._topic, mark, key), urgent=True)
        failed = [delivery.error for delivery in self._publisher.flush(PATIENCE_S) if delivery.error]
        if failed or self._publisher.unfinished:
            raise UnreachableError(f"a mark on {self._topic} is not acknowledged ({failed or 'no answer'})")


def _mark_of(value: bytes) -> Attempt | None:
    """Read a mark; None for one that was taken back, or that cannot be read."""
    try:
        return decode(Attempt, value)
    except SchemaError:
        return None
