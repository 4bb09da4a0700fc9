"""Rows of whole numbers in the order in which they came, packed once there are many: mostly they count up."""

import zlib
from array import array
from collections.abc import Iterator
from itertools import accumulate
from operator import sub

ROWS = 1024
"""In a packed portion."""
LEVEL = 1
"""Of zlib: differences that are mostly the same pack well with little work."""


class PackedRows:
    """Rows of `columns` numbers from 0 to 2^63 - 1 each."""

    __slots__ = ("_columns", "_open", "_packed")

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._open = array("q")
        self._packed: list[tuple[int, int, bytes]] = []
        """The smallest and the largest number of the first column, and the portion's columns of differences."""

    def append(self, *row: int) -> None:
        """Add a row."""
        self._open.extend(row)
        if len(self._open) == ROWS * self._columns:
            first = self._open[:: self._columns]
            columns = (self._open[place :: self._columns] for place in range(self._columns))
            differences = b"".join(array("q", map(sub, one, (0, *one))).tobytes() for one in columns)
            self._packed.append((min(first), max(first), zlib.compress(differences, LEVEL)))
            self._open = array("q")

    def rows(self, lowest: int, highest: int) -> Iterator[tuple[int, ...]]:
        """Yield every row whose first number lies between these, both included, in the order in which they came."""
        for smallest, largest, packed in self._packed:
            if smallest <= highest and largest >= lowest:
                differences = array("q", zlib.decompress(packed))
                columns = [differences[start : start + ROWS] for start in range(0, len(differences), ROWS)]
                rows = zip(*map(accumulate, columns), strict=True)
                yield from (row for row in rows if lowest <= row[0] <= highest)
        rows_left = zip(*(self._open[place :: self._columns] for place in range(self._columns)), strict=True)
        yield from (row for row in rows_left if lowest <= row[0] <= highest)
