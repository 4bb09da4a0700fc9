"""What goes into a transaction, and what may be committed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.checkpoint import Checkpoint
from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position

ONE, OTHER = Partition("frames", 0), Partition("frames", 1)
OWNED = {ONE: 1, OTHER: 1}


@dataclass(frozen=True, eq=False)
class Said:
    """Something that is published."""

    claims: Sequence[Claim]
    is_answer: bool = True
    others: Sequence[Claim] = field(default=())

    @property
    def about(self) -> Sequence[Claim]:
        return (*self.claims, *self.others)


@pytest.fixture
def assignment() -> Assignment:
    made = Assignment(0)
    made.arrive(Assigned({ONE: Position(0), OTHER: Position(0)}, 1))
    return made


def begin(assignment: Assignment, count: int, partition: Partition = ONE) -> list[Claim]:
    claims = [assignment.begin(Consumed(partition, offset, 0, b"", b"", (), 0), None) for offset in range(count)]
    return [claim for claim in claims if claim is not None]


def offsets(positions: object) -> dict[Partition, int]:
    assert isinstance(positions, dict)
    return {partition: position.offset for partition, position in positions.items()}


def test_what_kafka_has_may_be_committed_at_once_or_travels_with_the_answers(assignment: Assignment) -> None:
    first, second = begin(assignment, 2)
    assert offsets(Checkpoint(assignment, by_transactions=False).finish([first])) == {ONE: 1}
    assert offsets(Checkpoint(assignment, by_transactions=True).finish([second])) == {}
    assert assignment.open_count == 1, "it is finished by the plan"


def test_an_answer_waits_until_every_earlier_record_of_its_partition_is_answered(assignment: Assignment) -> None:
    checkpoint = Checkpoint(assignment, by_transactions=True)
    first, second, third = (Said([claim]) for claim in begin(assignment, 3))
    (elsewhere,) = (Said([claim]) for claim in begin(assignment, 1, OTHER))
    plan = checkpoint.plan([third, first, elsewhere], OWNED)
    assert plan.publications == [first, elsewhere]
    assert offsets(plan.positions) == {ONE: 1, OTHER: 1}
    assert plan.not_ours == []
    checkpoint.committed()
    plan = checkpoint.plan([third, second], OWNED)
    assert plan.publications == [third, second]
    assert offsets(plan.positions) == {ONE: 3}


def test_gaps_and_letters_do_not_wait(assignment: Assignment) -> None:
    checkpoint = Checkpoint(assignment, by_transactions=True)
    _, second, third = begin(assignment, 3)
    gap, letter, of_deleted = Said([second], False), Said([], False, [third]), Said([], False)
    plan = checkpoint.plan([gap, letter, of_deleted], OWNED)
    assert plan.publications == [gap, letter, of_deleted]
    assert (plan.not_ours, offsets(plan.positions)) == ([], {})


@pytest.mark.parametrize("owned", [{}, {OTHER: 1}, {ONE: 2}, {ONE: 0}])
def test_what_is_another_members_by_now_is_dropped_and_takes_no_more_room(
    assignment: Assignment, owned: dict[Partition, int]
) -> None:
    """The group knows before the news has come to us."""
    checkpoint = Checkpoint(assignment, by_transactions=True)
    (claim,) = begin(assignment, 1)
    answer, letter = Said([claim]), Said([], False, [claim])
    plan = checkpoint.plan([answer, letter], owned)
    assert (plan.publications, plan.not_ours, offsets(plan.positions)) == ([], [answer, letter], {})
    assert assignment.open_count == 0


def test_what_was_taken_on_anew_is_not_what_was_begun_before(assignment: Assignment) -> None:
    checkpoint = Checkpoint(assignment, by_transactions=True)
    (claim,) = begin(assignment, 1)
    assignment.leave(Gone(frozenset([ONE])))
    assignment.arrive(Assigned({ONE: Position(0)}, 1))
    answer = Said([claim])
    plan = checkpoint.plan([answer], OWNED)
    assert (plan.publications, plan.not_ours) == ([], [answer])


def test_a_gap_of_which_one_frame_is_ours_is_published(assignment: Assignment) -> None:
    checkpoint = Checkpoint(assignment, by_transactions=True)
    gap = Said([*begin(assignment, 1), *begin(assignment, 1, OTHER)], False)
    plan = checkpoint.plan([gap], {OTHER: 1})
    assert plan.publications == [gap]
    assert offsets(plan.positions) == {OTHER: 1}


def test_positions_of_a_transaction_that_was_aborted_go_into_the_next_one(assignment: Assignment) -> None:
    checkpoint = Checkpoint(assignment, by_transactions=True)
    one, other = (Said([claim]) for claim in (*begin(assignment, 1), *begin(assignment, 1, OTHER)))
    assert offsets(checkpoint.plan([one], OWNED).positions) == {ONE: 1}
    assert offsets(checkpoint.plan([other], OWNED).positions) == {ONE: 1, OTHER: 1}
    assert offsets(checkpoint.plan([], OWNED).positions) == {ONE: 1, OTHER: 1}
    checkpoint.committed()
    assert offsets(checkpoint.plan([], OWNED).positions) == {}


def test_positions_of_a_partition_that_left_meanwhile_are_dropped(assignment: Assignment) -> None:
    checkpoint = Checkpoint(assignment, by_transactions=True)
    answers = [Said([claim]) for claim in (*begin(assignment, 1), *begin(assignment, 1, OTHER))]
    checkpoint.plan(answers, OWNED)
    assert offsets(checkpoint.plan([], {ONE: 2, OTHER: 1}).positions) == {OTHER: 1}
    assert offsets(checkpoint.plan([], OWNED).positions) == {OTHER: 1}, "it does not come back"
