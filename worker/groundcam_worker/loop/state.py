"""The loop as a pure state machine: events in, instructions out. No threads, no clocks, no Kafka.

A record becomes a frame that waits in the backlog (or in quarantine, after a worker died), is admitted when there is
room for its picture, decoded, batched with others of its input shape, answered, published, and finished once Kafka has
acknowledged that. `handle` records what happened; only a `Tick` begins anything.
"""

from dataclasses import replace

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.records import Assigned, Consumed, Gone
from groundcam_schemas import GapReason, ReplyProblem
from groundcam_worker.errors import (
    DetectorLostError,
    FatalFrameError,
    FrameError,
    OutOfMemoryError,
    SandboxUnavailableError,
    UnansweredError,
)
from groundcam_worker.frames import NS, Admitted, Decoded, Instant, Received, Rejected, Stamps, answered
from groundcam_worker.loop import events as on
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.admission import AdmissionQueue
from groundcam_worker.loop.batches import Batches, Job, Outcome, Prepared, Result
from groundcam_worker.loop.intake import Intake
from groundcam_worker.loop.outbox import Outbox
from groundcam_worker.loop.retries import Retries
from groundcam_worker.policy.answers import objects_of
from groundcam_worker.policy.lanes import Lanes
from groundcam_worker.policy.picture_budget import PictureBudget
from groundcam_worker.policy.policies import Policies
from groundcam_worker.quarantine.quarantine import DEATHS_WITHOUT_SANDBOX


