"""Sampling, placement and waiting hold for any input."""

import math

from hypothesis import given
from hypothesis import strategies as st

from groundcam_producers.backoff import Backoff
from groundcam_producers.placement import in_shard, place
from groundcam_producers.sampler import Sampler
from groundcam_producers.scaling import fit

rates = st.floats(0.2, 60)


@given(rates, rates, st.integers(2, 400))
def test_a_steady_source_is_sampled_at_the_wanted_rate(source_fps: float, wanted_fps: float, frames: int) -> None:
    sampler = Sampler(wanted_fps)
    kept = sum(sampler.keep(number / source_fps) for number in range(frames))
    seconds = (frames - 1) / source_fps
    assert kept <= seconds * wanted_fps + 1.001
    assert kept >= min(frames, int(seconds * min(wanted_fps, source_fps)))


@given(rates, st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_uneven_time_stamps_give_no_more_than_the_rate_and_lose_nothing_that_is_due(
    wanted_fps: float, steps: list[float]
) -> None:
    sampler, now, kept = Sampler(wanted_fps), 0.0, 0
    first, last_kept = now, -math.inf
    for step in steps:
        now += step
        is_due = now > last_kept + 1.001 / wanted_fps
        if sampler.keep(now):
            kept, last_kept = kept + 1, now
        else:
            assert not is_due, "nothing was kept for a whole slot"
    assert 1 <= kept <= (now - first) * wanted_fps + 1.001


@given(rates, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_clock_that_jumps_does_not_stop_the_sampling(fps: float, before: float, after: float) -> None:
    """After any jump a frame is kept within one slot of source time, and half a slot that may pass for jitter."""
    sampler = Sampler(fps)
    assert sampler.keep(before)
    kept = [sampler.keep(after + number / (10 * fps)) for number in range(17)]
    assert any(kept)


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_without_a_rate_every_frame_is_kept(times: list[float]) -> None:
    sampler = Sampler(None)
    assert all(sampler.keep(time_s) for time_s in times)


camera_lists = st.lists(st.text("abcdef0123", min_size=1, max_size=6), unique=True, max_size=40)


@given(camera_lists, st.integers(1, 12))
def test_no_partition_has_more_than_its_share(cameras: list[str], partitions: int) -> None:
    placed = place(cameras, partitions)
    assert set(placed) == set(cameras)
    loads = [list(placed.values()).count(number) for number in range(partitions)]
    assert max(loads) - min(loads) <= 1


@given(camera_lists.filter(bool), st.integers(1, 12))
def test_one_more_camera_moves_no_other(cameras: list[str], partitions: int) -> None:
    *before, _new = cameras
    after = place(cameras, partitions)
    assert {name: after[name] for name in before} == place(before, partitions)


@given(st.lists(st.floats(0, 1, exclude_max=True), max_size=60))
def test_waiting_grows_to_its_ceiling_and_begins_anew(chances: list[float]) -> None:
    numbers = iter([*chances, 0.999])
    backoff = Backoff(1.0, 60.0, lambda: next(numbers))
    for failures, chance in enumerate(chances):
        assert backoff.failed() == min(60.0, 2.0**failures) * chance
    backoff.succeeded()
    assert backoff.failed() == 0.999


@given(st.integers(2, 8000), st.integers(2, 8000), st.integers(16, 4000), st.integers(16, 4000))
def test_a_picture_is_made_to_fit_and_never_enlarged(width: int, height: int, most_wide: int, most_high: int) -> None:
    out_width, out_height = fit((width, height), (most_wide, most_high))
    assert out_width % 2 == 0 == out_height % 2
    assert 2 <= out_width <= max(2, min(most_wide + 1, width + 1))
    assert 2 <= out_height <= max(2, min(most_high + 1, height + 1))


names = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True), unique=True, min_size=1, max_size=60)


@given(names, st.integers(1, 12))
def test_every_camera_is_in_one_shard_whatever_others_there_are(cameras: list[str], shards: int) -> None:
    for camera in cameras:
        assert sum(in_shard(camera, number, shards) for number in range(shards)) == 1


@given(names, st.integers(1, 12))
def test_one_shard_more_takes_cameras_and_moves_none_between_the_others(cameras: list[str], shards: int) -> None:
    for camera in cameras:
        before = next(number for number in range(shards) if in_shard(camera, number, shards))
        after = next(number for number in range(shards + 1) if in_shard(camera, number, shards + 1))
        assert after in (before, shards)


def test_a_hundred_cameras_are_spread_over_four_shards_as_by_chance() -> None:
    """Four standard deviations of a fair draw are 17."""
    counts = [sum(in_shard(f"camera-{number}", shard, 4) for number in range(100)) for shard in range(4)]
    assert all(8 <= count <= 42 for count in counts), counts
