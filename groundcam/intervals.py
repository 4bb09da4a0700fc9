"""Sets of whole numbers as ranges, so that a gap of ten million frames costs no more than one of two."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Intervals:
    """Sorted ranges that do not touch, both ends included."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> Self:
        """Join ranges in any order, overlapping or not."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(merged[-1][1], last)
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    @classmethod
    def of_numbers(cls, numbers: Iterable[int]) -> Self:
        """Join single numbers to ranges."""
        return cls.of((number, number) for number in numbers)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __or__(self, other: Self) -> Self:
        return self.of((*self.ranges, *other.ranges))

    def __sub__(self, other: Self) -> Self:
        left: list[tuple[int, int]] = []
        holes = iter(other.ranges)
        hole = next(holes, None)
        for first, last in self.ranges:
            start = first
            while hole is not None and hole[0] <= last:
                if hole[1] >= start:
                    if hole[0] > start:
                        left.append((start, hole[0] - 1))
                    start = hole[1] + 1
                if hole[1] > last:
                    break  # it reaches into the next range
                hole = next(holes, None)
            if start <= last:
                left.append((start, last))
        return type(self)(tuple(left))

    def __and__(self, other: Self) -> Self:
        return self - (self - other)

    def first_numbers(self, count: int) -> list[int]:
        """Return the smallest numbers."""
        found: list[int] = []
        for first, last in self.ranges:
            found += range(first, min(last, first + count - len(found) - 1) + 1)
            if len(found) == count:
                break
        return found
