"""What a record is when it comes in."""

from typing import Any

import pytest

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.commit_note import CommitNote, read_note
from groundcam_runtime.records import Assigned, Gone, Partition, Position
from groundcam_schemas import FrameId
from groundcam_worker.frames import Received, Rejected
from groundcam_worker.loop import instructions as do
from groundcam_worker.loop.intake import Intake
from groundcam_worker.loop.outbox import Outbox
from groundcam_worker.policy.freshness import Freshness
from groundcam_worker.policy.limits import HEAD, Limits
from groundcam_worker.policy.policies import Policies
from groundcam_worker.policy.questions import Questions
from loop_frames import PARTITION, WIDE, ours, record


class Gate:
    """An intake of one partition."""

    def __init__(self, assignment: Assignment | None = None) -> None:
        self.assignment = assignment or ours()
        self.given: list[do.Instruction] = []
        self.outbox = Outbox(self.assignment, self.given.append)
        self.freshness = Freshness(3.0)
        policies = Policies(Questions(), self.freshness, Limits(max_pixels=64 * 16), never_stale={"recordings"})
        self.intake = Intake(self.assignment, policies, self.outbox, self.given.append)

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.given if isinstance(one, kind)]


def test_a_record_is_a_frame_a_dead_letter_or_nobodys_of_ours() -> None:
    gate = Gate()
    frame = gate.intake.receive(record(0), 0.0)
    assert isinstance(frame, Received)
    assert (frame.id.camera_id, frame.id.seq, frame.is_live) == ("gate", 0, True)
    rejected = gate.intake.receive(record(1, value=b"junk"), 0.0)
    assert isinstance(rejected, Rejected)
    assert (rejected.camera_id, rejected.claim.offset) == ("gate", 1)
    assert [(one.camera_id, one.size) for one in gate.of(do.FrameArrived)] == [
        ("gate", frame.record.size), ("gate", 4),
    ]  # fmt: skip
    gate.assignment.leave(Gone(frozenset([PARTITION])))
    assert gate.intake.receive(record(2), 0.0) is None
    assert len(gate.of(do.FrameArrived)) == 2


def test_a_picture_of_as_many_pixels_as_may_be_is_taken_and_a_larger_one_is_not() -> None:
    gate = Gate()
    assert isinstance(gate.intake.receive(record(0, value=WIDE), 0.0), Received)
    gate.intake._max_pixels -= 1
    assert isinstance(gate.intake.receive(record(1, value=WIDE), 0.0), Rejected)


@pytest.mark.parametrize(
    ("behind", "claims_more"), [(0, False), (1, False), (HEAD, False), (HEAD + 1, True), (9000, True)]
)
def test_the_head_is_reached_where_few_records_are_behind(behind: int, claims_more: bool) -> None:
    """A camera that is first heard of after that came from elsewhere, and lost nothing in the jump before it."""
    gate = Gate(ours(note=CommitNote(last={"gate": ("run-1", 9)}).text()))
    gate.intake.receive(record(20, behind=behind), 0.0)
    gate.intake.receive(record(21, "new"), 0.0)
    expired = [one.camera_id for one in gate.of(do.FramesDropped)]
    assert expired == (["gate", "new"] if claims_more else ["gate"])


def test_what_earlier_owners_knew_of_clocks_is_learned_for_cameras_whose_run_is_known() -> None:
    gate = Gate()
    note = CommitNote(last={"gate": ("r", 3)}, clocks={"gate": -300_000, "of no run": 9000})
    gate.intake.recall(Assigned({PARTITION: Position(0, note.text()), Partition("frames", 1): None}, 1))
    assert gate.freshness.remembered("gate") == -300_000
    assert gate.freshness.remembered("of no run") is None
    assert ("gate", "r") in gate.freshness._runs


def test_a_wrong_clock_is_learned_from_live_frames_at_the_head_and_goes_into_the_commit() -> None:
    gate = Gate()
    exact = {"waited_at_least_s": 0.0, "waited_at_most_s": 0.1}
    for offset in range(3):
        gate.intake.receive(record(offset, **exact), 0.0)
    delays = gate.of(do.DelayLearned)
    assert {(one.camera_id, one.run_id) for one in delays} == {("gate", "run-1")}
    assert delays[-1].delay_s < -1e9, "records of this file come in 1970, and their frames are of today"
    claims = [gate.assignment.begin(record(3), FrameId("gate", "run-1", 3))]
    state = claims[0].state if claims[0] else None
    assert state is not None
    assert state.clocks["gate"] == pytest.approx(delays[-1].delay_s * 1000, abs=1)
    assert read_note(state.position(1).note).clocks == {}, "of the frames before it nothing is answered yet"


def test_recordings_are_never_stale_and_teach_nothing() -> None:
    gate = Gate()
    recordings = Partition("recordings", 0)
    gate.assignment.arrive(Assigned({recordings: Position(0)}, 1))
    old = record(0)
    in_file = type(old)(recordings, 0, 0, old.key, old.value, (), 0, waited_at_least_s=0.0, waited_at_most_s=0.1)
    frame = gate.intake.receive(in_file, 0.0)
    assert isinstance(frame, Received)
    assert not frame.is_live
    assert not gate.intake.is_stale(frame, 10**30)
    assert gate.of(do.DelayLearned) == []
    live = gate.intake.receive(old, 0.0)
    assert isinstance(live, Received)
    assert gate.intake.is_stale(live, 10**30)


def test_a_record_that_an_earlier_owner_has_answered_is_passed_over_and_no_gap_follows() -> None:
    assignment = Assignment(0, notes_ahead=True)
    note = CommitNote(last={"gate": ("run-1", 4)}, ahead=(1,)).text()
    assignment.arrive(Assigned({PARTITION: Position(5, note)}, 1))
    gate = Gate(assignment)
    assert isinstance(gate.intake.receive(record(5), 0.0), Received)
    assert gate.intake.receive(record(6), 0.0) is None
    assert isinstance(gate.intake.receive(record(7), 0.0), Received)
    gate.outbox.tick(100.0, everything=True)
    assert not gate.of(do.PublishGap), "nothing is missing"
    (commit,) = gate.of(do.Commit)
    assert (commit.positions[PARTITION].offset, read_note(commit.positions[PARTITION].note).ahead) == (5, (1,))
