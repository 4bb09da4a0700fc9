"""Work that ends in any order, given back in order within each lane. Pure.

One slow piece blocks what follows it in its own lane (head-of-line blocking), and nothing else.
"""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)
R = TypeVar("R")


class Lanes(Generic[T, R]):
    """Remembers what was begun in each lane, and the results that wait for an earlier one."""

    def __init__(self) -> None:
        self._begun: dict[Hashable, deque[T]] = {}
        self._results: dict[T, R] = {}

    def __len__(self) -> int:
        return sum(map(len, self._begun.values()))

    @property
    def items(self) -> list[T]:
        """Everything that was begun and not given back."""
        return [item for lane in self._begun.values() for item in lane]

    def begin(self, item: T, lane: Hashable) -> None:
        """Add an item behind those of its lane."""
        self._begun.setdefault(lane, deque()).append(item)

    def done(self, item: T, lane: Hashable, result: R) -> list[tuple[T, R]]:
        """Note a result; return those of the lane that no earlier one blocks any more."""
        self._results[item] = result
        begun, ready = self._begun[lane], []
        while begun and begun[0] in self._results:
            first = begun.popleft()
            ready.append((first, self._results.pop(first)))
        if not begun:
            del self._begun[lane]
        return ready
