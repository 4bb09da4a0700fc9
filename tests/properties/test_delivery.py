"""What decides about delivery holds for any order of events."""

import json
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.commit_note import (
    MAX_AHEAD,
    MAX_BYTES,
    MAX_DELAY_MS,
    MAX_DISTANCE,
    CommitNote,
    read_note,
    take_over_note,
)
from groundcam_runtime.partitions.offsets import MAX_CAMERAS
from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.partitions.sequence import SequenceGaps
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_schemas import FrameId
from groundcam_worker.policy.backlog import PATIENCE, Backlog
from groundcam_worker.policy.picture_budget import PictureBudget

frames = st.builds(FrameId, st.sampled_from("abc"), st.sampled_from(["r1", "r2"]), st.integers(0, 1000))
places = st.dictionaries(
    st.from_regex(r"[a-z0-9._-]{1,40}", fullmatch=True),
    st.tuples(st.text(max_size=40), st.integers(0, 2**63 - 1)),
    max_size=200,
)
PARTITION = Partition("frames", 0)


@given(st.booleans(), places, st.data())
def test_a_commit_note_is_read_as_it_was_written_and_fits(
    in_use: bool, last: dict[str, tuple[str, int]], data: st.DataObject
) -> None:
    wrong = data.draw(st.sets(st.sampled_from(sorted(last)))) if last else set()
    clocks = {name: data.draw(st.integers(-MAX_DELAY_MS, MAX_DELAY_MS)) for name in sorted(wrong)}
    ahead = tuple(sorted(data.draw(st.sets(st.integers(1, 2 * MAX_DISTANCE), max_size=2 * MAX_AHEAD))))
    text = CommitNote(in_use, last, clocks=clocks, ahead=ahead).text()
    read = read_note(text)
    assert len(text.encode()) <= MAX_BYTES + 64 + 6 * MAX_AHEAD + 12 < 4096
    assert read.ahead == tuple(one for one in ahead if one <= MAX_DISTANCE)[:MAX_AHEAD]
    assert read.in_use == in_use
    kept = list(last.items())[len(last) - len(read.last) :]
    assert dict(read.last) == dict(kept), "the cameras that were heard of last are kept"
    assert read.whole == (dict(read.last) == last), "a note that was cut says so"
    assert not read_note(CommitNote(in_use, last, whole=False).text()).whole
    if len(text) < MAX_BYTES - 100:  # with what is ahead, and without
        assert dict(read.last) == last
    assert read.clocks == {name: clocks[name] for name in read.last if name in clocks}
    assert read_note(take_over_note(text)) == CommitNote(True, read.last, read.whole, read.clocks, read.ahead)


OLD_NOTE = '{"v": 1, "in_use": true, "whole": true, "last": {"gate": ["run-1", 22], "yard": ["run-2", 5]}}'
NEW_NOTE = (
    '{"v": 1, "in_use": true, "whole": true, "last": {"gate": ["run-1", 22], "yard": ["run-2", 5]}, '
    '"clocks": {"yard": -300000}}'
)


def read_by_the_version_before(text: str) -> tuple[bool, dict[str, tuple[str, int]], bool] | None:
    """How workers without `clocks` read a note."""
    try:
        content = json.loads(text)
        if content["v"] != 1:
            return None
        last = {str(camera): (str(run), int(seq)) for camera, (run, seq) in content["last"].items()}
        return bool(content["in_use"]), last, bool(content.get("whole", True))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def test_notes_are_read_by_workers_of_both_versions() -> None:
    last = {"gate": ("run-1", 22), "yard": ("run-2", 5)}
    assert read_note(OLD_NOTE) == CommitNote(True, last)
    assert read_note(NEW_NOTE) == CommitNote(True, last, clocks={"yard": -300_000})
    assert read_by_the_version_before(OLD_NOTE) == read_by_the_version_before(NEW_NOTE) == (True, last, True)
    assert CommitNote(True, last).text() == OLD_NOTE, "where every clock is right, nothing is added"
    assert CommitNote(True, last, clocks={"yard": -300_000}).text() == NEW_NOTE


@pytest.mark.parametrize(
    "told", ["3", '["gate"]', '{"gate": "x"}', '{"gate": 1.5}', '{"gate": null}', '{"gate": true}']
)
def test_delays_that_cannot_be_read_take_nothing_else_along(told: str) -> None:
    note = NEW_NOTE.replace('{"yard": -300000}', told)
    assert read_note(note) == read_note(OLD_NOTE)


