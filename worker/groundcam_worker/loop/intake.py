"""What a record is when it comes in: whose frame, how old, and what is missing before it. Pure."""

from collections.abc import Callable

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.commit_note import read_note
from groundcam_runtime.records import Assigned, Consumed
from groundcam_worker.frames import NS, Received, Rejected
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.outbox import Outbox
from groundcam_worker.parse import ParseFailure, parse, parse_request
from groundcam_worker.policy.limits import HEAD
from groundcam_worker.policy.policies import Policies


class Intake:
    """Opens records in the ledger, and learns of cameras' clocks and of frames that Kafka deleted."""

    def __init__(
        self,
        assignment: Assignment,
        policies: Policies,
        outbox: Outbox,
        emit: Callable[[do.Instruction], None],
    ) -> None:
        self._assignment = assignment
        self._freshness = policies.freshness
        self._outbox = outbox
        self._emit = emit
        self._never_stale = policies.never_stale
        self._requests = policies.requests
        self._max_pixels = policies.limits.max_pixels

    def receive(self, record: Consumed, now_s: float) -> Received | Rejected | None:
        """Read a record; None for one of a partition that has just left, and for one that is answered already."""
        if record.partition.topic == self._requests:
            return self._request(record)
        parsed = parse(record, self._max_pixels)
        claim = self._assignment.begin(record, parsed.id)
        if claim is None:
            return None
        deleted = claim.state.sequence.came(record.offset, parsed.id, at_head=record.behind <= HEAD)
        if deleted and parsed.id:
            self._outbox.expired(parsed.id, deleted, now_s)
        if claim.offset in claim.state.answered:
            self._outbox.answered_before(claim)
            return None
        if isinstance(parsed, ParseFailure):
            rejected = Rejected(claim, record, parsed.id, parsed.error)
            self._emit(do.FrameArrived(rejected.camera_id, record.size))
            return rejected
        self._emit(do.FrameArrived(parsed.id.camera_id, record.size))
        is_live = record.partition.topic not in self._never_stale
        frame = Received(claim, record, parsed, is_live)
        if is_live:
            self._learn(frame)
        return frame

    def _request(self, record: Consumed) -> Received | Rejected | None:
        parsed = parse_request(record, self._max_pixels)
        # Numbers of requests have no holes that would tell anything: they are spread over partitions.
        claim = self._assignment.begin(record, None)
        if claim is None:
            return None
        if claim.offset in claim.state.answered:
            self._outbox.answered_before(claim)
            return None
        if isinstance(parsed, ParseFailure):
            return Rejected(claim, record, parsed.id, parsed.error, reply_to=parsed.reply_to)
        frame = Received(claim, record, parsed, is_live=True, reply_to=parsed.reply_to)
        self._freshness.arrived(frame.clock, parsed.captured_at_ns, record)
        return frame

    def recall(self, event: Assigned) -> None:
        """Learn the cameras' clock errors from the commit notes of earlier owners."""
        for position in event.partitions.values():
            note = read_note(position.note if position is not None else "")
            for camera_id, delay_ms in note.clocks.items():
                if camera_id in note.last:
                    self._freshness.recall(camera_id, note.last[camera_id][0], delay_ms)

    def is_stale(self, frame: Received, now_ns: int) -> bool:
        """Whether a frame is too stale to be admitted."""
        captured_at_ns = frame.content.captured_at_ns
        limit_s = (frame.reply_to.deadline_ns - captured_at_ns) / NS if frame.reply_to else None
        return frame.is_live and self._freshness.is_stale(frame.clock, captured_at_ns, frame.record, now_ns, limit_s)

    def _learn(self, frame: Received) -> None:
        camera_id, run_id, _ = frame.id
        delay_s = self._freshness.arrived(frame.id, frame.content.captured_at_ns, frame.record)
        frame.claim.state.note_clock(camera_id, self._freshness.remembered(camera_id))
        if delay_s is not None:
            self._emit(do.DelayLearned(camera_id, run_id, delay_s))
