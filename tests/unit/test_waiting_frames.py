"""What becomes of frames that wait: the backlog, the batcher and the budget of pictures, moment by moment."""

import math

import pytest

from groundcam_worker.policy.backlog import Backlog
from groundcam_worker.policy.batcher import Batcher
from groundcam_worker.policy.limits import Limits
from groundcam_worker.policy.picture_budget import PictureBudget

CALM_S = 10.0
PATIENCE_S = 1.0
"""A tenth of it: so long a frame of a camera that is behind waits beside a newer one."""


class Line:
    """A backlog whose frames are named, and too old from a given moment on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stale_at: dict[str, float] = {}
        self.backlog: Backlog[str] = Backlog(lambda frame: self.now >= self.stale_at[frame], CALM_S)

    def push(self, frame: str, at: float, *, stale_at: float = 1e9) -> None:
        self.stale_at[frame] = stale_at
        self.backlog.push(frame, line=frame[0], size=len(frame), now=at)

    def shed(self, at: float) -> list[str]:
        self.now = at
        return self.backlog.shed(at)

    def pop_all(self) -> list[str]:
        return [self.backlog.pop() for _ in range(len(self.backlog))]

    def fall_behind(self, at: float) -> None:
        """The camera `a` has a frame that is too old."""
        self.push("a-old", at, stale_at=at)
        assert self.shed(at) == ["a-old"]


def test_cameras_take_turns_and_each_keeps_its_order() -> None:
    line = Line()
    for frame in ("a1", "a2", "a3", "b1", "c1", "c2"):
        line.push(frame, 0.0)
    assert line.backlog.peek() == "a1"
    assert line.backlog.items == ["a1", "a2", "a3", "b1", "c1", "c2"]
    assert line.pop_all() == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_an_empty_backlog_has_nothing_next() -> None:
    backlog = Line().backlog
    assert backlog.peek() is None
    assert (len(backlog), backlog.bytes) == (0, 0)
    with pytest.raises(KeyError):
        backlog.pop()


def test_lines_that_are_never_calm_again_are_not_remembered() -> None:
    """As of requests: their names are those of services, and of whoever may write to the topic."""
    backlog: Backlog[int] = Backlog(lambda number: number % 2 == 0, math.inf)
    for number in range(1000):
        backlog.push(number, line=f"service-{number}", size=1, now=0.0)
    assert backlog.shed(0.0) == list(range(0, 1000, 2))
    assert backlog.items == list(range(1, 1000, 2))
    assert not backlog._behind_until


def test_frames_that_are_too_old_are_shed_in_order_and_leave_no_trace() -> None:
    line = Line()
    line.push("a1", 0.0, stale_at=5.0)
    line.push("a22", 1.0, stale_at=6.0)
    line.push("b1", 1.0, stale_at=6.0)
    assert line.shed(4.9) == []
    assert line.shed(6.0) == ["a1", "a22", "b1"]
    assert (line.backlog.peek(), len(line.backlog), line.backlog.bytes) == (None, 0, 0)
    assert line.shed(7.0) == []


def test_while_a_camera_keeps_up_its_frames_wait_beside_newer_ones() -> None:
    line = Line()
    line.push("a1", 0.0)
    line.push("a2", 0.0)
    assert line.shed(9.0) == []


def test_of_a_camera_that_is_behind_a_frame_beside_a_newer_one_waits_for_a_moment_and_no_longer() -> None:
    line = Line()
    line.fall_behind(0.0)
    line.push("a1", 1.0)
    line.push("a2", 1.5)
    line.push("a3", 3.0)
    assert line.shed(1.0 + PATIENCE_S) == []
    assert line.shed(1.01 + PATIENCE_S) == ["a1"]
    assert line.shed(3.5) == ["a2"]
    assert line.pop_all() == ["a3"]


def test_the_only_fresh_frame_of_a_camera_that_is_behind_is_answered() -> None:
    line = Line()
    line.fall_behind(0.0)
    line.push("a1", 0.0)
    assert line.shed(9.9) == []
    line.push("a2", 9.9)
    assert line.shed(9.95) == ["a1"], "it had waited, and now there is a newer one"
    assert line.shed(15.0) == []


def test_one_camera_that_is_behind_costs_the_others_nothing() -> None:
    line = Line()
    line.fall_behind(0.0)
    line.push("b1", 0.0)
    line.push("b2", 0.0)
    assert line.shed(5.0) == []


def test_a_camera_that_has_kept_up_for_a_while_counts_as_one_that_does() -> None:
    line = Line()
    line.fall_behind(0.0)
    line.push("a1", 0.0)
    line.push("a2", 0.0)
    assert line.shed(CALM_S) == []
    assert line.pop_all() == ["a1", "a2"]


def test_a_camera_that_fell_behind_long_ago_counts_as_one_that_does() -> None:
    line = Line()
    line.fall_behind(0.0)
    line.push("a1", 0.0)
    line.push("a2", 0.0)
    assert line.shed(CALM_S + 5) == []


def test_only_what_is_stale_is_shed_before_its_moment_beside_a_newer_one_is_over() -> None:
    line = Line()
    line.push("a1", 0.0, stale_at=0.5)
    line.push("a2", 0.4)
    assert line.shed(0.5) == ["a1"]
    assert line.pop_all() == ["a2"]


def test_every_frame_that_is_shed_begins_the_while_anew() -> None:
    line = Line()
    line.fall_behind(0.0)
    line.push("a1", 8.0)
    line.push("a2", 8.5)
    assert line.shed(9.5) == ["a1"]
    line.push("a3", 18.0)
    assert line.shed(9.4 + CALM_S) == ["a2"]
    line.push("a4", 19.0)
    assert line.shed(9.4 + 2 * CALM_S) == []


def test_what_is_dropped_takes_its_bytes_along_and_the_others_keep_their_turns() -> None:
    line = Line()
    for frame in ("a1", "b22", "b1", "c1"):
        line.push(frame, 0.0)
    line.backlog.drop(lambda frame: frame in ("a1", "b22"))
    assert (len(line.backlog), line.backlog.bytes) == (2, 4)
    assert line.pop_all() == ["b1", "c1"]
    assert line.backlog.bytes == 0


WAIT_S = 0.5


def batcher(*frames: str, size: int = 3, every_s: float = 0.0) -> Batcher[str]:
    """A batcher with frames such as `gate:wide:1`, one after the other."""
    made: Batcher[str] = Batcher(size, WAIT_S)
    for number, frame in enumerate(frames):
        push(made, frame, number * every_s)
    return made


def push(to: Batcher[str], frame: str, now: float) -> None:
    camera, shape, _ = frame.split(":")
    to.push(frame, shape=shape, lane=camera, now=now)


def test_a_batch_that_is_not_full_is_ready_when_its_oldest_frame_has_waited_and_not_before() -> None:
    waiting = batcher("a:wide:1", "b:wide:1", every_s=0.25)
    assert waiting.deadline == WAIT_S
    assert waiting.pop(now=0.25) is None
    assert waiting.pop(now=0.499) is None
    assert waiting.pop(now=WAIT_S) == ["a:wide:1", "b:wide:1"]
    assert waiting.deadline is None


def test_a_full_batch_is_ready_at_once_and_the_next_frame_begins_another() -> None:
    waiting = batcher("a:wide:1", "b:wide:1", "c:wide:1", "d:wide:1")
    assert waiting.pop(now=0.0) == ["a:wide:1", "b:wide:1", "c:wide:1"]
    assert waiting.pop(now=0.0) is None
    assert (len(waiting), waiting.pop_any()) == (1, ["d:wide:1"])
    assert (len(waiting), waiting.pop_any()) == (0, None)


def test_a_full_batch_passes_one_that_waits_for_more() -> None:
    waiting = batcher("a:tall:1", "a:tall:2", "b:wide:1", "c:wide:1", "d:wide:1")
    assert waiting.pop(now=0.0) == ["b:wide:1", "c:wide:1", "d:wide:1"]
    assert waiting.pop_any() == ["a:tall:1", "a:tall:2"]


def test_frames_join_the_batch_of_their_shape_wherever_it_stands() -> None:
    waiting = batcher("a:wide:1", "b:tall:1", "c:wide:1", "d:tall:1")
    assert waiting.pop_any() == ["a:wide:1", "c:wide:1"]
    assert waiting.pop_any() == ["b:tall:1", "d:tall:1"]


def test_a_camera_that_changes_its_shape_closes_the_batch_in_which_it_waits() -> None:
    """Nothing may join it any more, so that nothing is gained by waiting."""
    waiting = batcher("a:wide:1", "a:tall:1", "b:wide:1")
    assert waiting.pop(now=0.0) == ["a:wide:1"]
    assert waiting.pop(now=0.0) is None
    assert [waiting.pop_any(), waiting.pop_any()] == [["a:tall:1"], ["b:wide:1"]]


def test_a_frame_joins_no_batch_that_leaves_before_an_earlier_one_of_its_camera() -> None:
    waiting = batcher("b:wide:1", "a:tall:1", "a:wide:1")
    assert waiting.pop(now=0.0) == ["a:tall:1"], "its batch is closed"
    assert [waiting.pop_any(), waiting.pop_any()] == [["b:wide:1"], ["a:wide:1"]]


def test_a_batcher_of_one_waits_for_nobody() -> None:
    waiting = batcher("a:wide:1", "a:wide:2", size=1)
    assert waiting.pop(now=0.0) == ["a:wide:1"]
    assert waiting.pop(now=0.0) == ["a:wide:2"]


def test_a_batcher_may_wait_not_at_all() -> None:
    made: Batcher[str] = Batcher(4, 0.0)
    push(made, "a:wide:1", 7.0)
    assert made.deadline == 7.0
    assert made.pop(now=7.0) == ["a:wide:1"]


@pytest.mark.parametrize(("max_items", "full"), [(1, 1), (2, 2), (3, 3), (9, 3), (None, 3)])
def test_items_of_a_shape_may_have_a_smaller_batch_and_no_larger_one(max_items: int | None, full: int) -> None:
    waiting: Batcher[int] = Batcher(3, WAIT_S)
    for number in range(4):
        waiting.push(number, shape="wide", lane="a", now=0.0, max_items=max_items)
    assert waiting.pop(now=0.0) == list(range(full))
    assert waiting.items == list(range(full, 4))


@pytest.mark.parametrize(("size", "wait_s"), [(0, 1.0), (-1, 1.0), (1, -0.1)])
def test_a_batch_without_room_or_of_the_past_is_refused(size: int, wait_s: float) -> None:
    with pytest.raises(ValueError, match="items can wait"):
        Batcher(size, wait_s)


def test_pictures_are_admitted_up_to_both_bounds() -> None:
    budget = PictureBudget(3, 100)
    budget.hold("a", 40)
    assert budget.fits(60)
    assert not budget.fits(61)
    budget.hold("b", 30)
    assert budget.fits(30)
    budget.hold("c", 1)
    assert not budget.fits(0), "there are three"
    assert (len(budget), budget.bytes, budget.owners) == (3, 71, {"a", "b", "c"})


def test_a_picture_larger_than_the_bound_is_admitted_alone() -> None:
    budget = PictureBudget(1, 100)
    assert budget.fits(5000)
    budget.hold("a", 5000)
    assert not budget.fits(0)
    budget.release("a")
    assert budget.fits(5000)


def test_a_picture_is_counted_once_and_one_that_is_not_held_does_not_matter() -> None:
    budget = PictureBudget(4, 100)
    budget.hold("a", 40)
    budget.hold("a", 50)
    budget.release("b")
    assert (len(budget), budget.bytes) == (1, 50)
    budget.release("a")
    budget.release("a")
    assert (len(budget), budget.bytes) == (0, 0)


@pytest.mark.parametrize(
    ("batch_size", "pictures", "unanswered"), [(1, 3, 1024), (8, 24, 1024), (16, 48, 1024), (17, 51, 1088)]
)
def test_what_may_be_in_memory_follows_from_the_batch_size(batch_size: int, pictures: int, unanswered: int) -> None:
    """One batch runs, one is ready, one is being decoded; and of each partition twice as many are suspects."""
    limits = Limits(batch_size=batch_size)
    assert (limits.pictures, limits.unanswered, limits.suspects) == (pictures, unanswered, 2 * pictures)


def test_the_deadline_is_that_of_the_oldest_batch() -> None:
    waiting = batcher("a:wide:1", "b:tall:1", every_s=0.25)
    assert waiting.deadline == WAIT_S
    assert waiting.pop(now=10.0) == ["a:wide:1"], "also long after it"


def test_a_batch_that_is_larger_than_a_new_item_allows_is_full() -> None:
    waiting: Batcher[int] = Batcher(9, WAIT_S)
    for number, most in enumerate((None, None, 2)):
        waiting.push(number, shape="wide", lane="a", now=0.0, max_items=most)
    assert waiting.pop(now=0.0) == [0, 1, 2]


def test_where_more_pictures_are_held_than_there_is_room_for_none_fits() -> None:
    budget = PictureBudget(3, 1000)
    for owner in "abcd":
        budget.hold(owner, 1)
    assert not budget.fits(1)