def test_a_partition_state_notes_wrong_clocks_until_they_are_right_and_not_for_ever() -> None:
    assignment = Assignment(8)
    assignment.arrive(Assigned({PARTITION: Position(0, NEW_NOTE)}, 1))
    claim = assignment.begin(Consumed(PARTITION, 0, 0, b"gate", b"", (), 0), FrameId("gate", "run-1", 23))
    assert claim is not None
    assert read_note(claim.state.position(1).note).clocks == {"yard": -300_000}
    claim.state.note_clock("gate", 5000)
    claim.state.note_clock("yard", None)
    assert read_note(claim.state.position(1).farewell).clocks == {"gate": 5000}
    for number in range(2000):
        claim.state.note_clock(f"cam{number}", 5000)
    assert len(claim.state.clocks) == MAX_CAMERAS


@given(st.text(max_size=200) | st.sampled_from(['{"v": 1}', '{"v": 2, "in_use": true}', "[]", '{"v":1,"last":3}']))
def test_what_others_wrote_into_a_commit_says_nothing(text: str) -> None:
    assert read_note(text) == CommitNote()


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.sampled_from([2, 3, 6, 1000]), st.data())
def test_every_frame_that_kafka_deleted_is_told_and_no_other(
    cameras: list[str], max_cameras: int, data: st.DataObject
) -> None:
    """A log of frames of which a stretch is deleted before it is read. Who knows too few cameras claims nothing more."""
    seqs: dict[str, int] = defaultdict(int)
    log = []
    for camera in cameras:
        log.append(FrameId(camera, "r", seqs[camera]))
        seqs[camera] += 1
    cut = data.draw(st.integers(0, len(log)))
    read_until = data.draw(st.integers(0, cut))
    follower = SequenceGaps(0, {}, max_cameras=max_cameras)
    told: list[FrameId] = []
    for offset in [*range(read_until), *range(cut, len(log))]:
        gone = follower.came(offset, log[offset], at_head=False)
        told += [FrameId(log[offset].camera_id, "r", seq) for seq in gone or ()]
        assert len(follower._last) <= max_cameras
        assert follower._unsure <= set(follower._last)
    seen_after = {frame.camera_id for frame in log[cut:]}
    deleted = {frame for frame in log[read_until:cut] if frame.camera_id in seen_after}
    assert len(told) == len(set(told))
    assert set(told) <= deleted
    if len(seqs) <= max_cameras:
        assert set(told) == deleted


def test_invented_names_push_out_the_longest_silent_and_a_camera_that_was_forgotten_is_not_claimed() -> None:
    follower = SequenceGaps(0, {}, max_cameras=3)
    for offset, name in enumerate(["old", "gate", "x1", "gate", "x2", "gate"]):
        follower.came(offset, FrameId(name, "r", offset), at_head=False)
    assert not follower.whole, "the first name is forgotten"
    assert follower.came(100, FrameId("gate", "r", 50), at_head=False) == range(6, 50), "who speaks is known"
    assert follower.came(101, FrameId("old", "r", 90), at_head=False) is None, "its frame 0 was read: nobody lost it"


def test_a_camera_that_is_forgotten_after_the_jump_is_not_claimed_either() -> None:
    follower = SequenceGaps(0, {}, max_cameras=2)
    for offset, name in enumerate(["old", "gate"]):
        follower.came(offset, FrameId(name, "r", 7), at_head=False)
    assert follower.came(100, FrameId("new", "r", 5), at_head=False) == range(5), "it was never here: it lost them all"
    assert follower.came(101, FrameId("old", "r", 90), at_head=False) is None


def test_a_note_that_was_cut_says_so_to_every_owner_that_comes_after() -> None:
    """Three owners, one after the other: the last one must not take the second one's short note for a whole one."""
    found = {f"camera-{number}": ("some-run-of-it", number) for number in range(200)}
    text = CommitNote(in_use=True, last=found).text()
    assert not read_note(text).whole
    second = Assignment(4)
    position = second.arrive(Assigned({PARTITION: Position(10, take_over_note(text))}, 1))[PARTITION]
    for note in (position.note, position.farewell):
        assert not read_note(note).whole
    third = SequenceGaps(10, read_note(position.farewell).last, whole=read_note(position.farewell).whole)
    assert third.came(20, FrameId("camera-0", "some-run-of-it", 9), at_head=False) is None


@given(st.lists(frames, max_size=30))
def test_numbers_that_are_missing_without_a_jump_are_the_producers_to_explain(seen: list[FrameId]) -> None:
    follower = SequenceGaps(0, {})
    assert not any(follower.came(offset, frame, at_head=True) for offset, frame in enumerate(seen))


def test_a_camera_that_comes_from_another_partition_lost_nothing_in_a_jump() -> None:
    follower = SequenceGaps(0, {})
    assert follower.came(100, FrameId("a", "r", 50), at_head=True) == range(50)
    assert follower.came(101, FrameId("moved", "r", 5000), at_head=True) is None


def test_plain_jpegs_are_numbered_by_offset_and_never_told_as_deleted() -> None:
    follower = SequenceGaps(0, {})
    assert follower.came(100, FrameId("a", "@frames/0", 100), at_head=False) is None


