"""What comes from Kafka, without Kafka: records, and assignments and revocations of partitions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

Header = tuple[str, bytes]


class ForeignName(str):
    """A header's name that is not UTF-8: text for people, and sent again as it came."""

    __slots__ = ("_raw",)
    _raw: bytes

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """Return the name in these bytes."""
        name = cls(raw.decode("utf-8", "replace"))
        name._raw = raw
        return name

    def encode(self, *_encoding: object, **_named: object) -> bytes:
        """Return the bytes as they came, whatever encoding is asked for."""
        return self._raw


class _NoValue(bytes):
    """No bytes, where a null was."""


NO_VALUE = _NoValue()
"""A header's value that is null: empty for whoever reads it, and sent again as a null."""

BATCH_BYTES = 61
"""A batch's own, of which a large record has one to itself (Kafka's record format, version 2)."""
VARINT_BYTES = 5
"""At most; each length is written as one."""
RECORD_BYTES = 1 + 10 + 5 * VARINT_BYTES
"""A record's own: attributes, a time, and five numbers."""


class Partition(NamedTuple):
    """A topic and one of its partitions."""

    topic: str
    number: int


LOG_APPEND_TIME = 1
"""Of a record's time stamp: the broker's, not the sender's (Kafka's attribute bit)."""
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Consumed:
    """One record as it came."""

    partition: Partition
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    consumed_at_ns: int
    behind: int = 0
    """How many records of its partition came after it, when it was taken."""
    monotonic_ns: int | None = None
    """When it was taken, by the monotonic clock."""
    appended_at_ns: int | None = None
    """When it was appended, by the broker's clock; None where the topic keeps the time that its sender gave."""
    waited_at_least_s: float = 0.0
    """At least so long it lay on Kafka, by our own clock, before it was taken."""
    waited_at_most_s: float | None = None
    """It lay there no longer, by our own clock; None where it came before we first looked at its partition's end."""

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to read, and a note that is kept beside it (Kafka's commit metadata, 4 KB by default)."""

    offset: int
    note: str = ""
    farewell: str = ""
    """The note to leave there instead when the partition is revoked in order."""
    epoch: int = 0
    """The assignment epoch: what was answered in an earlier one is not valid in a later one."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """These partitions are ours from now on, with what was committed of each; None where nothing is known."""

    partitions: Mapping[Partition, Position | None]
    epoch: int = 0
    """Counts up: a partition that leaves and comes back is ours in another epoch."""


@dataclass(frozen=True, slots=True)
class Gone:
    """These partitions are another member's: what is in flight of them is not ours to answer or commit."""

    partitions: frozenset[Partition]


Event = Consumed | Assigned | Gone


def record_bytes(key: bytes | None, value: bytes | None, headers: Iterable[Header]) -> int:
    """Return how many bytes a record takes on Kafka at most, sent by itself and not compressed.

    That is what a topic's `max.message.bytes` is compared with.
    """
    named = sum(len(name.encode()) + len(content) + 2 * VARINT_BYTES for name, content in headers)
    return BATCH_BYTES + RECORD_BYTES + len(key or b"") + len(value or b"") + named


def consumed(
    record: Any,
    now_ns: int,
    end_offset: int | None = None,
    *,
    monotonic_ns: int | None = None,
    waited_s: tuple[float, float | None] = (0.0, None),
) -> Consumed:
    """Return the Kafka client's record as one of ours. `waited_s` is how long it lay there, at least and at most."""
    return Consumed(
        partition=Partition(record.topic, record.partition),
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple((name, NO_VALUE if value is None else value) for name, value in record.headers or ()),
        consumed_at_ns=now_ns,
        behind=max(0, end_offset - record.offset - 1) if end_offset is not None else 0,
        monotonic_ns=monotonic_ns,
        appended_at_ns=record.timestamp * NS_PER_MS if record.timestamp_type == LOG_APPEND_TIME else None,
        waited_at_least_s=waited_s[0],
        waited_at_most_s=waited_s[1],
    )
