"""Which offset may be committed. Pure; one ledger per assigned partition, dropped when it is revoked.

Only the unbroken prefix of finished offsets is committable: that is what "at least once" rests on.
"""

from collections import OrderedDict, deque

from groundcam_schemas import FrameId

MAX_CAMERAS = 1000


class OffsetLedger:
    """Offsets are begun in rising order and finished in any; some may be missing (Kafka's own markers)."""

    def __init__(self, last: dict[str, tuple[str, int]] | None = None) -> None:
        """`last` is each camera's newest frame that was finished before, as (run, seq)."""
        self._open: set[int] = set()
        self._ahead: set[int] = set()
        self._order: deque[tuple[int, FrameId | None]] = deque()
        self._next = 0
        self.last: OrderedDict[str, tuple[str, int]] = OrderedDict(last or {})
        """Of each camera the newest frame of the finished prefix, for the commit note."""

    @property
    def end(self) -> int:
        """The end of the finished prefix: every offset below it is finished. May be asked for from any thread."""
        try:
            return self._order[0][0]
        except IndexError:
            return self._next

    @property
    def next_offset(self) -> int:
        """The smallest offset that can be begun."""
        return self._next

    def begin(self, offset: int, frame: FrameId | None = None) -> None:
        """Note that an offset was taken, and whose frame it is. Raises ValueError unless it is above those before."""
        if offset < self._next:
            raise ValueError(f"offset {offset} was begun after {self._next - 1}")
        self._open.add(offset)
        self._order.append((offset, frame))
        self._next = offset + 1

    def finish(self, offset: int) -> int | None:
        """Note that an offset is answered; return the next offset to read if the prefix grew.

        Raises KeyError when the offset is not open.
        """
        self._open.remove(offset)
        self._ahead.add(offset)
        if self._order[0][0] != offset:
            return None
        while self._order and self._order[0][0] not in self._open:
            finished, frame = self._order.popleft()
            self._ahead.discard(finished)
            self._remember(frame)
        return self.end

    def is_open(self, offset: int) -> bool:
        """Whether an offset is begun and not finished."""
        return offset in self._open

    @property
    def open_offsets(self) -> frozenset[int]:
        """The offsets that are begun and not finished."""
        return frozenset(self._open)

    @property
    def ahead(self) -> frozenset[int]:
        """The offsets that are finished although one before them is not."""
        return frozenset(self._ahead)

    @property
    def open_count(self) -> int:
        """How many offsets are begun and not finished."""
        return len(self._open)

    def _remember(self, frame: FrameId | None) -> None:
        if frame is None:
            return
        run_id, seq = self.last.get(frame.camera_id, ("", -1))
        if run_id == frame.run_id and seq > frame.seq:
            return  # a replayed frame is not news
        self.last[frame.camera_id] = frame.run_id, frame.seq
        self.last.move_to_end(frame.camera_id)
        if len(self.last) > MAX_CAMERAS:
            self.last.popitem(last=False)
