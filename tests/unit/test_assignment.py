"""Whose frames are ours, what of them is open, and what a commit says: one partition's life, step by step."""

import json

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.commit_note import CommitNote, read_note
from groundcam_runtime.partitions.offsets import MAX_CAMERAS, OffsetLedger
from groundcam_runtime.partitions.partition import Claim, PartitionState
from groundcam_runtime.partitions.sequence import SequenceGaps
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_schemas import FrameId

ONE, OTHER = Partition("frames", 0), Partition("frames", 1)
SUSPECTS = 6
IN_USE = CommitNote(in_use=True).text()


def record(offset: int, partition: Partition = ONE) -> Consumed:
    return Consumed(partition, offset, 0, b"gate", b"", (), 0)


def began(assignment: Assignment, offset: int, partition: Partition = ONE) -> Claim:
    claim = assignment.begin(record(offset, partition), FrameId("gate", "r", offset))
    assert claim is not None
    return claim


START = Position(0)


def owner(position: Position | None = START, epoch: int = 1, partition: Partition = ONE) -> Assignment:
    assignment = Assignment(SUSPECTS)
    assignment.arrive(Assigned({partition: position}, epoch))
    return assignment


def test_after_a_worker_died_the_first_frames_are_suspects() -> None:
    assert began(owner(Position(100, IN_USE)), 100).state.suspects_end == 100 + SUSPECTS


def test_after_a_worker_left_in_order_nothing_is_suspect() -> None:
    for note in (CommitNote(in_use=False).text(), "", "of another program"):
        assert began(owner(Position(100, note)), 100).state.suspects_end == 0


def test_who_comes_after_one_that_left_before_every_suspect_was_tried_tries_the_others() -> None:
    """A frame that ends processes would cost one more of them, and what else is in its batch."""
    assignment = owner(Position(100, IN_USE))
    for offset in range(100, 100 + SUSPECTS):
        left = assignment.finish([began(assignment, offset)])[ONE]
        is_through = offset == 100 + SUSPECTS - 1
        assert read_note(left.farewell).in_use is not is_through, offset
    unknown = owner(None)
    assert read_note(unknown.finish([began(unknown, 40)])[ONE].farewell).in_use


def test_where_nobody_knows_how_a_partition_was_left_the_first_frames_that_come_are_suspects() -> None:
    assignment = owner(None)
    assert began(assignment, 40).state.suspects_end == 40 + SUSPECTS
    assert began(assignment, 41).state.suspects_end == 40 + SUSPECTS


def test_a_partition_is_taken_on_where_it_was_committed_and_marked_as_in_use() -> None:
    found = CommitNote(last={"gate": ("r", 6)}, whole=False, clocks={"gate": -5000})
    assignment = Assignment(SUSPECTS)
    positions = assignment.arrive(Assigned({ONE: Position(7, found.text()), OTHER: None}, 3))
    assert list(positions) == [ONE], "of the other one no offset is known"
    position = positions[ONE]
    assert (position.offset, position.epoch) == (7, 3)
    assert read_note(position.note) == CommitNote(True, found.last, False, found.clocks)
    assert read_note(position.farewell) == CommitNote(False, found.last, False, found.clocks)
    assert len(assignment) == 2


def test_what_is_open_is_counted_over_all_partitions() -> None:
    assignment = owner()
    assignment.arrive(Assigned({OTHER: Position(10)}, 1))
    claims = [began(assignment, 0), began(assignment, 1), began(assignment, 10, OTHER)]
    assert assignment.open_count == 3
    assert assignment.open_records == {(ONE, 0), (ONE, 1), (OTHER, 10)}
    assignment.finish([claims[1]])
    assert assignment.open_count == 2
    assert assignment.open_records == {(ONE, 0), (OTHER, 10)}


