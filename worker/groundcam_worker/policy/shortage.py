"""Work for which there was too little memory: when to retry, and when to give up. Pure.

A neighbour may take a device's memory for a while, so that even a batch of one picture does not fit. That is no fault
of the picture. It waits and is retried; only when it has failed for `PATIENCE_S` is somebody to blame: the picture or
its question, if others were answered meanwhile, else the device.
"""

from collections.abc import Callable, Hashable
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")

FIRST_S = 0.5
LONGEST_S = 8.0
PATIENCE_S = 60.0


class Verdict(Enum):
    """What becomes of work that did not fit."""

    RETRY = "retry"
    ITS_FAULT = "its fault"
    DEVICE_EXHAUSTED = "device exhausted"


class Shortage(Generic[T]):
    """Keeps what waits for a retry."""

    def __init__(self) -> None:
        self._first: dict[Hashable, tuple[float, float]] = {}
        """By key: when it failed first, and the pause before its next attempt."""
        self._waiting: list[tuple[float, T]] = []
        self._succeeded_at = float("-inf")

    @property
    def waiting(self) -> list[T]:
        """What waits for its next attempt."""
        return [item for _, item in self._waiting]

    @property
    def deadline(self) -> float | None:
        """When the next attempt is due."""
        return min((due for due, _ in self._waiting), default=None)

    def succeeded(self, now: float) -> None:
        """Other work fitted."""
        self._succeeded_at = now

    def failed(self, item: T, key: Hashable, now: float) -> Verdict:
        """Note that an item did not fit; with ITS_FAULT it is the caller's to end, else it waits here."""
        first, pause = self._first.get(key, (now, FIRST_S))
        is_over = now - first >= PATIENCE_S
        if is_over and self._succeeded_at > first:
            return Verdict.ITS_FAULT
        self._first[key] = first, min(2 * pause, LONGEST_S)
        self._waiting.append((now + pause, item))
        return Verdict.DEVICE_EXHAUSTED if is_over else Verdict.RETRY

    def due(self, now: float) -> list[T]:
        """Take out what is due for a retry."""
        ready = [item for due, item in self._waiting if due <= now]
        self._waiting = [one for one in self._waiting if one[0] > now]
        return ready

    def defer(self, item: T, now: float) -> None:
        """There is no room for an item yet that was due."""
        self._waiting.append((now + FIRST_S, item))

    def remove(self, is_gone: Callable[[T], bool]) -> None:
        """Drop what waits and need not be tried again."""
        self._waiting = [one for one in self._waiting if not is_gone(one[1])]

    def forget(self, key: Hashable) -> None:
        """This work is through."""
        self._first.pop(key, None)
