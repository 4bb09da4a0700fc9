"""Read topics without a group: everything up to now, or everything from now on. Commits nothing."""

import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import kafka
import kafka.errors

from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.errors import RefusedError, TopicError, UnreachableError, is_passing
from groundcam_runtime.records import Consumed, consumed
from groundcam_runtime.settings import KafkaSettings

T = TypeVar("T")

RETRY_S = 0.5

Start = Literal["beginning", "end"]


class Reader:
    """Reads every partition of some topics; use it as a context manager."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Iterable[str],
        *,
        start: Start,
        isolation_level: Literal["read_uncommitted", "read_committed"] = "read_committed",
    ) -> None:
        """Connect and find the partitions. Raises KafkaProblem."""
        self._where = f"Kafka at {settings.bootstrap_servers}"
        self._patience_s = settings.connect_timeout_s
        self._consumer: Any = connect(
            settings,
            kafka.KafkaConsumer,
            group_id=None,
            enable_auto_commit=False,
            isolation_level=isolation_level,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            allow_auto_create_topics=False,
        )
        self._partitions = [tp for topic in topics for tp in self._partitions_of(topic)]
        self._consumer.assign(self._partitions)
        if start == "beginning":
            self._consumer.seek_to_beginning()
        else:
            # Now, not at the first poll: what is sent in between belongs to the reader.
            for partition, offset in self._ask(self._consumer.end_offsets, self._partitions).items():
                self._consumer.seek(partition, offset)

    def poll(self, timeout_s: float) -> list[Consumed]:
        """Return what has come, waiting for at most this long."""
        try:
            by_partition = self._consumer.poll(int(timeout_s * 1000))
        except kafka.errors.KafkaError as error:
            if not is_passing(error):
                raise RefusedError(f"{self._where}: {type(error).__name__}: {error}") from None
            time.sleep(RETRY_S)
            return []
        now_ns = time.time_ns()
        return [consumed(record, now_ns) for records in by_partition.values() for record in records]

    def to_the_end(self) -> Iterator[Consumed]:
        """Yield everything that lies on the topics at this moment. Raises KafkaProblem."""
        ends: dict[Any, int] = self._ask(self._consumer.end_offsets, self._partitions)
        heard_at = time.monotonic()
        while any(self._position(partition) < end for partition, end in ends.items()):
            records = self.poll(0.2)
            if records:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > self._patience_s:
                # The client does not report a broker that has gone away, and polls for ever.
                raise UnreachableError(f"{self._where} has stopped answering")
            for record in records:
                if record.offset < ends[kafka.TopicPartition(*record.partition)]:
                    yield record

    def _position(self, partition: Any) -> int:
        """Return the next offset to read; the client gives None while it does not know."""
        position: int | None = self._ask(self._consumer.position, partition)
        return -1 if position is None else position

    def has_lost_the_beginning_of(self, topic: str) -> bool:
        """Whether Kafka has deleted some of a topic's first records. Raises KafkaProblem."""
        mine = [partition for partition in self._partitions if partition.topic == topic]
        return any(self._ask(self._consumer.beginning_offsets, mine).values())

    def _partitions_of(self, topic: str) -> list[Any]:
        numbers = self._ask(self._consumer.partitions_for_topic, topic)
        if not numbers:
            raise TopicError(f"the topic {topic} does not exist: create it with `groundcam topics ensure`")
        return [kafka.TopicPartition(topic, number) for number in sorted(numbers)]

    def _ask(self, question: Callable[[Any], T], argument: Any) -> T:
        """Ask the broker, again while it changes its leaders. Raises KafkaProblem."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return question(argument)
            except kafka.errors.KafkaError as error:
                if not is_passing(error):
                    raise RefusedError(f"{self._where}: {type(error).__name__}: {error}") from None
                if time.monotonic() > deadline:
                    raise UnreachableError(f"{self._where} does not answer ({error})") from None
            time.sleep(RETRY_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
