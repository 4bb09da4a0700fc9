"""Is a frame stale: bounds, what is remembered of cameras, and what a commit note brings, number by number."""

import pytest

from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import FrameId
from groundcam_worker.policy.freshness import Freshness

NS = 1_000_000_000
START_S = 1_000_000


def record(at_s: float, *, least_s: float = 0.0, most_s: float | None = 0.0, appended_s: float | None = None,
           monotonic_s: float | None = None, partition: int = 0) -> Consumed:  # fmt: skip
    """A record that was taken so long after the start."""
    return Consumed(
        partition=Partition("frames", partition), offset=0, timestamp_ms=0, key=None, value=None, headers=(),
        consumed_at_ns=ns(at_s), waited_at_least_s=least_s, waited_at_most_s=most_s,
        appended_at_ns=None if appended_s is None else ns(appended_s),
        monotonic_ns=None if monotonic_s is None else round(monotonic_s * NS),
    )  # fmt: skip


def ns(at_s: float) -> int:
    return round((START_S + at_s) * NS)


class World:
    """Cameras whose clocks are behind ours, before one `Freshness`."""

    def __init__(self, max_age_s: float = 5.0) -> None:
        self.freshness = Freshness(max_age_s)
        self.seq = -1

    def frame(
        self, at_s: float, *, late_s: float = 0.0, camera: str = "gate", run: str = "r1", **how: float | None
    ) -> float | None:
        """A frame comes whose stamp is so much older than its arrival; returns what its run's delay is known to be."""
        self.seq += 1
        self.last = FrameId(camera, run, self.seq), ns(at_s - late_s), record(at_s, **how)  # type: ignore[arg-type]
        return self.freshness.arrived(*self.last)

    def age_s(self, now_s: float) -> float:
        """The newest frame's."""
        return self.freshness.age_s(*self.last, ns(now_s))


def test_the_delay_of_a_run_is_told_in_seconds_where_it_is_known() -> None:
    world = World()
    assert world.frame(10.0, late_s=300.0) == 300.0
    assert world.frame(11.0, late_s=300.5) == 300.0
    assert world.frame(12.0, late_s=300.0, most_s=None) is None


@pytest.mark.parametrize(("most_s", "is_told"), [(5.0, True), (5.5, True), (6.0, True), (6.001, False), (None, False)])
def test_a_delay_is_known_where_the_bounds_of_the_wait_are_a_second_apart(most_s: float | None, is_told: bool) -> None:
    assert (World().frame(10.0, late_s=5.0, least_s=5.0, most_s=most_s) is not None) == is_told


def test_a_frame_ages_from_when_it_came_and_is_never_younger_than_that() -> None:
    world = World()
    world.frame(10.0)
    assert [world.age_s(now_s) for now_s in (9.0, 10.0, 10.5)] == [0.0, 0.0, 0.5]


def test_a_frame_of_just_the_largest_age_is_not_stale() -> None:
    world = World(max_age_s=5.0)
    world.frame(10.0)
    assert [world.freshness.is_stale(*world.last, ns(now_s)) for now_s in (15.0, 15.001)] == [False, True]


@pytest.mark.parametrize(("frames", "age_s"), [(1, 400.0), (2, 100.0)])
def test_two_frames_of_a_run_tell_how_wrong_the_camera_is_in_its_next_run(frames: int, age_s: float) -> None:
    """A single stamp may be anything."""
    world = World()
    for number in range(frames):
        world.frame(10.0 + number, late_s=300.0)
    world.frame(500.0, late_s=400.0, run="r2", most_s=None)
    assert world.age_s(500.0) == age_s


def test_of_4096_cameras_each_is_remembered_and_of_one_more_the_one_that_was_quiet_for_longest_is_not() -> None:
    world = World()
    names = [f"cam{number}" for number in range(4096)]
    for name in names:
        world.frame(10.0, late_s=300.0, camera=name)
    assert {world.freshness.remembered(name) for name in names} == {300_000}
    world.frame(11.0, late_s=300.0, camera="cam0")
    world.frame(11.0, late_s=300.0, camera="one more")
    known = [name for name in [*names, "one more"] if world.freshness.remembered(name) is not None]
    assert known == ["cam0", *names[2:], "one more"]


def test_what_is_written_down_is_the_difference_to_our_clock_as_it_is_now() -> None:
    """Ours is set by 100 s; a clock that is never set shows that."""
    world = World()
    world.frame(10.0, late_s=300.0, monotonic_s=1.0)
    assert world.freshness.remembered("gate") == 300_000
    assert world.frame(111.0, late_s=400.0, monotonic_s=2.0) == 400.0
    assert world.freshness.remembered("gate") == 400_000
    world.freshness.recall("yard", "r1", 400_000)
    assert world.freshness.remembered("yard") == 400_000
    world.frame(112.0, late_s=400.0, camera="yard", monotonic_s=3.0, most_s=None)
    assert world.age_s(112.0) == 0.0


@pytest.mark.parametrize(("told_ms", "known_ms"), [(300_500, 300_000), (301_000, 300_000), (301_001, 301_001), (299_000, 300_000), (298_999, 298_999)])  # fmt: skip
def test_a_note_changes_what_was_learned_where_they_differ_by_more_than_a_second(told_ms: int, known_ms: int) -> None:
    world = World()
    world.frame(10.0, late_s=300.0)
    world.freshness.recall("gate", "r1", told_ms)
    assert world.freshness.remembered("gate") == known_ms


def test_a_note_on_an_earlier_run_does_not_make_it_the_newest() -> None:
    world = World()
    world.frame(10.0, late_s=300.0, run="r2")
    world.freshness.recall("gate", "r1", 90_000)
    assert world.freshness.remembered("gate") == 300_000
    world.freshness.recall("yard", "r1", 90_000)
    assert world.freshness.remembered("yard") == 90_000


def test_the_brokers_clock_is_known_from_records_whose_wait_we_saw() -> None:
    """It is 40 s behind; of a record that came before we looked, its stamp says how long it lay there."""
    world = World()
    world.frame(10.0, late_s=3.0, least_s=3.0, most_s=3.0, appended_s=10.0 - 3.0 - 40.0)
    world.frame(20.0, late_s=8.0, most_s=None, appended_s=20.0 - 8.0 - 40.0)
    assert world.age_s(20.0) == 8.0


@pytest.mark.parametrize(("late_s", "is_written"), [(1.0, True), (-1.0, True), (0.999, False), (1.5, True)])
def test_a_clock_that_is_off_by_a_second_is_written_down(late_s: float, is_written: bool) -> None:
    world = World()
    world.frame(10.0, late_s=late_s)
    assert world.freshness.remembered("gate") == (late_s * 1000 if is_written else None)


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
def test_without_a_largest_age_nothing_is_stale_and_one_of_half_a_second_counts(limit_s: float) -> None:
    world = World(max_age_s=limit_s)
    world.frame(10.0)
    assert not world.freshness.is_stale(*world.last, ns(9000.0))
    short = World(max_age_s=0.5)
    short.frame(10.0)
    assert short.freshness.is_stale(*short.last, ns(10.6))


def test_a_broker_of_which_nothing_is_known_is_taken_to_have_our_clock_as_it_is_now() -> None:
    """Ours was set by 100 s since the first record."""
    world = World()
    world.frame(10.0, monotonic_s=10.0)
    for late_s in (8.0, -50.0):
        world.frame(111.0, late_s=late_s, monotonic_s=11.0, most_s=None, appended_s=103.0, partition=1)
        assert world.age_s(111.0) == 8.0, "also where the camera's clock says nothing"
