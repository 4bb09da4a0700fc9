"""What the loop asks of where frames come from, so that polling can move to a process of its own."""

from collections.abc import Mapping
from typing import Protocol

from groundcam_runtime.records import Event, Partition


class Source(Protocol):
    """Where frames come from."""

    lag: dict[Partition, int]
    failure: str | None
    """Why nothing will come any more, if so."""
    polled_at: float
    """When it last listened (monotonic)."""

    def take(self) -> Event | None:
        """Return what came next, or None."""

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Let these be the next offsets to read."""

    def pause(self) -> None:
        """Take no more."""
