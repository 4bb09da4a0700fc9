"""A part of one partition, from an offset to another, read once more beside whoever follows it."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, Self

import kafka
import kafka.errors

from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.errors import RefusedError, UnreachableError
from groundcam_runtime.kafka.passing import is_passing
from groundcam_runtime.records import Consumed, Partition, consumed
from groundcam_runtime.settings import KafkaSettings

POLL_MS = 200
RETRY_S = 0.5


class Ranges:
    """Reads ranges, one after the other. A context manager."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Connect. Raises KafkaProblem."""
        self._where = f"Kafka at {settings.bootstrap_servers}"
        self._patience_s = settings.connect_timeout_s
        self._consumer: Any = connect(
            settings,
            kafka.KafkaConsumer,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            allow_auto_create_topics=False,
        )

    def read(self, partition: Partition, start: int, end: int) -> Iterator[Consumed]:
        """Yield what lies from `start` to before `end`, as far as it is still there. Raises KafkaProblem."""
        place = kafka.TopicPartition(*partition)
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        heard_at = time.monotonic()
        while (position := self._consumer.position(place)) is None or position < end:
            records = self._poll(place)
            if not records and time.monotonic() - heard_at > self._patience_s:
                raise UnreachableError(f"{self._where} has stopped answering")
            now_ns = time.time_ns()
            for record in records:
                if record.offset >= end:
                    return
                yield consumed(record, now_ns)
            if records:
                heard_at = time.monotonic()  # what the caller did with them was no silence of Kafka's

    def offset_at(self, partition: Partition, timestamp_ms: int) -> int | None:
        """Return the first offset that is not older than a time; None where there is none. Raises KafkaProblem."""
        place = kafka.TopicPartition(*partition)
        try:
            found = self._consumer.offsets_for_times({place: max(0, timestamp_ms)})[place]
        except kafka.errors.KafkaError as error:
            raise UnreachableError(f"{self._where} does not answer ({error})") from None
        return None if found is None else int(found.offset)

    def ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the offset behind the newest record of each partition. Raises KafkaProblem."""
        try:
            found = self._consumer.end_offsets([kafka.TopicPartition(*one) for one in partitions])
        except kafka.errors.KafkaError as error:
            raise UnreachableError(f"{self._where} does not answer ({error})") from None
        return {Partition(*place): int(offset) for place, offset in found.items()}

    def _poll(self, place: Any) -> list[Any]:
        try:
            return list(self._consumer.poll(POLL_MS).get(place, []))
        except kafka.errors.KafkaError as error:
            if not is_passing(error):
                raise RefusedError(f"{self._where}: {type(error).__name__}: {error}") from None
            time.sleep(RETRY_S)
            return []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._consumer.close()