def test_frames_of_several_partitions_are_finished_together_and_each_position_is_told_once() -> None:
    assignment = owner()
    assignment.arrive(Assigned({OTHER: Position(10)}, 1))
    first, second, third = (began(assignment, offset) for offset in range(3))
    elsewhere = began(assignment, 10, OTHER)
    positions = assignment.finish([first, elsewhere, second])
    assert {partition: one.offset for partition, one in positions.items()} == {ONE: 2, OTHER: 11}
    assert read_note(positions[ONE].note).last == {"gate": ("r", 1)}
    assert assignment.finish([first, second]) == {}, "they are finished already"
    assert assignment.finish([third])[ONE].offset == 3


def test_the_end_of_what_is_answered_is_known_of_every_partition_that_has_one() -> None:
    assignment = owner(Position(5))
    assignment.arrive(Assigned({OTHER: None}, 1))
    assert assignment.ends() == {ONE: 5}
    first, second = began(assignment, 5), began(assignment, 6)
    assert assignment.ends() == {ONE: 5}
    assignment.finish([second])
    assert assignment.ends() == {ONE: 5}
    assignment.finish([first])
    assert assignment.ends() == {ONE: 7}
    began(assignment, 0, OTHER)
    assert assignment.ends() == {ONE: 7, OTHER: 0}


def test_what_has_left_is_neither_begun_nor_finished() -> None:
    assignment = owner()
    claim = began(assignment, 0)
    assert assignment.is_ours(claim)
    assignment.leave(Gone(frozenset([ONE, OTHER])))
    assert not assignment.is_ours(claim)
    assert assignment.begin(record(1), None) is None
    assert assignment.finish([claim]) == {}
    assert (len(assignment), assignment.open_count) == (0, 0)


def test_of_a_partition_that_is_about_to_leave_nothing_is_begun_and_what_was_published_is_finished() -> None:
    assignment = owner()
    assignment.arrive(Assigned({OTHER: Position(10)}, 1))
    leaving, staying = began(assignment, 0), began(assignment, 10, OTHER)
    assignment.prepare_to_leave([ONE, Partition("frames", 7)])
    assert (assignment.is_ours(leaving), assignment.is_ours(staying)) == (False, True)
    assert assignment.begin(record(1), None) is None
    assert began(assignment, 11, OTHER)
    assert assignment.holds(leaving)
    assert assignment.finish([leaving])[ONE].offset == 1


def test_a_partition_that_came_back_finishes_nothing_of_its_first_time() -> None:
    """Also where the same record is open again, in what may be the same epoch."""
    for epoch in (1, 2):
        assignment = owner()
        before = began(assignment, 0)
        assignment.leave(Gone(frozenset([ONE])))
        assignment.arrive(Assigned({ONE: Position(0)}, epoch))
        again = began(assignment, 0)
        assert (assignment.is_ours(before), assignment.is_ours(again)) == (False, True)
        assert assignment.finish([before]) == {}
        assert assignment.open_count == 1
        assert assignment.finish([again])[ONE].epoch == epoch


def test_offsets_that_are_missing_break_nothing() -> None:
    assignment = owner(Position(0, CommitNote(last={"gate": ("r", 0)}).text()))
    claims = [began(assignment, 0), began(assignment, 1), began(assignment, 50)]
    assert all(assignment.is_ours(claim) for claim in claims)
    assert assignment.finish(claims)[ONE].offset == 51


def test_a_topic_that_was_made_anew_is_read_from_where_it_begins() -> None:
    assignment = owner(Position(500, IN_USE), epoch=4)
    old = began(assignment, 500)
    old.state.note_clock("gate", 9000)
    new = began(assignment, 0)
    assert (assignment.is_ours(old), assignment.is_ours(new)) == (False, True)
    assert assignment.open_count == 1, "what came before is not there to be committed"
    assert new.state.suspects_end == 0
    assert new.state.sequence.came(0, FrameId("gate", "r", 0), at_head=False) is None, "nothing is missing in it"
    position = assignment.finish([new])[ONE]
    assert (position.offset, position.epoch) == (1, 4)
    assert read_note(position.note) == CommitNote(True, {"gate": ("r", 0)}, True, {"gate": 9000})


