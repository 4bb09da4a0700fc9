"""What the loop asks of where frames come from, so that polling can move to a process of its own."""

from collections.abc import Mapping
from typing import Protocol

from groundcam_runtime.records import Event, Partition, Position


class Source(Protocol):
    """Where frames come from."""

    failure: str | None
    """Why nothing will come any more, if so."""
    polled_at: float
    """When it last listened (monotonic)."""
    heard_at: float
    """When it last heard of Kafka (monotonic)."""
    silence_s: float
    """So long after `heard_at` it is clear that nobody answers."""

    def take(self) -> Event | None:
        """Return what came next, or None."""

    def commit(self, positions: Mapping[Partition, Position], *, written: bool = False) -> None:
        """Let these be the next offsets to read; `written` if Kafka has them already."""

    def pause(self) -> None:
        """Take no more."""
