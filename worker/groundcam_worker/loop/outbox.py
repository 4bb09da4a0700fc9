"""What is published about frames, in which order, and which of them are answered once Kafka has it. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from groundcam_runtime.gaps import Collected, GapCollector
from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.checkpoint import Checkpoint
from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.records import Consumed, Partition, Position
from groundcam_schemas import FrameId, GapReason, ReplyProblem
from groundcam_worker.errors import BadPictureError, FatalFrameError, FrameError, UnaskableError
from groundcam_worker.frames import Answered, Received, Rejected, Replied, Skipped, without_bytes
from groundcam_worker.loop import instructions as do
from groundcam_worker.policy.limits import GAP_DELAY_S

WORDS = {
    ReplyProblem.EXPIRED: "its deadline has passed, or would have before the answer",
    ReplyProblem.OVERLOADED: "more requests wait at the worker than it keeps",
    ReplyProblem.TOO_LARGE: "the answer is larger than Kafka takes: ask for fewer objects",
}


class Outbox:
    """A frame is answered by its detections or by a gap. Gaps of a camera go out before its next answer."""

    def __init__(
        self, assignment: Assignment, emit: Callable[[do.Instruction], None], *, by_transactions: bool = False
    ) -> None:
        """`by_transactions`: offsets travel with the answers."""
        self._assignment = assignment
        self._emit = emit
        self._by_transactions = by_transactions
        self._checkpoint = Checkpoint(assignment, by_transactions=by_transactions)
        self._gaps = GapCollector(GAP_DELAY_S)
        self._unacknowledged: set[do.Publication] = set()
        self._finished: list[Claim] = []
        self._leaving: frozenset[Partition] = frozenset()

    def is_settled(self, waiting: Collection[Claim]) -> bool:
        """Whether Kafka has everything that it can have, and what can be committed is.

        With transactions, an answer behind a record that only waits goes with the next worker's: `waiting` are those.
        """
        first = {(claim.partition, claim.offset) for claim in waiting} if self._by_transactions else set()
        stuck = [
            one
            for one in self._unacknowledged
            if one.is_answer and any(_is_behind(claim, first) for claim in one.claims)
        ]
        return len(stuck) == len(self._unacknowledged) and not self._finished and self._gaps.deadline is None

    @property
    def deadline(self) -> float | None:
        """When gaps will be due (monotonic, s)."""
        return self._gaps.deadline

    @property
    def claims(self) -> list[Claim]:
        """The records that wait for Kafka here."""
        collected = [skipped.claim for skipped in self._gaps.tags]
        sent = [claim for publication in self._unacknowledged for claim in publication.about]
        return [*collected, *sent, *self._finished]

    def answer(self, answered: Answered) -> None:
        """Publish detections, after the gaps of the same camera; or the reply to a request."""
        if answered.reply_to:
            replied = Replied(answered.claim, answered.record, answered.id, answered.reply_to, answered)
            self._publish(do.PublishReply(replied))
            return
        for collected in self._gaps.take(answered.camera_id):
            self._publish_gap(collected)
        self._publish(do.PublishAnswer(answered))

    def skip(self, frame: Received, reason: GapReason, now_s: float) -> None:
        """Publish a gap for a frame that was skipped, soon and merged with its neighbours; a request has expired."""
        if frame.reply_to:
            self.decline(frame, ReplyProblem.EXPIRED)
            return
        self._emit(do.FramesDropped(frame.id.camera_id, reason))
        self._collect(frame.claim, frame.record, frame.id, reason, now_s)

    def expired(self, frame: FrameId, numbers: range, now_s: float) -> None:
        """Report that Kafka deleted frames of this frame's run before anybody read them; before the frame's answer."""
        self._emit(do.FramesDropped(frame.camera_id, GapReason.EXPIRED, len(numbers)))
        first = FrameId(frame.camera_id, frame.run_id, numbers.start)
        self._gaps.add(first, GapReason.EXPIRED, now=now_s, count=len(numbers))

    def answered_before(self, claim: Claim) -> None:
        """An earlier owner of the partition has answered a record."""
        self._finished.append(claim)

    def decline(self, frame: Received | Rejected, problem: ReplyProblem, detail: str = "") -> None:
        """Reply to a request that there is no answer, and why."""
        if frame.reply_to and frame.id:
            record, detail = without_bytes(frame.record), detail or WORDS.get(problem, "")
            replied = Replied(frame.claim, record, frame.id, frame.reply_to, problem=problem, detail=detail)
            self._publish(do.PublishReply(replied))

    def reject(self, rejected: Rejected) -> None:
        """Dead-letter a message, as it came. A request that harms nobody is only replied to."""
        if rejected.reply_to and not isinstance(rejected.error, FatalFrameError):
            self.decline(rejected, _problem(rejected.error), str(rejected.error))
            return
        self._emit(do.FramesDropped(rejected.camera_id, GapReason.DEAD_LETTERED))
        self._publish(do.PublishLetter(rejected))

    def delivered(self, publication: do.Publication, error: BaseException | None, now_s: float) -> None:
        """Kafka has a publication, or refuses it. Subscribers learn of a dead letter by a gap."""
        self._unacknowledged.discard(publication)
        match publication:
            case do.PublishLetter(rejected) if rejected.reply_to:
                if self._assignment.holds(rejected.claim):  # another member's otherwise, which answers it
                    self.decline(rejected, ReplyProblem.UNANSWERED, str(rejected.error))
            case do.PublishReply(replied) if error is not None and replied.answered:
                too_large = ReplyProblem.TOO_LARGE
                less = replace(replied, answered=None, problem=too_large, detail=WORDS[too_large])
                if self._assignment.holds(replied.claim):
                    self._publish(do.PublishReply(less))
            case do.PublishLetter(rejected) if rejected.id is not None:
                reason = GapReason.DEAD_LETTERED if error is None else GapReason.TOO_LARGE
                self._collect(rejected.claim, rejected.record, rejected.id, reason, now_s)
            case do.PublishAnswer(answered) if error is not None:
                self._collect(answered.claim, answered.record, answered.id, GapReason.TOO_LARGE, now_s)
            case do.PublishGap(_, frames) if error is not None:
                for one in frames:
                    self._collect(one.claim, one.record, one.id, GapReason.TOO_LARGE, now_s)
            case _:
                self._finished += publication.claims

    def tick(self, now_s: float, *, everything: bool) -> None:
        """Commit what is finished, and publish the gaps that are due; `everything` waits for no neighbours."""
        finished, self._finished = self._finished, []
        if positions := self._checkpoint.finish(finished):
            self._emit(do.Commit(positions))
        for collected in list(self._gaps.all() if everything or self._leaving else self._gaps.due(now_s)):
            self._publish_gap(collected)
        if self._leaving and all(claim.partition not in self._leaving for claim in self.claims):
            self._emit(do.HandOver(self._leaving))
            self._leaving = frozenset()

    def prepare_to_leave(self, partitions: frozenset[Partition]) -> None:
        """Begin nothing more of partitions that are about to be revoked; say when Kafka has what was published."""
        self._assignment.prepare_to_leave(partitions)
        self._leaving = partitions

    def plan(self, waiting: Sequence[do.Publication], owned: Mapping[Partition, int]) -> None:
        """Choose what goes into the next transaction."""
        plan = self._checkpoint.plan(waiting, owned)
        self._emit(do.Transact(plan.publications, plan.not_ours, plan.positions))

    def committed(self, positions: Mapping[Partition, Position]) -> None:
        """The last transaction's positions are on Kafka."""
        self._checkpoint.committed()
        self._emit(do.Commit(positions, written=True))

    def _collect(self, claim: Claim, record: Consumed, frame: FrameId, reason: GapReason, now_s: float) -> None:
        if self._assignment.holds(claim):
            self._gaps.add(frame, reason, now=now_s, tag=Skipped(claim, without_bytes(record), frame, reason))

    def _publish_gap(self, collected: Collected) -> None:
        self._publish(do.PublishGap(collected.gap, tuple(collected.tags)))

    def _publish(self, publication: do.Publication) -> None:
        self._unacknowledged.add(publication)
        self._emit(publication)


def _problem(error: FrameError) -> ReplyProblem:
    match error:
        case BadPictureError():
            return ReplyProblem.BAD_PICTURE
        case UnaskableError():
            return ReplyProblem.QUESTION_REFUSED
    return ReplyProblem.UNANSWERED


def _is_behind(claim: Claim, waiting: Collection[tuple[Partition, int]]) -> bool:
    """Whether the first open record of a partition, before this one, is one that waits."""
    end = claim.state.ledger.end
    return end < claim.offset and (claim.partition, end) in waiting