def state() -> PartitionState:
    return PartitionState(1, OffsetLedger(), SequenceGaps(0, {}))


def test_a_partition_without_a_known_past_has_no_suspects_and_no_end() -> None:
    assert (state().suspects_end, state().end) == (0, None)


def test_a_clock_that_is_right_again_is_forgotten() -> None:
    one = state()
    one.note_clock("gate", 5000)
    one.note_clock("yard", -1)
    one.note_clock("gate", None)
    one.note_clock("roof", None)
    assert one.clocks == {"yard": -1}


def test_of_too_many_wrong_clocks_those_heard_of_longest_ago_are_forgotten() -> None:
    one = state()
    for number in range(MAX_CAMERAS):
        one.note_clock(f"camera-{number}", 5000)
    one.note_clock("camera-0", 6000)
    assert len(one.clocks) == MAX_CAMERAS
    one.note_clock("one-more", 7000)
    assert len(one.clocks) == MAX_CAMERAS
    assert "camera-1" not in one.clocks
    assert (one.clocks["camera-0"], one.clocks["one-more"]) == (6000, 7000)


def noting(position: Position = START) -> Assignment:
    assignment = Assignment(SUSPECTS, notes_ahead=True)
    assignment.arrive(Assigned({ONE: position}, 1))
    return assignment


def test_what_is_answered_behind_an_open_record_is_noted_and_the_next_owner_knows_it() -> None:
    first = noting(Position(10))
    claims = [began(first, offset) for offset in range(10, 15)]
    assert first.finish([claims[0], claims[2], claims[3]])[ONE].offset == 11
    position = first.finish([claims[4]])[ONE]
    assert (position.offset, read_note(position.farewell).ahead) == (11, (1, 2, 3)), "also where the offset stays"
    second = noting(position)
    assert began(second, 11).state.answered == {12, 13, 14}
    between = second.finish([began(second, 12)])[ONE]
    assert (between.offset, read_note(between.note).ahead) == (11, (1, 2, 3)), "it stays noted until the offset passes"
    assert began(noting(Position(11, position.note)), 11).state.answered == {12, 13, 14}, "also after a death"


def test_what_was_noted_is_not_believed_of_a_topic_that_was_made_again() -> None:
    assignment = noting(Position(10, CommitNote(ahead=(2,)).text()))
    assert began(assignment, 3).state.answered == frozenset()


def test_where_answers_are_not_on_kafka_before_their_offsets_nothing_is_noted_ahead() -> None:
    assignment = owner(Position(10, CommitNote(ahead=(2,)).text()))
    claims = [began(assignment, offset) for offset in (10, 11, 12)]
    assert claims[0].state.answered == frozenset()
    assert assignment.finish([claims[1]]) == {}
    assert read_note(assignment.finish([claims[0]])[ONE].note).ahead == ()


def test_two_of_one_content_are_two() -> None:
    """A partition that came back in the same state is another one, and so is a record of it."""
    ledger, sequence = OffsetLedger(), SequenceGaps(0, {})
    first, second = PartitionState(1, ledger, sequence), PartitionState(1, ledger, sequence)
    assert first != second
    assert Claim(ONE, 1, first) != Claim(ONE, 1, first)


def test_what_was_answered_before_counts_as_ahead_where_it_lies_behind_the_offset() -> None:
    one = PartitionState(1, OffsetLedger(), SequenceGaps(0, {}), answered=frozenset({5, 7, 9}), notes_ahead=True)
    assert json.loads(one.position(7).note)["ahead"] == [2]
    silent = PartitionState(1, OffsetLedger(), SequenceGaps(0, {}), answered=frozenset({5, 7, 9}))
    assert read_note(silent.position(7).note).ahead == ()
