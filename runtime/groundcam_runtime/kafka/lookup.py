"""Single records by their place: what lay at an offset, if it is still there."""

import threading
import time
from typing import Any, Self

import kafka
import kafka.errors

from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.errors import UnreachableError
from groundcam_runtime.records import Consumed, Partition, consumed
from groundcam_runtime.settings import KafkaSettings

POLL_MS = 100


class Lookup:
    """Reads records one by one; any thread may ask, and one after the other is answered. A context manager."""

    def __init__(self, settings: KafkaSettings, max_record_bytes: int = 16 * 1024 * 1024) -> None:
        """Connects at the first question."""
        self._settings, self._max_record_bytes = settings, max_record_bytes
        self._lock = threading.Lock()
        self._consumer: Any = None

    def read(self, partition: Partition, offset: int, timeout_s: float) -> Consumed | None:
        """Return a record; None where it has been deleted. Raises KafkaProblem."""
        with self._lock:
            if self._consumer is None:
                self._consumer = self._connected()
            place = kafka.TopicPartition(*partition)
            self._consumer.assign([place])
            self._consumer.seek(place, offset)
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                try:
                    records = self._consumer.poll(POLL_MS, max_records=1).get(place, [])
                except kafka.errors.KafkaError as error:
                    raise UnreachableError(f"{place.topic}[{place.partition}]@{offset}: {error}") from None
                if records:
                    found = consumed(records[0], time.time_ns())
                    # Where it was deleted, the client goes on from the first that there is.
                    return found if found.offset == offset else None
            raise UnreachableError(f"{place.topic}[{place.partition}]@{offset} was not read in {timeout_s:g} s")

    def _connected(self) -> Any:
        return connect(
            self._settings,
            kafka.KafkaConsumer,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=POLL_MS,
            max_partition_fetch_bytes=self._max_record_bytes,
            allow_auto_create_topics=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._lock:
            if self._consumer is not None:
                self._consumer.close()
