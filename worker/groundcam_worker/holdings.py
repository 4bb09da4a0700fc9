"""The partitions that are ours, and what of each is open. Pure."""

from collections.abc import Iterable

from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_schemas import FrameId
from groundcam_worker.bookmark import Bookmark, read_bookmark
from groundcam_worker.continuity import Continuity
from groundcam_worker.holding import Holding
from groundcam_worker.item import Item
from groundcam_worker.offsets import OffsetLedger


class Holdings:
    """Knows of each frame whether it is still ours. What is not, the next owner answers."""

    def __init__(self, suspects: int) -> None:
        """`suspects` is how many frames of a partition a worker may have had in flight when it died."""
        self._suspects = suspects
        self._held: dict[Partition, Holding] = {}

    def __len__(self) -> int:
        return len(self._held)

    @property
    def open_count(self) -> int:
        """How many frames are begun and not answered."""
        return sum(holding.ledger.open_count for holding in self._held.values())

    def ends(self) -> dict[Partition, int]:
        """Return the offset before which everything is answered, of each partition of which it is known.

        May be called from any thread.
        """
        known = {partition: one.end for partition, one in dict(self._held).items()}
        return {partition: end for partition, end in known.items() if end is not None}

    def arrive(self, event: Assigned) -> dict[Partition, Position]:
        """Take partitions on; return how each stands, where that is known."""
        stand: dict[Partition, Position] = {}
        for partition, found in event.partitions.items():
            bookmark = read_bookmark(found.note) if found else Bookmark()
            start = found.offset if found else None
            suspects_end = None if start is None else start + self._suspects if bookmark.in_use else 0
            holding = Holding(
                event.tenure,
                OffsetLedger(dict(bookmark.last)),
                Continuity(start, bookmark.last, whole=bookmark.whole),
                suspects_end,
                start,
            )
            self._held[partition] = holding
            if start is not None:
                stand[partition] = holding.position(start)
        return stand

    def leave(self, event: Gone) -> None:
        """Give partitions up."""
        for partition in event.partitions:
            self._held.pop(partition, None)

    def begin(self, record: Consumed, frame: FrameId | None) -> Holding | None:
        """Note that a record was taken; None where its partition has left: the next owner reads it."""
        holding = self._held.get(record.partition)
        if holding is not None and record.offset < holding.ledger.next_offset:
            # The topic was made anew, or its log was cut: what came before is not there to be committed.
            holding = Holding(holding.tenure, OffsetLedger(), Continuity(record.offset, {}))
            self._held[record.partition] = holding
        if holding is not None:
            if holding.suspects_end is None:
                holding.suspects_end = record.offset + self._suspects
            holding.ledger.begin(record.offset, frame)
        return holding

    def is_mine(self, item: Item) -> bool:
        """Whether a frame's partition is still ours, without a break since it was taken."""
        return self._held.get(item.record.partition) is item.holding

    def finish(self, items: Iterable[Item]) -> dict[Partition, Position]:
        """Note that frames are answered; return what may be committed now that could not be before."""
        ends: dict[Partition, int] = {}
        for item in items:
            if self.is_mine(item) and not item.finished:
                item.finished = True
                end = item.holding.ledger.finish(item.record.offset)
                if end is not None:
                    ends[item.record.partition] = end
        return {partition: self._held[partition].position(end) for partition, end in ends.items()}
