"""The partitions assigned to us, and the open records of each. Pure."""

from collections.abc import Iterable

from groundcam_runtime.partitions.commit_note import CommitNote, read_note
from groundcam_runtime.partitions.offsets import OffsetLedger
from groundcam_runtime.partitions.partition import Claim, PartitionState
from groundcam_runtime.partitions.sequence import SequenceGaps
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_schemas import FrameId


class Assignment:
    """Knows of each frame whether its partition is still assigned to us. If not, the next owner answers it."""

    def __init__(self, suspects: int, *, notes_ahead: bool = False) -> None:
        """`suspects` is how many frames of a partition a worker may have had in flight when it died.

        `notes_ahead`: what is finished behind an open record is noted beside the offset, and believed when found there.
        """
        self._suspects = suspects
        self._notes_ahead = notes_ahead
        self._states: dict[Partition, PartitionState] = {}

    def __len__(self) -> int:
        return len(self._states)

    @property
    def open_count(self) -> int:
        """How many frames are begun and not answered."""
        return sum(state.ledger.open_count for state in self._states.values())

    @property
    def open_records(self) -> set[tuple[Partition, int]]:
        """Those records, as partition and offset."""
        return {(partition, offset) for partition, one in self._states.items() for offset in one.ledger.open_offsets}

    def ends(self) -> dict[Partition, int]:
        """Return the offset before which everything is answered, of each partition of which it is known.

        May be called from any thread.
        """
        known = {partition: one.end for partition, one in dict(self._states).items()}
        return {partition: end for partition, end in known.items() if end is not None}

    def arrive(self, event: Assigned) -> dict[Partition, Position]:
        """Take partitions on; return the position of each, where it is known."""
        positions: dict[Partition, Position] = {}
        for partition, found in event.partitions.items():
            note = read_note(found.note) if found else CommitNote()
            start = found.offset if found else None
            suspects_end = None if start is None else start + self._suspects if note.in_use else 0
            state = PartitionState(
                event.epoch,
                OffsetLedger(dict(note.last)),
                SequenceGaps(start, note.last, whole=note.whole),
                suspects_end,
                start,
                dict(note.clocks),
                answered=frozenset(start + one for one in note.ahead if self._notes_ahead)
                if start is not None
                else frozenset(),
                notes_ahead=self._notes_ahead,
            )
            self._states[partition] = state
            if start is not None:
                positions[partition] = state.position(start)
        return positions

    def prepare_to_leave(self, partitions: Iterable[Partition]) -> None:
        """Begin nothing more of partitions that are about to be revoked; what was published of them may finish."""
        for partition in partitions:
            if state := self._states.get(partition):
                state.is_leaving = True

    def leave(self, event: Gone) -> None:
        """Drop the state of partitions that were revoked."""
        for partition in event.partitions:
            self._states.pop(partition, None)

    def begin(self, record: Consumed, frame: FrameId | None) -> Claim | None:
        """Note that a record was taken; None where its partition was revoked: the next owner reads it."""
        state = self._states.get(record.partition)
        if state is None or state.is_leaving:
            return None
        if record.offset < state.ledger.next_offset:
            # The topic was recreated, or its log truncated: what came before is not there to be committed.
            state = PartitionState(
                state.epoch,
                OffsetLedger(),
                SequenceGaps(record.offset, {}),
                clocks=state.clocks,
                notes_ahead=state.notes_ahead,
            )
            self._states[record.partition] = state
        if state.start is not None and record.offset < state.start:
            state.answered = frozenset()  # the same, before anything was read
        if state.suspects_end is None:
            state.suspects_end = record.offset + self._suspects
        state.ledger.begin(record.offset, frame)
        return Claim(record.partition, record.offset, state)

    def is_ours(self, claim: Claim) -> bool:
        """Whether a record's partition is still ours, without a break since it was taken, and stays so."""
        return self.holds(claim) and not claim.state.is_leaving

    def holds(self, claim: Claim) -> bool:
        """Whether a record may still be finished: its partition is ours, or not quite gone."""
        return self._states.get(claim.partition) is claim.state

    def finish(self, claims: Iterable[Claim]) -> dict[Partition, Position]:
        """Note that records are answered; return what may be committed, or noted, now that could not be before."""
        ends: dict[Partition, int] = {}
        for claim in claims:
            if self.holds(claim) and claim.state.ledger.is_open(claim.offset):
                end = claim.state.ledger.finish(claim.offset)
                if end is None and self._notes_ahead:
                    end = claim.state.ledger.end
                if end is not None:
                    ends[claim.partition] = end
        return {partition: self._states[partition].position(end) for partition, end in ends.items()}
