"""Sampling at given moments."""

from itertools import pairwise
from random import Random

import pytest

from groundcam_producers.sampler import Sampler


@pytest.mark.parametrize("fps", [0.0, -0.5, -1.0, -30.0])
def test_a_rate_that_is_not_positive_is_refused(fps: float) -> None:
    with pytest.raises(ValueError, match="frames a second"):
        Sampler(fps)


@pytest.mark.parametrize("begin_s", [0.0, 0.1, 12_345.6])
@pytest.mark.parametrize("fps", [0.01, 1.0, 3.0, 5.0, 10.0, 25.0, 30.0, 60.0])
def test_a_source_of_just_the_wanted_rate_loses_nothing(fps: float, begin_s: float) -> None:
    """Stamps are never exact: 0.1 * 3 is a hair more than 0.3."""
    sampler = Sampler(fps)
    assert all(sampler.keep(begin_s + number / fps) for number in range(500))


@pytest.mark.parametrize("begin_s", [0.0, 0.3, 1000.15])
def test_of_a_faster_source_the_first_frame_of_each_slot_is_kept(begin_s: float) -> None:
    """Slots are counted from the first frame."""
    sampler = Sampler(2.0)
    times = [0.0, 0.25, 0.45, 0.5, 0.75, 0.99, 1.2, 1.3, 1.6]
    assert [time_s for time_s in times if sampler.keep(begin_s + time_s)] == [0.0, 0.5, 1.2, 1.6]


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("fps", [5, 10, 15, 25, 30])
def test_jitter_costs_no_frame_of_a_camera_that_has_just_the_wanted_rate(fps: int, in_order: bool) -> None:
    """10 ms of it, as networks have, for two minutes; what is kept comes evenly, without a hole."""
    for seed in range(10):
        draw = Random(seed)
        times = [1000 + number / fps + draw.gauss(0, 0.01) for number in range(120 * fps)]
        sampler = Sampler(fps)
        kept = [time_s for time_s in (sorted(times) if in_order else times) if sampler.keep(time_s)]
        assert len(kept) >= 0.99 * len(times)
        assert max(after - before for before, after in pairwise(kept)) < 2 / fps + 0.08


@pytest.mark.parametrize(("source", "wanted"), [(25, 5), (30, 15), (12, 5), (10, 5)])
def test_jitter_adds_no_frame_of_a_faster_camera_and_none_comes_early(source: int, wanted: int) -> None:
    draw = Random(source)
    times = sorted(number / source + draw.gauss(0, 0.01) for number in range(120 * source))
    sampler = Sampler(wanted)
    kept = [time_s for time_s in times if sampler.keep(time_s)]
    assert 0.99 * 120 * wanted <= len(kept) <= 120 * wanted + 1
    assert max(after - before for before, after in pairwise(kept)) < 1 / wanted + 1 / source + 0.08


def test_frames_of_one_moment_are_one_frame() -> None:
    sampler = Sampler(5.0)
    assert [sampler.keep(3.0) for _ in range(4)] == [True, False, False, False]


def test_after_a_pause_frames_are_kept_at_the_same_rate() -> None:
    sampler = Sampler(1.0)
    assert [sampler.keep(time_s) for time_s in (0.0, 100.0, 100.5, 101.0, 101.5)] == [True, True, False, True, False]


def test_up_to_two_slots_of_lateness_are_made_up_for_and_more_is_a_pause() -> None:
    late, paused = Sampler(2.0), Sampler(2.0)
    assert [late.keep(time_s) for time_s in (0.0, 1.375, 1.4, 1.45)] == [True, True, True, False]
    assert [paused.keep(time_s) for time_s in (0.0, 1.5, 1.75, 2.0)] == [True, True, False, True]


def test_a_stamp_half_a_slot_old_is_jitter_and_one_a_whole_slot_old_is_a_clock_that_went_back() -> None:
    slow, fast = Sampler(1.0), Sampler(10.0)
    assert [slow.keep(time_s) for time_s in (10.0, 10.5, 10.0)] == [True, False, False]
    assert [fast.keep(time_s) for time_s in (50.0, 49.9)] == [True, True]


def test_a_clock_that_went_back_begins_anew_with_the_next_frame() -> None:
    sampler = Sampler(1.0)
    times = (50.0, 50.5, 10.0, 10.5, 11.0, 11.1, 10.5, 11.0)
    assert [sampler.keep(time_s) for time_s in times] == [True, False, True, False, True, False, True, False]


def test_without_a_rate_every_frame_is_kept_also_of_one_moment() -> None:
    sampler = Sampler(None)
    assert all(sampler.keep(time_s) for time_s in (1.0, 1.0, 0.0, 5.0, 5.0))


@pytest.mark.parametrize(("fps", "due_s"), [(1.0, 11.0), (10.0, 10.1), (5.0, 10.2)])
def test_at_another_rate_the_next_frame_is_due_so_much_after_the_last_one(fps: float, due_s: float) -> None:
    """Changed again and again, it keeps no more frames than were asked for."""
    sampler = Sampler(2.0)
    assert sampler.keep(10.0)
    sampler.retune(fps)
    kept = [time_s for time_s in (10 + number / 100 for number in range(1, 150)) if sampler.keep(time_s)]
    assert kept[0] == pytest.approx(due_s)


def test_a_rate_may_change_before_the_first_frame_and_to_every_frame_and_back() -> None:
    sampler = Sampler(1.0)
    sampler.retune(None)
    assert all(sampler.keep(number / 100) for number in range(10))
    sampler.retune(1.0)
    assert [number for number in range(10, 200) if sampler.keep(number / 100)] == [10, 110]


def test_of_two_changes_before_the_first_frame_the_last_one_holds() -> None:
    sampler = Sampler(1.0)
    sampler.retune(2.0)
    assert [number for number in range(100) if sampler.keep(number / 100)] == [0, 50]
