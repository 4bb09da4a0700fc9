"""Which offset may be committed. Pure; one ledger per assigned partition, dropped when it leaves.

Only the unbroken prefix of finished offsets is committable: that is what "at least once" rests on.
"""

from collections import deque


class OffsetLedger:
    """Offsets are begun in rising order and finished in any; some may be missing (Kafka's own markers)."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._order: deque[int] = deque()
        self._next = 0

    @property
    def next_offset(self) -> int:
        """The smallest offset that can be begun."""
        return self._next

    def begin(self, offset: int) -> None:
        """Note that an offset was taken. Raises ValueError when it is not above the ones before."""
        if offset < self._next:
            raise ValueError(f"offset {offset} was begun after {self._next - 1}")
        self._next = offset + 1
        self._open.add(offset)
        self._order.append(offset)

    def finish(self, offset: int) -> int | None:
        """Note that an offset is answered; return the next offset to read if the prefix grew.

        Raises KeyError when the offset is not open.
        """
        self._open.remove(offset)
        if self._order[0] != offset:
            return None
        while self._order and self._order[0] not in self._open:
            self._order.popleft()
        return self._order[0] if self._order else self._next

    @property
    def open_count(self) -> int:
        """How many offsets are begun and not finished."""
        return len(self._open)
