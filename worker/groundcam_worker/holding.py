"""One partition that is ours, for as long as it is."""

from dataclasses import dataclass

from groundcam_runtime.records import Position
from groundcam_worker.bookmark import Bookmark
from groundcam_worker.continuity import Continuity
from groundcam_worker.offsets import OffsetLedger


@dataclass(eq=False, slots=True)
class Holding:
    """One partition in one tenure."""

    tenure: int
    ledger: OffsetLedger
    continuity: Continuity
    suspects_end: int | None = 0
    """Frames below this offset may have been in flight when a worker died: they are tried alone.

    None until the first one comes, where nobody could say how the partition was left.
    """
    start: int | None = None
    """The offset that it was taken on at, where that is known."""

    @property
    def end(self) -> int | None:
        """The offset before which everything is answered, where that is known."""
        return self.ledger.end if self.ledger.next_offset else self.start

    def position(self, offset: int) -> Position:
        """Return what to commit: the next offset, with what is known of the frames before it."""
        last = self.ledger.last
        return Position(
            offset,
            Bookmark(in_use=True, last=last).text(),
            Bookmark(in_use=False, last=last).text(),
            self.tenure,
        )
