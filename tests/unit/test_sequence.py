"""Which frames Kafka deleted, record by record."""

import pytest

from groundcam_runtime.partitions.sequence import SequenceGaps
from groundcam_schemas import FrameId

LAST = {"gate": ("m", 9)}


def after_a_jump(frame: FrameId, last: dict[str, tuple[str, int]] | None = None, *, whole: bool = True) -> range | None:
    """What is missing before a frame that comes at offset 20 where 10 should have come."""
    return SequenceGaps(10, LAST if last is None else last, whole=whole).came(20, frame, at_head=False)


def test_what_is_missing_between_a_cameras_last_frame_and_its_next_one_was_deleted() -> None:
    assert after_a_jump(FrameId("gate", "m", 15)) == range(10, 15)
    assert after_a_jump(FrameId("gate", "m", 11)) == range(10, 11)
    assert after_a_jump(FrameId("gate", "m", 10)) is None, "the jump was another camera's"


@pytest.mark.parametrize("run", ["a", "z"])
@pytest.mark.parametrize("seq", [3, 9, 12])
def test_of_a_new_run_everything_before_its_first_frame_was_deleted(run: str, seq: int) -> None:
    assert after_a_jump(FrameId("gate", run, seq)) == range(seq)


@pytest.mark.parametrize("run", ["a", "z"])
def test_a_new_run_that_begins_with_its_first_frame_lost_nothing(run: str) -> None:
    assert after_a_jump(FrameId("gate", run, 0)) is None


def test_a_camera_that_was_never_heard_of_lost_everything_before_its_first_frame_if_all_are_known() -> None:
    assert after_a_jump(FrameId("new", "r", 5)) == range(5)
    assert after_a_jump(FrameId("new", "r", 5), whole=False) is None


@pytest.mark.parametrize("seq", [0, 8, 9])
def test_a_frame_that_comes_again_tells_nothing_and_the_next_one_tells(seq: int) -> None:
    gaps = SequenceGaps(10, LAST)
    assert gaps.came(20, FrameId("gate", "m", seq), at_head=False) is None
    assert gaps.came(21, FrameId("gate", "m", 12), at_head=False) == range(10, 12)


def test_each_camera_is_asked_once_after_a_jump() -> None:
    gaps = SequenceGaps(10, LAST)
    assert gaps.came(20, FrameId("gate", "m", 12), at_head=False) == range(10, 12)
    assert gaps.came(21, FrameId("gate", "m", 15), at_head=False) is None, "these are the producer's to explain"


def test_a_single_record_that_is_missing_is_a_jump() -> None:
    gaps = SequenceGaps(10, LAST)
    assert gaps.came(10, FrameId("gate", "m", 10), at_head=False) is None
    assert gaps.came(12, FrameId("gate", "m", 12), at_head=False) == range(11, 12)


@pytest.mark.parametrize("offset", [5, 10])
def test_an_offset_that_was_expected_or_has_passed_is_no_jump(offset: int) -> None:
    assert SequenceGaps(10, LAST).came(offset, FrameId("gate", "m", 15), at_head=False) is None


def test_where_nobody_knows_what_should_come_nothing_is_missing() -> None:
    gaps = SequenceGaps(None, LAST)
    assert gaps.came(20, FrameId("gate", "m", 15), at_head=False) is None
    assert gaps.came(30, FrameId("gate", "m", 18), at_head=False) == range(16, 18)


def test_what_is_no_frame_is_a_record_all_the_same() -> None:
    gaps = SequenceGaps(10, LAST)
    assert gaps.came(10, None, at_head=False) is None
    assert gaps.came(11, FrameId("gate", "m", 15), at_head=False) is None
    assert gaps.came(20, None, at_head=False) is None
    assert gaps.came(21, FrameId("gate", "m", 18), at_head=False) == range(16, 18)


def test_a_camera_that_is_first_heard_of_after_the_head_came_from_elsewhere() -> None:
    gaps = SequenceGaps(10, LAST)
    gaps.came(20, FrameId("yard", "r", 0), at_head=True)
    assert gaps.came(21, FrameId("new", "r", 5), at_head=False) is None
    assert gaps.came(22, FrameId("gate", "m", 15), at_head=False) == range(10, 15), "who was known is still in doubt"


def test_plain_jpegs_have_no_numbers_of_their_own() -> None:
    assert after_a_jump(FrameId("gate", "@frames/0", 15)) is None
    assert after_a_jump(FrameId("new", "@frames/0", 15)) is None
    assert after_a_jump(FrameId("new", "a@b", 15)) == range(15)


def test_who_spoke_last_is_forgotten_last() -> None:
    gaps = SequenceGaps(0, {"a": ("r", 1), "b": ("r", 1), "c": ("r", 1)}, max_cameras=3)
    gaps.came(0, FrameId("a", "r", 1), at_head=False)
    gaps.came(1, FrameId("b", "r", 2), at_head=False)
    assert gaps.whole
    gaps.came(2, FrameId("new", "r", 0), at_head=False)
    assert not gaps.whole
    assert gaps.came(50, FrameId("c", "r", 9), at_head=False) is None, "it is forgotten"
    assert gaps.came(51, FrameId("a", "r", 9), at_head=False) is None, "and now the next one is"
    assert gaps.came(52, FrameId("b", "r", 9), at_head=False) is None
