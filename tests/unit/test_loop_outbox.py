"""What is published, in which order, and what answers a frame."""

from typing import Any

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.records import Gone
from groundcam_schemas import FrameId, GapReason
from groundcam_worker.errors import BadPictureError
from groundcam_worker.frames import Received, Rejected
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.outbox import Outbox
from loop_frames import PARTITION, an_answer, ours, received


class Out:
    """An outbox and what it has given out."""

    def __init__(self, assignment: Assignment, *, by_transactions: bool = False) -> None:
        self.given: list[do.Instruction] = []
        self.outbox = Outbox(assignment, self.given.append, by_transactions=by_transactions)

    def take(self, kind: type[Any]) -> list[Any]:
        found = [one for one in self.given if isinstance(one, kind)]
        self.given.clear()
        return found


def skip(out: Out, frame: Received, reason: GapReason = GapReason.STALE, now_s: float = 0.0) -> None:
    out.outbox.skip(frame, reason, now_s)


def test_gaps_of_a_camera_go_out_before_its_next_answer_and_others_wait_for_their_neighbours() -> None:
    assignment = ours()
    out = Out(assignment)
    gate, yard, answer = received(assignment, 0), received(assignment, 1, "yard"), received(assignment, 2)
    skip(out, gate, now_s=5.0)
    skip(out, yard, now_s=5.5)
    assert [(one.camera_id, one.reason, one.count) for one in out.take(do.FramesDropped)] == [
        ("gate", GapReason.STALE, 1), ("yard", GapReason.STALE, 1),
    ]  # fmt: skip
    out.outbox.answer(an_answer(answer))
    gap, told = out.given
    assert isinstance(gap, do.PublishGap)
    assert (gap.gap.camera_id, gap.gap.first_seq, gap.gap.last_seq) == ("gate", 0, 0)
    assert isinstance(told, do.PublishAnswer)
    out.given.clear()
    assert out.outbox.deadline == 6.5
    out.outbox.tick(6.4, everything=False)
    assert out.take(do.PublishGap) == []
    out.outbox.tick(6.5, everything=False)
    assert [one.gap.camera_id for one in out.take(do.PublishGap)] == ["yard"]
    assert out.outbox.deadline is None


def test_an_outbox_is_empty_when_kafka_has_everything_and_it_is_committed() -> None:
    assignment = ours()
    out = Out(assignment)
    assert out.outbox.is_settled([])
    skip(out, received(assignment, 0))
    assert not out.outbox.is_settled([])
    out.outbox.tick(0.0, everything=True)
    (gap,) = out.take(do.PublishGap)
    assert not out.outbox.is_settled([])
    out.outbox.delivered(gap, None, 0.0)
    assert not out.outbox.is_settled([])
    out.outbox.tick(0.0, everything=False)
    (commit,) = out.take(do.Commit)
    assert commit.positions[PARTITION].offset == 1
    assert not commit.written
    assert out.outbox.is_settled([])
    out.outbox.tick(0.0, everything=False)
    assert out.given == [], "once"


def test_what_waits_for_kafka_is_known_wherever_it_is() -> None:
    assignment = ours()
    out = Out(assignment)
    skipped, answer, letter = (received(assignment, offset, f"camera-{offset}") for offset in range(3))
    skip(out, skipped)
    out.outbox.answer(an_answer(answer))
    out.outbox.reject(Rejected(letter.claim, letter.record, letter.id, BadPictureError("x")))
    assert {claim.offset for claim in out.outbox.claims} == {0, 1, 2}
    for one in out.take(do.PublishAnswer):
        out.outbox.delivered(one, None, 0.0)
    assert {claim.offset for claim in out.outbox.claims} == {0, 1, 2}
    out.outbox.tick(0.0, everything=False)
    assert {claim.offset for claim in out.outbox.claims} == {0, 2}


def test_frames_that_kafka_deleted_are_told_by_their_numbers_and_answer_nobody() -> None:
    out = Out(ours())
    out.outbox.expired(FrameId("gate", "r", 20), range(12, 20), 3.0)
    (dropped,) = out.take(do.FramesDropped)
    assert (dropped.camera_id, dropped.reason, dropped.count) == ("gate", GapReason.EXPIRED, 8)
    assert out.outbox.deadline == 4.0
    out.outbox.tick(4.0, everything=False)
    (gap,) = out.take(do.PublishGap)
    assert (gap.gap.run_id, gap.gap.first_seq, gap.gap.last_seq) == ("r", 12, 19)
    assert (gap.claims, gap.about, gap.is_answer) == ([], [], False)


