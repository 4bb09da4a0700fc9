"""Read topics without a group: everything up to now, or everything from now on. Commits nothing."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import kafka
import kafka.errors

from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.errors import RefusedError, TopicError, UnreachableError
from groundcam_runtime.kafka.passing import is_passing
from groundcam_runtime.records import Consumed, Partition, consumed
from groundcam_runtime.settings import KafkaSettings

T = TypeVar("T")

RETRY_S = 0.5
METADATA_MS = 5_000
LOOK_S = 1.0
"""So often what the client knows of the topics is looked at: partitions that are added are read after 6 s at most."""

Start = Literal["beginning", "end"] | Mapping[Partition, int]
"""Or the next offset of each partition; those that are not in it are read from their beginning."""


class Reader:
    """Reads every partition of some topics; use it as a context manager.

    Partitions that are added to the topics meanwhile are read as well, from their beginning.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Iterable[str],
        *,
        start: Start,
        isolation_level: Literal["read_uncommitted", "read_committed"] = "read_committed",
    ) -> None:
        """Connect and find the partitions. Raises KafkaProblem; then no connection is left behind."""
        self._where = f"Kafka at {settings.bootstrap_servers}"
        self._patience_s = settings.connect_timeout_s
        self._topics = list(topics)
        self._partitions: list[Any] = []
        self._look_at = 0.0
        self._consumer: Any = connect(
            settings,
            kafka.KafkaConsumer,
            group_id=None,
            enable_auto_commit=False,
            isolation_level=isolation_level,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            # New partitions are seen after this; five minutes by default.
            metadata_max_age_ms=METADATA_MS,
            allow_auto_create_topics=False,
        )
        try:
            self._begin(start)
        except BaseException:
            self._consumer.close()
            raise

    def _begin(self, start: Start) -> None:
        self._partitions = [tp for topic in self._topics for tp in self._partitions_of(topic)]
        self._consumer.assign(self._partitions)
        if start == "beginning":
            self._consumer.seek_to_beginning()
        elif isinstance(start, Mapping):
            for partition in self._partitions:
                known = start.get(Partition(partition.topic, partition.partition))
                self._consumer.seek_to_beginning(partition) if known is None else self._consumer.seek(partition, known)
        else:
            # Now, not at the first poll: what is sent in between belongs to the reader.
            for partition, offset in self._ask(self._consumer.end_offsets, self._partitions).items():
                self._consumer.seek(partition, offset)
        self._look_at = time.monotonic() + LOOK_S

    def poll(self, timeout_s: float) -> list[Consumed]:
        """Return what has come, waiting for at most this long. Raises KafkaProblem."""
        if time.monotonic() >= self._look_at:
            self._take_up_added()
        return self._fetch(timeout_s)

    def _fetch(self, timeout_s: float) -> list[Consumed]:
        try:
            by_partition = self._consumer.poll(int(timeout_s * 1000))
        except kafka.errors.KafkaError as error:
            self._pass_over(error)
            time.sleep(RETRY_S)
            return []
        now_ns = time.time_ns()
        return [consumed(record, now_ns) for records in by_partition.values() for record in records]

    def to_the_end(self) -> Iterator[Consumed]:
        """Yield everything that lies on the topics at this moment. Raises KafkaProblem.

        That is on the partitions that the client knows of now: all that there were when the reader was made, and
        those added since, but for the last METADATA_MS. What comes later, on them or on others, is left to the next
        `poll`.
        """
        self._take_up_added()
        ends: dict[Any, int] = self._ask(self._consumer.end_offsets, self._partitions)
        yield from self._until(ends)

    def span(self, begin: Mapping[Partition, int], end: Mapping[Partition, int]) -> Iterator[Consumed]:
        """Yield what lies from some offsets up to others, and stay there; what is not in `end` waits meanwhile.

        Raises KafkaProblem.
        """
        ends = {kafka.TopicPartition(*partition): offset for partition, offset in end.items()}
        others = [partition for partition in self._partitions if partition not in ends]
        self._consumer.pause(*others)
        try:
            for partition, offset in end.items():
                self._consumer.seek(kafka.TopicPartition(*partition), begin.get(partition, offset))
            yield from self._until(ends)
        finally:
            self._consumer.resume(*others)

    def _until(self, ends: dict[Any, int]) -> Iterator[Consumed]:
        """Yield what is before these ends. Raises KafkaProblem."""
        left = self._rest(ends)
        heard_at = time.monotonic()
        try:
            while left:
                records = self._fetch(0.2)
                if not records and time.monotonic() - heard_at > self._patience_s:
                    # The client does not report a broker that has gone away, and polls for ever.
                    raise UnreachableError(f"{self._where} has stopped answering")
                for record in records:
                    if record.offset < ends[kafka.TopicPartition(*record.partition)]:
                        yield record
                if records:
                    heard_at = time.monotonic()  # what the caller did with them was no silence of Kafka's
                left = self._rest(left)
        finally:
            self._consumer.resume(*ends)

    def _rest(self, ends: dict[Any, int]) -> dict[Any, int]:
        """Return the ends that are not reached, and stop at those that are: what lies behind them is not ours now."""
        left = {}
        for partition, end in ends.items():
            position = self._position(partition)
            if position < end:
                left[partition] = end
                continue
            self._consumer.pause(partition)
            if position > end:
                self._consumer.seek(partition, end)
        return left

    def _take_up_added(self) -> None:
        """Read partitions that were added, from their beginning. Raises RefusedError."""
        self._look_at = time.monotonic() + LOOK_S
        try:
            # The client's own knowledge. A topic that is not to be seen for a moment keeps the partitions it has.
            known = {topic: self._consumer.partitions_for_topic(topic) for topic in self._topics}
        except kafka.errors.KafkaError as error:
            self._pass_over(error)
            return
        there = {kafka.TopicPartition(topic, number) for topic, numbers in known.items() for number in numbers}
        if added := sorted(there.difference(self._partitions)):
            self._partitions += added
            self._consumer.assign(self._partitions)
            self._consumer.seek_to_beginning(*added)

    def _pass_over(self, error: kafka.errors.KafkaError) -> None:
        """Return where an error ends by itself. Raises RefusedError."""
        if not is_passing(error):
            raise RefusedError(f"{self._where}: {type(error).__name__}: {error}") from None

    def _position(self, partition: Any) -> int:
        """Return the next offset to read; the client gives None while it does not know."""
        position: int | None = self._ask(self._consumer.position, partition)
        return -1 if position is None else position

    def read_only(self, wanted: Collection[Partition] | None) -> None:
        """Read these partitions from now on, each that was not read from its end, and no others; None reads all.

        Raises KafkaProblem.
        """
        paused = self._consumer.paused()
        read = {one for one in self._partitions if wanted is None or Partition(one.topic, one.partition) in wanted}
        self._consumer.pause(*(one for one in self._partitions if one not in read))
        if begun := [one for one in read if one in paused]:
            for partition, offset in self._ask(self._consumer.end_offsets, begun).items():
                self._consumer.seek(partition, offset)
            self._consumer.resume(*begun)

    def first_offsets(self) -> dict[Partition, int]:
        """Return the oldest offset that there is of each partition. Raises KafkaProblem."""
        found = self._ask(self._consumer.beginning_offsets, self._partitions)
        return {Partition(one.topic, one.partition): offset for one, offset in found.items()}

    def end_offsets(self) -> dict[Partition, int]:
        """Return the offset behind the newest record of each partition. Raises KafkaProblem."""
        found = self._ask(self._consumer.end_offsets, self._partitions)
        return {Partition(one.topic, one.partition): offset for one, offset in found.items()}

    def offsets_at(self, timestamp_ms: int) -> dict[Partition, int]:
        """Return of each partition the offset of the first record that came then or later, or its end.

        Times are those of Kafka's records, in milliseconds. Raises KafkaProblem.
        """
        found = self.end_offsets()
        asked = dict.fromkeys(self._partitions, max(0, timestamp_ms))
        for one, place in self._ask(self._consumer.offsets_for_times, asked).items():
            if place is not None:
                found[Partition(one.topic, one.partition)] = place.offset
        return found

    def next_offsets(self) -> dict[Partition, int]:
        """Return the offset of each partition that is read next. Raises KafkaProblem."""
        return {Partition(one.topic, one.partition): self._position(one) for one in self._partitions}

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
                self._pass_over(error)
                if time.monotonic() > deadline:
                    raise UnreachableError(f"{self._where} does not answer ({error})") from None
            time.sleep(RETRY_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
