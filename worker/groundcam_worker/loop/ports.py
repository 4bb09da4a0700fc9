"""The interfaces of the loop: a source of frames, and a sink of answers."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from groundcam_runtime.kafka.publisher import Delivery
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Event, Partition, Position


class Source(Protocol):
    """Where frames come from."""

    failure: str | None
    """Why nothing will come any more, if so."""
    polled_at: float
    """When it last polled (monotonic, s)."""
    heard_at: float
    """When a broker last answered (monotonic, s)."""
    silence_s: float
    """So long after `heard_at` it is clear that nobody answers."""

    leaving: frozenset[Partition]
    """Partitions whose revocation waits for `hand_over`; a new set for each revocation."""

    def take(self) -> Event | None:
        """Return what came next, or None."""

    def commit(self, positions: Mapping[Partition, Position], *, written: bool = False) -> None:
        """Let these be the next offsets to read; `written` if Kafka has them already."""

    def hand_over(self, partitions: frozenset[Partition]) -> None:
        """Let `leaving` go: everything that was published of them is noted by `commit`."""

    def pause(self) -> None:
        """Take no more."""


class AnswerSink(Protocol):
    """What takes answers, gaps and dead letters: each acknowledged by itself, or in transactions with the offsets."""

    @property
    def is_full(self) -> bool:
        """Backpressure: whether so much waits that no more frames should be begun."""

    @property
    def unfinished(self) -> int:
        """How many records Kafka has not acknowledged."""

    @property
    def waiting_bytes(self) -> int:
        """Their bytes."""

    def has_room(self, size: int) -> bool:
        """Whether a record of this size may be sent now."""

    def send(self, record: Record, tag: Any = None) -> Delivery:
        """Take a record. Raises RecordTooLargeError."""

    def poll(self) -> Sequence[Delivery]:
        """Return what is finished since the last call. Raises TransactionLostError."""

    def close(self) -> None:
        """Stop; what is unfinished is of unknown fate."""