def refusals(out: Out, publication: do.Publication) -> list[tuple[GapReason, list[int]]]:
    """What subscribers are told after Kafka has refused something."""
    out.outbox.delivered(publication, ValueError("too large"), 1.0)
    out.outbox.tick(1.0, everything=True)
    return [(one.gap.reason, [claim.offset for claim in one.claims]) for one in out.take(do.PublishGap)]


def test_what_kafka_refuses_becomes_a_gap_and_is_answered_by_it() -> None:
    assignment = ours()
    out = Out(assignment)
    answer, letter, first, second = (received(assignment, offset) for offset in range(4))
    out.outbox.answer(an_answer(answer))
    assert refusals(out, *out.take(do.PublishAnswer)) == [(GapReason.TOO_LARGE, [0])]
    out.outbox.reject(Rejected(letter.claim, letter.record, letter.id, BadPictureError("x")))
    assert refusals(out, *out.take(do.PublishLetter)) == [(GapReason.TOO_LARGE, [1])]
    skip(out, first)
    skip(out, second)
    out.outbox.tick(0.0, everything=True)
    (gap,) = out.take(do.PublishGap)
    assert refusals(out, gap) == [(GapReason.TOO_LARGE, [2, 3])]


def test_a_dead_letter_of_a_known_camera_is_followed_by_a_gap_and_one_of_nobody_by_nothing() -> None:
    assignment = ours()
    out = Out(assignment)
    known, unknown = received(assignment, 0), received(assignment, 1)
    out.outbox.reject(Rejected(known.claim, known.record, known.id, BadPictureError("x")))
    out.outbox.reject(Rejected(unknown.claim, unknown.record, None, BadPictureError("x")))
    assert [(one.camera_id, one.reason) for one in out.given if isinstance(one, do.FramesDropped)] == [
        ("gate", GapReason.DEAD_LETTERED), ("unknown", GapReason.DEAD_LETTERED),
    ]  # fmt: skip
    of_known, of_unknown = out.take(do.PublishLetter)
    assert (of_known.claims, of_known.about, of_known.is_answer) == ([], [known.claim], False)
    assert (of_unknown.claims, of_unknown.about) == ([unknown.claim], [unknown.claim])
    for one in (of_known, of_unknown):
        out.outbox.delivered(one, None, 0.0)
    out.outbox.tick(0.0, everything=True)
    (gap,) = out.take(do.PublishGap)
    assert (gap.gap.reason, gap.claims, gap.about) == (GapReason.DEAD_LETTERED, [known.claim], [known.claim])


def test_nothing_is_told_of_a_frame_that_is_another_members_by_now() -> None:
    assignment = ours()
    out = Out(assignment)
    one = received(assignment, 0)
    assignment.leave(Gone(frozenset([PARTITION])))
    skip(out, one)
    out.outbox.tick(9.0, everything=True)
    assert out.take(do.PublishGap) == []


def test_offsets_travel_with_the_answers_where_transactions_are_on() -> None:
    assignment = ours()
    out = Out(assignment, by_transactions=True)
    out.outbox.answer(an_answer(received(assignment, 0)))
    (answer,) = out.take(do.PublishAnswer)
    assert (answer.is_answer, answer.claims) == (True, answer.about)
    out.outbox.plan([answer], {PARTITION: 1})
    (transact,) = out.take(do.Transact)
    assert (transact.publications, transact.not_ours) == ([answer], [])
    assert transact.positions[PARTITION].offset == 1
    out.outbox.delivered(answer, None, 0.0)
    out.outbox.tick(0.0, everything=False)
    assert out.take(do.Commit) == [], "it is committed already"
    out.outbox.committed(transact.positions)
    (commit,) = out.take(do.Commit)
    assert (commit.positions, commit.written) == (transact.positions, True)
    out.outbox.plan([], {PARTITION: 1})
    assert out.take(do.Transact)[0].positions == {}


def test_with_transactions_an_answer_behind_a_record_that_only_waits_holds_up_no_stop() -> None:
    assignment = ours()
    first, second, third = (received(assignment, offset) for offset in range(3))
    for by_transactions in (False, True):
        out = Out(assignment, by_transactions=by_transactions)
        out.outbox.answer(an_answer(second))
        assert out.outbox.is_settled([first.claim]) is by_transactions
        assert not out.outbox.is_settled([]), "the record before it is being answered"
        assert not out.outbox.is_settled([third.claim])
        out.outbox.answer(an_answer(first))
        assert not out.outbox.is_settled([first.claim]), "nothing holds this one back"


def test_a_gap_holds_up_a_stop_whatever_waits() -> None:
    assignment = ours()
    first, second = (received(assignment, offset) for offset in range(2))
    out = Out(assignment, by_transactions=True)
    skip(out, second)
    assert not out.outbox.is_settled([first.claim])
    out.outbox.tick(0.0, everything=True)
    assert not out.outbox.is_settled([first.claim])
