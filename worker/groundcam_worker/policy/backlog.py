"""Frames that wait to be decoded: fair over cameras, and the newest first where one has fallen behind. Pure.

Cameras take turns, so that one of 30 frames a second cannot starve one of one. A camera whose oldest frame is stale
has fallen behind: from then on, until it has kept up for `calm_s`, a frame that has a newer one beside it waits for a
moment at most. So it is answered evenly, with frames that are new, instead of with frames that are nearly stale.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE = 0.1
"""How long a frame of a camera that is behind waits beside a newer one, as a share of `calm_s`."""


@dataclass(slots=True)
class _Waiting(Generic[T]):
    item: T
    size: int
    since: float


class Backlog(Generic[T]):
    """Lines of frames, one for each camera of a partition."""

    def __init__(self, is_stale: Callable[[T], bool], calm_s: float) -> None:
        """`is_stale` decides whether a frame is stale now; of frames that never are, none is ever skipped."""
        self._is_stale = is_stale
        self._calm_s = calm_s
        self._lines: OrderedDict[Hashable, deque[_Waiting[T]]] = OrderedDict()  # whose turn it is comes first
        self._behind_until: dict[Hashable, float] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    @property
    def items(self) -> list[T]:
        """Everything that waits."""
        return [one.item for line in self._lines.values() for one in line]

    def push(self, item: T, *, line: Hashable, size: int, now: float) -> None:
        """Add a frame of `size` bytes at the end of its line."""
        self._lines.setdefault(line, deque()).append(_Waiting(item, size, now))
        self.bytes += size

    def shed(self, now: float) -> list[T]:
        """Take out, in order, what is stale, and what has waited beside a newer frame of a camera that is behind."""
        self._behind_until = {line: until for line, until in self._behind_until.items() if until > now}
        return [item for line in list(self._lines) for item in self._shed_line(line, now)]

    def peek(self) -> T | None:
        """Return what `pop` would."""
        return next(iter(self._lines.values()))[0].item if self._lines else None

    def pop(self) -> T:
        """Take the next frame of the camera whose turn it is. Raises KeyError when none waits."""
        line, waiting = self._lines.popitem(last=False)
        if len(waiting) > 1:
            self._lines[line] = waiting
        return self._take(waiting)

    def drop(self, is_gone: Callable[[T], bool]) -> None:
        """Drop frames whose partitions were revoked."""
        for line, waiting in list(self._lines.items()):
            kept = deque(one for one in waiting if not is_gone(one.item))
            self.bytes -= sum(one.size for one in waiting) - sum(one.size for one in kept)
            if kept:
                self._lines[line] = kept
            else:
                del self._lines[line]

    def _shed_line(self, line: Hashable, now: float) -> list[T]:
        waiting = self._lines[line]
        if line not in self._behind_until and not self._is_stale(waiting[0].item):
            return []
        patience_s = PATIENCE * self._calm_s
        shed: list[T] = []
        while waiting and (
            self._is_stale(waiting[0].item) or (len(waiting) > 1 and now - waiting[0].since > patience_s)
        ):
            shed.append(self._take(waiting))
        # Whoever is never calm again is told by its oldest frame alone, and not remembered by its name for ever.
        if shed and math.isfinite(self._calm_s):
            self._behind_until[line] = now + self._calm_s
        if not waiting:
            del self._lines[line]
        return shed

    def _take(self, waiting: deque[_Waiting[T]]) -> T:
        one = waiting.popleft()
        self.bytes -= one.size
        return one.item
