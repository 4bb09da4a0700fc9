"""How many workers, partitions and bytes a load takes."""

from dataclasses import replace

import pytest

from groundcam.sizing import Load, need

LOAD = Load(cameras=40, fps=5, detector_s=0.010)


def test_workers_follow_from_the_detectors_time_and_never_exceed_what_was_asked_of_them() -> None:
    found = need(LOAD)
    assert (found.frames_per_s, found.workers) == (200, 3)
    assert found.busy == pytest.approx(2 / 3)
    assert need(replace(LOAD, utilization=1.0)).workers == 2
    assert need(replace(LOAD, cameras=28, utilization=0.7)).workers == 2, "just enough is enough"
    for cameras in range(1, 300):
        one = need(replace(LOAD, cameras=cameras))
        assert one.busy <= 0.7 + 1e-9
        assert one.workers == 1 or cameras * 5 * 0.010 / (one.workers - 1) > 0.7


def test_there_are_partitions_for_one_more_worker_but_not_more_than_cameras_unless_workers_need_them() -> None:
    assert need(LOAD).partitions == 6
    assert need(replace(LOAD, cameras=4)).partitions == 2
    few = need(replace(LOAD, cameras=2, detector_s=1.0))
    assert few.partitions >= few.workers


def test_bytes_grow_with_pictures_copies_and_retention() -> None:
    assert need(replace(LOAD, jpeg_bytes=50_000)).frames_bytes_per_s == 10e6
    assert need(replace(LOAD, jpeg_bytes=50_000)).kafka_disk_bytes == 10e6 * 600 * 3
    assert need(replace(LOAD, frame_pixels=1920 * 1080)).frames_bytes_per_s > need(LOAD).frames_bytes_per_s


def test_a_camera_is_decoded_whole_however_few_frames_are_sampled() -> None:
    assert need(replace(LOAD, fps=0.1)).producer_cores > 0.5 * need(LOAD).producer_cores


@pytest.mark.parametrize("wrong", [{"cameras": 0}, {"fps": -1.0}, {"detector_s": 0.0}, {"utilization": 1.5}])
def test_numbers_that_make_no_sense_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        need(replace(LOAD, **wrong))  # type: ignore[arg-type]


def test_the_cores_of_producers_let_every_camera_start_in_two_minutes() -> None:
    """Small pictures a few times a minute take nearly nothing, once they are there."""
    small = Load(cameras=200, fps=0.2, detector_s=0.01, camera_fps=5, camera_pixels=320 * 180, frame_pixels=320 * 180)
    assert need(small).producer_cores > 0.6
    for one in (small, LOAD, replace(LOAD, cameras=1), replace(LOAD, camera_pixels=3840 * 2160)):
        assert 0 < need(one).producer_start_s <= 120
