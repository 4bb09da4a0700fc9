"""The state of one assigned partition, for one assignment epoch."""

from dataclasses import dataclass, field

from groundcam_runtime.partitions.commit_note import CommitNote
from groundcam_runtime.partitions.offsets import MAX_CAMERAS, OffsetLedger
from groundcam_runtime.partitions.sequence import SequenceGaps
from groundcam_runtime.records import Partition, Position


@dataclass(eq=False, slots=True)
class PartitionState:
    """One partition in one assignment epoch."""

    epoch: int
    ledger: OffsetLedger
    sequence: SequenceGaps
    suspects_end: int | None = 0
    """Frames below this offset may have been in flight when a worker died: they go into quarantine.

    None until the first one comes, where it is unknown how the partition was left.
    """
    start: int | None = None
    """The offset that it was taken on at, where that is known."""
    clocks: dict[str, int] = field(default_factory=dict)
    """Of cameras whose clocks are wrong, the delay of their frames on the shortest path, in ms."""
    is_leaving: bool = False
    """It is about to be another member's: what Kafka has of it counts, and nothing more is begun."""
    answered: frozenset[int] = frozenset()
    """Offsets behind `start` that an earlier owner has answered."""
    notes_ahead: bool = False
    """Whether what is finished ahead of others is on Kafka, and so may be noted."""

    @property
    def end(self) -> int | None:
        """The offset before which everything is answered, where that is known."""
        return self.ledger.end if self.ledger.next_offset else self.start

    def note_clock(self, camera_id: str, delay_ms: int | None) -> None:
        """Set a camera's clock error for the next commit note; None where the clock is right, or unknown."""
        self.clocks.pop(camera_id, None)
        if delay_ms is not None:
            self.clocks[camera_id] = delay_ms
            if len(self.clocks) > MAX_CAMERAS:
                del self.clocks[next(iter(self.clocks))]

    def position(self, offset: int) -> Position:
        """Return what to commit: the next offset, with what is known of the frames before it."""
        # A note that was found truncated stays so: what is added to it does not bring the others back.
        last, whole = self.ledger.last, self.sequence.whole
        behind = (self.ledger.ahead | self.answered) if self.notes_ahead else ()
        ahead = tuple(sorted(one - offset for one in behind if one > offset))
        note, farewell = CommitNote(last=last, whole=whole, clocks=self.clocks, ahead=ahead).texts()
        # Whoever comes after one that did not get to every suspect has to try the others.
        tried = self.suspects_end is not None and offset >= self.suspects_end
        return Position(offset, note, farewell if tried else note, self.epoch)


@dataclass(frozen=True, eq=False, slots=True)
class Claim:
    """A record that is ours to answer for as long as its partition is, without a break."""

    partition: Partition
    offset: int
    state: PartitionState
