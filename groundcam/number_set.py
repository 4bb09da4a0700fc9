"""Sets of whole numbers that grow: a week of frames in a few bytes, and the worst order of holes in two bits a number.

Numbers lie in blocks of 1,024. Blocks that are full are kept as ranges, so that a gap of ten million frames costs no
more than one of two; a block with holes is one bit for each number, so that every second frame costs no more than
every third.
"""

from bisect import bisect_right
from collections.abc import Iterator
from heapq import merge
from operator import itemgetter
from typing import Self

from groundcam.intervals import Intervals

BLOCK_BITS = 10
BLOCK = 1 << BLOCK_BITS
FULL = (1 << BLOCK) - 1
FIRST, LAST = itemgetter(0), itemgetter(1)


class NumberSet:
    """A set of numbers from 0 on."""

    __slots__ = ("_full", "_masks")

    def __init__(self) -> None:
        self._full: list[tuple[int, int]] = []
        """Sorted ranges of block numbers that do not touch, both ends included."""
        self._masks: dict[int, int] = {}
        """Of every other block that is not empty, a bit for each of its numbers."""

    def add(self, number: int) -> bool:
        """Add a number; return whether it is new."""
        block, bit = number >> BLOCK_BITS, 1 << (number & (BLOCK - 1))
        mask = self._masks.get(block)
        if mask is None:
            if self._is_full(block):
                return False
            self._masks[block] = bit
        elif mask & bit:
            return False
        elif mask | bit == FULL:
            self._fill(block, block)
        else:
            self._masks[block] = mask | bit
        return True

    def add_range(self, first: int, last: int) -> None:
        """Add every number from `first` to `last`, both included."""
        begin, end = first >> BLOCK_BITS, last >> BLOCK_BITS
        head, tail = FULL & (FULL << (first & (BLOCK - 1))), FULL >> (BLOCK - 1 - (last & (BLOCK - 1)))
        if begin == end:
            self._add_mask(begin, head & tail)
            return
        self._add_mask(begin, head)
        self._add_mask(end, tail)
        if end - begin > 1:
            self._fill(begin + 1, end - 1)

    @property
    def count(self) -> int:
        """How many numbers there are; `len` would end at 2^63."""
        return BLOCK * sum(last - first + 1 for first, last in self._full) + sum(
            mask.bit_count() for mask in self._masks.values()
        )

    @property
    def bounds(self) -> tuple[int, int] | None:
        """The smallest and the largest number; None where there is none."""
        ends = [
            (block * BLOCK + (mask & -mask).bit_length() - 1, block * BLOCK + mask.bit_length() - 1)
            for block, mask in self._masks.items()
        ]
        ends += [(first * BLOCK, last * BLOCK + BLOCK - 1) for first, last in (*self._full[:1], *self._full[-1:])]
        return (min(ends)[0], max(map(LAST, ends))) if ends else None

    def __bool__(self) -> bool:
        return bool(self._full or self._masks)

    def __contains__(self, number: int) -> bool:
        mask = self._masks.get(number >> BLOCK_BITS)
        if mask is None:
            return self._is_full(number >> BLOCK_BITS)
        return mask >> (number & (BLOCK - 1)) & 1 == 1

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers, smallest first."""
        for block, mask in merge(
            sorted(self._masks.items()),
            ((block, FULL) for first, last in self._full for block in range(first, last + 1)),
        ):
            yield from (block * BLOCK + bit for bit in range(BLOCK) if mask >> bit & 1)

    def __or__(self, other: Self) -> Self:
        joined = type(self)()
        joined._full, joined._masks = self._full.copy(), self._masks.copy()
        for first, last in other._full:
            joined._fill(first, last)
        for block, mask in other._masks.items():
            joined._add_mask(block, mask)
        return joined

    def __sub__(self, other: Self) -> Self:
        left = type(self)()
        touched = Intervals.of_numbers(other._masks)
        left._full = [*(self._blocks - other._blocks - touched).ranges]
        for block, mask in self._masks.items():
            if remaining := mask & ~other._mask(block):
                left._masks[block] = remaining
        for block, mask in other._masks.items():
            if self._is_full(block):
                left._masks[block] = FULL & ~mask
        return left

    def __and__(self, other: Self) -> Self:
        return self - (self - other)

    @property
    def _blocks(self) -> Intervals:
        return Intervals(tuple(self._full))

    def _mask(self, block: int) -> int:
        mask = self._masks.get(block)
        if mask is None:
            return FULL if self._is_full(block) else 0
        return mask

    def _is_full(self, block: int) -> bool:
        place = bisect_right(self._full, block, key=FIRST) - 1
        return place >= 0 and self._full[place][1] >= block

    def _add_mask(self, block: int, mask: int) -> None:
        joined = self._mask(block) | mask
        if joined != FULL:
            self._masks[block] = joined
        elif not self._is_full(block):
            self._fill(block, block)

    def _fill(self, first: int, last: int) -> None:
        """Make blocks full, and join them with their neighbours."""
        if len(self._masks) <= last - first:
            self._masks = {block: mask for block, mask in self._masks.items() if not first <= block <= last}
        else:
            for block in range(first, last + 1):
                self._masks.pop(block, None)
        begin = bisect_right(self._full, first - 2, key=LAST)
        end = bisect_right(self._full, last + 1, key=FIRST)
        if begin < end:
            first, last = min(first, self._full[begin][0]), max(last, self._full[end - 1][1])
        self._full[begin:end] = [(first, last)]
