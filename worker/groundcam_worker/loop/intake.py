"""What a record is when it comes in: whose frame, how old, and what is missing before it. Pure."""

from collections.abc import Callable, Collection

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.records import Consumed
from groundcam_worker.frames import Received, Rejected
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.outbox import Outbox
from groundcam_worker.parse import ParsedFrame, ParseFailure, parse
from groundcam_worker.policy.freshness import Freshness
from groundcam_worker.policy.limits import HEAD


class Intake:
    """Opens records in the ledger, and learns of cameras' clocks and of frames that Kafka deleted."""

    def __init__(
        self,
        assignment: Assignment,
        freshness: Freshness,
        outbox: Outbox,
        emit: Callable[[do.Instruction], None],
        never_stale: Collection[str],
        max_pixels: int,
    ) -> None:
        """`never_stale` names the topics of which every frame counts."""
        self._assignment = assignment
        self._freshness = freshness
        self._outbox = outbox
        self._emit = emit
        self._never_stale = never_stale
        self._max_pixels = max_pixels

    def receive(self, record: Consumed, now_s: float) -> Received | Rejected | None:
        """Read a record; None for one of a partition that has just left: the next owner reads it."""
        parsed = parse(record, self._max_pixels)
        claim = self._assignment.begin(record, parsed.id)
        if claim is None:
            return None
        deleted = claim.state.sequence.came(record.offset, parsed.id, at_head=record.behind <= HEAD)
        if deleted and parsed.id:
            self._outbox.expired(parsed.id, deleted, now_s)
        if isinstance(parsed, ParseFailure):
            rejected = Rejected(claim, record, parsed.id, parsed.error)
            self._emit(do.FrameArrived(rejected.camera_id, record.size))
            return rejected
        self._emit(do.FrameArrived(parsed.id.camera_id, record.size))
        self._learn(parsed, record)
        return Received(claim, record, parsed, record.partition.topic not in self._never_stale)

    def is_stale(self, frame: Received, now_ns: int) -> bool:
        """Whether a frame is too old to be taken up."""
        return frame.is_live and self._freshness.is_stale(
            frame.id.camera_id, frame.id.run_id, frame.content.captured_at_ns, now_ns=now_ns
        )

    def _learn(self, frame: ParsedFrame, record: Consumed) -> None:
        if record.behind <= HEAD:
            delay_s = self._freshness.arrived(
                frame.id.camera_id, frame.id.run_id, frame.captured_at_ns, consumed_at_ns=record.consumed_at_ns
            )
            self._emit(do.DelayLearned(frame.id.camera_id, frame.id.run_id, delay_s))