class LoopState:
    """What a worker has in work."""

    def __init__(self, policies: Policies) -> None:
        self._limits = limits = policies.limits
        self._questions = policies.questions
        self._freshness = policies.freshness
        self.assignment = Assignment(limits.suspects, notes_ahead=not policies.by_transactions)
        self._out: list[do.Instruction] = []
        self._emit = self._out.append
        self._outbox = Outbox(self.assignment, self._emit, by_transactions=policies.by_transactions)
        self._intake = Intake(self.assignment, policies, self._outbox, self._emit)
        self._admission = AdmissionQueue(self.assignment.is_ours, self._is_stale, limits, policies.requests)
        self._pictures: PictureBudget[Claim] = PictureBudget(limits.pictures, limits.max_picture_bytes)
        self._decoding: Lanes[Admitted, Outcome] = Lanes()
        self._isolated: set[Admitted] = set()
        self._retries = Retries()
        self._batches = Batches(limits.batch_size, limits.batch_wait_s)
        self._now = Instant(0.0, 0)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of frames that wait to be decoded."""
        return self._admission.bytes

    @property
    def has_room(self) -> bool:
        """Backpressure: whether more records may be taken; what waits, in memory and for Kafka, is bounded."""
        return (
            self.waiting_bytes < self._limits.max_waiting_bytes and self.assignment.open_count < self._limits.unanswered
        )

    @property
    def is_idle(self) -> bool:
        """Nothing is in work, and Kafka has everything. What only waits, the next worker reads."""
        in_work = self._pictures or self._admission.quarantine.current
        return not in_work and self._outbox.is_settled([*self._admission.claims, *self._retries.claims])

    def deadline(self, *, draining: bool) -> float | None:
        """When a Tick will have something to do although nothing happens (monotonic, s)."""
        ends = [self._outbox.deadline, self._batches.deadline]
        if not draining:
            ends += [self._retries.deadline, self._admission.deadline]
        return min((end for end in ends if end is not None), default=None)

    def handle(self, event: on.Event, now: Instant) -> list[do.Instruction]:  # noqa: C901, PLR0912 - a case an event
        """Take note of an event; return what is to be done, in order."""
        self._now = now
        match event:
            case Consumed():
                self._receive(event)
            case on.Delivered(publication, error):
                self._outbox.delivered(publication, error, now.s)
            case on.DecodeDone(admitted, outcome):
                for one, result in self._decoding.done(admitted, admitted.frame.lane, outcome):
                    self._decoded(one, result)
            case on.BatchDone():
                self._batch_done(event)
            case on.Tick(draining):
                self._tick(draining=draining)
            case Assigned():
                self._intake.recall(event)
                self._emit(do.Commit(self.assignment.arrive(event), written=True))
                self._admission.quarantine.expect_marks()
            case on.Leaving(partitions):
                self._outbox.prepare_to_leave(partitions)
            case Gone():
                self.assignment.leave(event)
                self._admission.drop_revoked()
            case on.SandboxDone(admitted):
                self._sandbox_done(admitted, event)
            case on.AttemptMarked(claim, deaths):
                self._marked(claim, deaths)
            case on.JobOffered(job):
                self._batches.push(job, now.s)
            case on.TransactionDue(waiting, owned):
                self._outbox.plan(waiting, owned)
            case on.TransactionCommitted(positions):
                self._outbox.committed(positions)
        out = list(self._out)
        self._out.clear()  # in place: the parts emit into it
        return out

    def _tick(self, *, draining: bool) -> None:
        if not draining:
            for frame in self._admission.shed(self._now.s):
                self._skip(frame, GapReason.STALE)
            self._retry()
            self._admit()
        else:
            self._leave_to_the_next_worker()
        for batch, unwanted in self._batches.begin(self._now.s, self._now.ns, draining=draining):
            for job in unwanted:
                if isinstance(job.origin, Decoded):
                    self._release(job.origin.admitted.frame.claim)
            if batch:
                self._emit(do.Begin(batch))
        self._outbox.tick(self._now.s, everything=draining)

    def _is_stale(self, frame: Received) -> bool:
        return self._intake.is_stale(frame, self._now.ns)

    def _receive(self, record: Consumed) -> None:
        match self._intake.receive(record, self._now.s):
            case Rejected() as rejected:
                self._outbox.reject(rejected)
            case Received() as frame if not self._admission.push(frame, self._now.s):
                self._outbox.decline(frame, ReplyProblem.OVERLOADED)

    # Admission: from a frame that waits to one at the detector.

    def _admit(self) -> None:
        # A frame that waits for memory would be tried again beside one that is tried alone: it goes first.
        if not self._retries and (marking := self._admission.mark(self._pictures, self._now.s)):
            frame, read = marking
            self._emit(do.Mark(frame.claim, frame.id.camera_id, read))
        # While memory is short, frames in work and those that wait for their retry are bounded together.
        while not self._retries or len(self._retries) + len(self._pictures) < self._limits.pictures:
            waiting = self._admission.pop(self._pictures, self._now.s)
            if waiting is None:
                return
            self._begin(waiting)

    def _marked(self, claim: Claim, deaths: int | None) -> None:
        frame = self._admission.quarantine.current
        if frame is None or frame.claim is not claim:
            return
        if deaths is None:
            self._admission.quarantine.failed(self._now.s)
        else:
            self._begin(frame, deaths)

    def _begin(self, frame: Received, deaths: int = 0) -> None:
        """Find the frame's question, and have it decoded."""
        if not self._keep(frame.claim):
            return
        if self._is_stale(frame):
            self._skip(frame, GapReason.STALE)
            return
        asked = self._questions.for_frame(frame.id.camera_id, frame.content.question)
        if asked is None:
            self._skip(frame, GapReason.NO_QUESTION)
            return
        admitted = Admitted(frame, *asked, deaths + 1, self._now.ns)
        if deaths >= DEATHS_WITHOUT_SANDBOX:
            self._give_up(admitted, FatalFrameError(f"it ended the process {deaths} times, alone in it"))
            return
        self._pictures.hold(frame.claim, frame.picture_bytes)
        if deaths:
            self._isolated.add(admitted)
            self._emit(do.Isolate(admitted))
        else:
            self._decode(admitted)

    def _decode(self, admitted: Admitted) -> None:
        self._pictures.hold(admitted.frame.claim, admitted.frame.picture_bytes)
        self._decoding.begin(admitted, admitted.frame.lane)
        self._emit(do.Decode(admitted))

    def _decoded(self, admitted: Admitted, outcome: Outcome) -> None:
        claim = admitted.frame.claim
        if not self._keep(claim):
            return
        match outcome:
            case OutOfMemoryError():
                self._postpone(admitted, outcome)
            case FrameError():
                self._give_up(admitted, outcome)
            case Prepared(image, shape, cost):
                lane, origin = admitted.frame.lane, Decoded(admitted, self._now.ns)
                job = Job(image, admitted.question, shape, cost, lane, lambda: self.assignment.is_ours(claim), origin)
                self._batches.push(job, self._now.s)

    # Results: from the detector to what is published.

    def _batch_done(self, done: on.BatchDone) -> None:
        batch, results = done.batch, done.results
        self._batches.done(batch)
        self._admission.spent(batch, done.seconds)
        if not all(isinstance(result, OutOfMemoryError) for result in results):
            self._retries.succeeded(self._now.s)
        for job, result in zip(batch.jobs, results, strict=True):
            if isinstance(job.origin, Decoded):
                decoded = job.origin
                stamps = Stamps(decoded.admitted.at_ns, decoded.at_ns, batch.at_ns, done.ended_ns)
                if not isinstance(result, Exception):
                    self._freshness.took((stamps.inferred - stamps.admitted) / NS)
                self._answer(decoded.admitted, result, stamps)
            else:
                self._emit(do.Reply(job.origin, result))

    def _sandbox_done(self, admitted: Admitted, event: on.SandboxDone) -> None:
        self._isolated.discard(admitted)
        if isinstance(event.result, SandboxUnavailableError):
            self._decode(replace(admitted, at_ns=self._now.ns, is_retry=True))
        else:
            self._answer(admitted, event.result, Stamps(batched=event.began_ns, inferred=event.ended_ns))

    def _answer(self, admitted: Admitted, result: Result, stamps: Stamps) -> None:
        frame, content = admitted.frame, admitted.frame.content
        if not self._keep(frame.claim):
            return
        match result:
            case OutOfMemoryError():
                self._postpone(admitted, result)
            case FrameError():
                self._give_up(admitted, result)
            case _:
                objects = objects_of(result, admitted.question, content.picture_size, content.source_size)
                self._release(frame.claim)
                self._outbox.answer(answered(admitted, objects, stamps))

    def _postpone(self, admitted: Admitted, error: OutOfMemoryError) -> None:
        """Schedule a retry of a frame for which memory is short."""
        self._pictures.release(admitted.frame.claim)
        match self._retries.postpone(admitted, error, self._now.s):
            case UnansweredError() as failed:
                self._give_up(admitted, failed)
            case DetectorLostError() as lost:
                self._emit(do.Fail(lost))

    def _retry(self) -> None:
        for admitted in self._retries.due(self._now.s):
            if not self._keep(admitted.frame.claim):
                continue
            if self._is_stale(admitted.frame):
                self._skip(admitted.frame, GapReason.STALE)
            elif self._pictures.fits(admitted.frame.picture_bytes):
                self._decode(replace(admitted, at_ns=self._now.ns, is_retry=True))
            else:
                self._retries.defer(admitted, self._now.s)

    def _leave_to_the_next_worker(self) -> None:
        """A frame in quarantine that waits for memory would keep a worker from stopping."""
        current = self._admission.quarantine.current
        if current is not None and self._retries.withdraw(current.claim):
            self._admission.quarantine.failed(self._now.s)
            self._emit(do.ClearMarks())

    def _give_up(self, admitted: Admitted, error: FrameError) -> None:
        frame = admitted.frame
        if self._keep(frame.claim):
            self._release(frame.claim)
            self._outbox.reject(Rejected(frame.claim, frame.record, frame.id, error, admitted.attempts, frame.reply_to))

    def _skip(self, frame: Received, reason: GapReason) -> None:
        if self._keep(frame.claim):
            self._release(frame.claim)
            self._outbox.skip(frame, reason, self._now.s)

    def _keep(self, claim: Claim) -> bool:
        """Whether a frame is still ours. One of a revoked partition is dropped: the next owner answers it."""
        if not (is_ours := self.assignment.is_ours(claim)):
            self._release(claim)
        return is_ours

    def _release(self, claim: Claim) -> None:
        """A frame is through with the detector."""
        self._pictures.release(claim)
        self._retries.forget(claim)
        if self._admission.quarantine.done(claim):
            self._emit(do.ClearMarks())
