"""Each frame once, within memory that no writer can enlarge."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam_runtime.repeats import BLOCK_BITS, Repeats
from groundcam_schemas import FrameId

NUMBERS = st.integers(0, 40) | st.integers(0, 2**63 - 1)
SEEN = st.lists(st.builds(FrameId, st.sampled_from("abcde"), st.sampled_from(["r1", "r2"]), NUMBERS), max_size=80)


@given(SEEN, st.integers(1, 3), st.integers(1, 4))
def test_what_is_called_a_repeat_was_seen_and_the_tables_stay_within_their_bounds(
    frames: list[FrameId], blocks: int, cameras: int
) -> None:
    repeats, seen = Repeats(blocks, cameras), set()
    for frame in frames:
        assert not repeats.is_repeat(frame) or frame in seen
        assert repeats.is_repeat(frame), "at once after"
        seen.add(frame)
        assert len(repeats._seen) <= cameras
        assert all(len(one) <= blocks for one in repeats._seen.values())


@given(
    st.integers(0, 2**62),
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 11_000)), min_size=1, max_size=120),
)
def test_no_repeat_within_the_newest_eleven_thousand_numbers_is_let_through(
    start: int, steps: list[tuple[int, int]]
) -> None:
    """Frames come in order with holes, as a busy worker leaves them, and stretches of them come again."""
    repeats, sent = Repeats(), [start]
    assert not repeats.is_repeat(FrameId("gate", "r", start))
    for step, back in steps:
        sent.append(sent[-1] + step)
        assert not repeats.is_repeat(FrameId("gate", "r", sent[-1])), "it is new"
        for seq in [one for one in sent if one >= sent[-1] - back][:5]:
            assert repeats.is_repeat(FrameId("gate", "r", seq))


@pytest.mark.parametrize("start", [0, 1, 1023])
def test_of_a_long_run_the_newest_eleven_thousand_frames_are_remembered(start: int) -> None:
    repeats = Repeats()
    run = [FrameId("gate", "r", seq) for seq in range(start, start + 20_000)]
    assert not any(map(repeats.is_repeat, run))
    assert all(map(repeats.is_repeat, run[-11_000:]))


def test_a_camera_that_speaks_is_remembered_through_any_number_of_invented_names() -> None:
    repeats = Repeats(cameras=10)
    assert not repeats.is_repeat(FrameId("gate", "r", 0))
    for number in range(1000):
        repeats.is_repeat(FrameId(f"invented-{number}", "r", 0))
        assert repeats.is_repeat(FrameId("gate", "r", 0))


def test_a_number_far_ahead_takes_one_block_and_hides_no_repeat() -> None:
    """As somebody may forge it, or a restarted producer bring it."""
    repeats = Repeats()
    for seq in (5, 2**62, 6):
        assert not repeats.is_repeat(FrameId("gate", "r", seq))
    for seq in (5, 2**62, 6):
        assert repeats.is_repeat(FrameId("gate", "r", seq))


def test_runs_are_counted_apart() -> None:
    repeats = Repeats()
    assert not repeats.is_repeat(FrameId("gate", "r", 0))
    assert not repeats.is_repeat(FrameId("gate", "r2", 0))
    assert not repeats.is_repeat(FrameId("yard", "r", 0))
    assert repeats.is_repeat(FrameId("gate", "r", 0))


def memory_of(frames: Iterator[FrameId]) -> tuple[Repeats, int]:
    repeats = Repeats(cameras=1000)
    tracemalloc.start()
    try:
        for frame in frames:
            repeats.is_repeat(frame)
        return repeats, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_the_memory_of_what_was_seen_does_not_grow_with_the_time() -> None:
    """Half an hour of one camera once took a megabyte, and each name that was ever written some 900 bytes."""
    _, hours = memory_of(FrameId("gate", "r", 2 * number) for number in range(60_000))
    assert hours < 20_000
    _, names = memory_of(FrameId(f"invented-{number}", "r", 0) for number in range(20_000))
    assert names < 1_000_000
    step = 1 << BLOCK_BITS
    _, numbers = memory_of(FrameId(f"cam{number % 1000}", "r", number * step) for number in range(30_000))
    assert numbers < 8_000_000


def test_a_thousand_cameras_take_no_more_after_a_week_than_after_an_hour() -> None:
    """Five frames a second, every third of them not looked at, a new run each day, and a minute of each hour again."""
    hour, day = 5 * 3600, 24
    stretch = 12  # of each hour; what lies between changes nothing but the numbers

    def frames(hours: range) -> Iterator[FrameId]:
        for number in hours:
            run, first = f"run-{number // day}", number % day * hour
            for camera in range(1000):
                seqs = [seq for seq in range(first, first + stretch) if seq % 3]
                yield from (FrameId(f"camera-{camera}", run, seq) for seq in (*seqs, *seqs[-5:]))

    repeats, taken = Repeats(), []
    tracemalloc.start()
    try:
        for hours in (range(13), range(160, 168)):
            for frame in frames(hours):
                repeats.is_repeat(frame)
            taken.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert max(taken) < 20_000_000
    assert taken[1] < 1.25 * taken[0]
