"""Group frames into micro-batches of one input shape, by count or age. Pure: the caller owns the clock.

A batch is ready when it is full, or when its *oldest* item has waited `max_wait_s`. Batches leave in the order
of their oldest items, and items of one lane (a camera's frames) leave in the order in which they came, also when
the shape changes in between.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Group(Generic[T]):
    shape: Hashable
    since: float
    items: list[T] = field(default_factory=list)
    lanes: set[Hashable] = field(default_factory=set)
    closed: bool = False


class Batcher(Generic[T]):
    """Collects items until a batch of them is ready."""

    def __init__(self, max_items: int, max_wait_s: float) -> None:
        """Raises ValueError for a size below one or a negative wait."""
        if max_items < 1 or max_wait_s < 0:
            raise ValueError(f"no batch of {max_items} items can wait {max_wait_s} s")
        self._max_items = max_items
        self._max_wait_s = max_wait_s
        self._groups: list[_Group[T]] = []  # in the order of their oldest items

    def __len__(self) -> int:
        return sum(len(group.items) for group in self._groups)

    @property
    def deadline(self) -> float | None:
        """When the next batch will be ready at the latest; None while nothing waits."""
        return self._groups[0].since + self._max_wait_s if self._groups else None

    def push(self, item: T, *, shape: Hashable, lane: Hashable, now: float, max_items: int | None = None) -> None:
        """Add an item. `max_items` is that of its shape, where it is smaller."""
        first = 0
        for index, group in enumerate(self._groups):
            # An item may not overtake an earlier one of its lane that waits under another shape: that group
            # takes no more, and the item joins none that leaves before it.
            if lane in group.lanes:
                first = index
                group.closed |= group.shape != shape
        later = self._groups[first:]
        joined = next((one for one in later if one.shape == shape and not one.closed), None)
        if joined is None:
            joined = _Group(shape, now)
            self._groups.append(joined)
        joined.items.append(item)
        joined.lanes.add(lane)
        joined.closed = len(joined.items) >= min(self._max_items, max_items or self._max_items)

    @property
    def items(self) -> list[T]:
        """Everything that waits."""
        return [item for group in self._groups for item in group.items]

    def pop(self, *, now: float) -> list[T] | None:
        """Take a batch that is ready, or None. A full batch may pass one that still waits for more."""
        for group in self._groups:
            if group.closed or now >= group.since + self._max_wait_s:
                return self._take(group)
        return None

    def pop_any(self) -> list[T] | None:
        """Take the oldest batch whether it is ready or not: for a shutdown."""
        return self._take(self._groups[0]) if self._groups else None

    def _take(self, group: _Group[T]) -> list[T]:
        self._groups.remove(group)
        return group.items