events = st.lists(
    st.tuples(st.sampled_from("abcd"), st.floats(0, 0.5), st.integers(0, 3), st.booleans()), min_size=1, max_size=80
)


@given(events)
def test_a_backlog_loses_nothing_and_keeps_each_cameras_order(steps: list[tuple[str, float, int, bool]]) -> None:
    now, stale_before = 0.0, [0.0]
    backlog: Backlog[tuple[str, int, float]] = Backlog(lambda item: item[2] < stale_before[0], calm_s=1.0)
    out: dict[str, list[int]] = defaultdict(list)
    pushed: dict[str, list[int]] = defaultdict(list)
    for number, (camera, pause_s, pops, sheds) in enumerate(steps):
        now += pause_s
        stale_before[0] = now - 1.0
        backlog.push((camera, number, now), line=camera, size=10, now=now)
        pushed[camera].append(number)
        if sheds:
            for shed_camera, shed_number, _ in backlog.shed(now):
                out[shed_camera].append(shed_number)
            assert not (waiting := backlog.peek()) or waiting[2] >= stale_before[0], "what is stale does not wait"
        for _ in range(min(pops, len(backlog))):
            popped = backlog.pop()
            out[popped[0]].append(popped[1])
        assert backlog.bytes == 10 * len(backlog)
    while len(backlog):
        popped = backlog.pop()
        out[popped[0]].append(popped[1])
    assert out == pushed


@given(st.integers(1, 200))
def test_a_camera_of_many_frames_starves_none_of_few(many: int) -> None:
    backlog: Backlog[tuple[str, int]] = Backlog(lambda _item: False, calm_s=1.0)
    for number in range(many):
        backlog.push(("busy", number), line="busy", size=1, now=0.0)
    backlog.push(("quiet", 0), line="quiet", size=1, now=0.0)
    assert ("quiet", 0) in [backlog.pop() for _ in range(min(2, many + 1))]


def test_a_camera_that_is_behind_is_answered_evenly_with_new_frames() -> None:
    """Ten frames a second arrive, five are taken: after the first shedding every second one is answered, fresh."""
    clock = [0.0]
    backlog: Backlog[float] = Backlog(lambda captured: clock[0] - captured > 3.0, calm_s=3.0)
    taken: list[tuple[float, float]] = []
    for tick in range(600):
        clock[0] = now = tick / 10
        backlog.push(now, line="gate", size=1, now=now)
        backlog.shed(now)
        if tick % 2 == 0:
            taken.append((now, now - backlog.pop()))
    ages = [age for at, age in taken if at > 10]
    assert max(ages) <= 3.0 * PATIENCE + 0.2, "the age stays far below the largest"


def test_partitions_that_left_do_not_wait() -> None:
    backlog: Backlog[int] = Backlog(lambda _item: False, calm_s=1.0)
    for number in range(10):
        backlog.push(number, line=number % 2, size=3, now=0.0)
    backlog.drop(lambda number: number % 2 == 0)
    assert (len(backlog), backlog.bytes) == (5, 15)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 100), st.booleans()), max_size=50))
def test_pictures_in_memory_are_bounded(steps: list[tuple[int, int, bool]]) -> None:
    budget, held = PictureBudget(4, 200), {}
    for owner, size, release in steps:
        if release:
            budget.release(owner)
            held.pop(owner, None)
        elif owner not in held and budget.fits(size):
            budget.hold(owner, size)
            held[owner] = size
        assert budget.bytes == sum(held.values())
        assert len(held) <= 4
        assert budget.bytes <= 200 or len(held) == 1


SUSPECTS = 8


def item(assignment: Assignment, offset: int) -> Claim:
    record = Consumed(PARTITION, offset, 0, b"a", b"", (), 0)
    frame = FrameId("a", "r", offset)
    claim = assignment.begin(record, frame)
    assert claim is not None
    return claim


@given(st.permutations(range(12)), st.integers(0, 12))
def test_a_commit_never_passes_an_unanswered_frame_and_names_the_last_one_before_it(
    order: list[int], leave_after: int
) -> None:
    assignment = Assignment(SUSPECTS)
    assignment.arrive(Assigned({PARTITION: None}, 1))
    items = [item(assignment, offset) for offset in range(12)]
    answered: set[int] = set()
    for count, offset in enumerate(order):
        if count == leave_after:
            assignment.leave(Gone(frozenset([PARTITION])))
        positions = assignment.finish([items[offset]])
        if count >= leave_after:
            assert positions == {}, "what has left is not ours to commit"
            continue
        answered.add(offset)
        for position in positions.values():
            assert set(range(position.offset)) <= answered
            assert position.offset not in answered
            assert read_note(position.note) == CommitNote(True, {"a": ("r", position.offset - 1)})
            assert read_note(position.farewell).in_use is (position.offset < SUSPECTS), "others are still to be tried"
