"""How many workers, partitions and bytes a load takes."""

import json
import math
from dataclasses import asdict, replace

import pytest
from typer.testing import CliRunner

from groundcam.command_line import app
from groundcam.commands.size import MOST_SHARE, text
from groundcam.sizing import SERVE_PICTURE_S, SERVE_REPLY_S, Load, need
from groundcam.sizing_events import KEPT_S, EventsNeed
from groundcam_runtime.settings import SettingError
from groundcam_worker.settings import WorkSettings

LOAD = Load(cameras=40, fps=5, detector_s=0.010)


def test_a_producer_neither_enlarges_frames_nor_sends_more_than_a_camera_gives() -> None:
    small = replace(LOAD, camera_pixels=640 * 480)
    assert need(replace(small, frame_pixels=960 * 544)) == need(replace(small, frame_pixels=640 * 480))
    assert need(small).frames_bytes_per_s < need(LOAD).frames_bytes_per_s
    assert need(replace(LOAD, fps=50, camera_fps=25)) == need(replace(LOAD, fps=25, camera_fps=25))


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


def test_a_camera_that_is_more_than_one_worker_can_do_is_told_and_no_worker_is_promised_to_help() -> None:
    alone = replace(LOAD, cameras=1, fps=5, detector_s=1.2)
    found = need(alone)
    assert (found.workers, found.partitions, found.camera_share) == (1, 1, 6.0)
    assert "a camera       keeps a detector busy 600% of the time" in text(found, alone)
    assert "are skipped beyond 0.58 a second" in text(found, alone)
    three = need(replace(LOAD, cameras=3, fps=25, detector_s=0.040))
    assert (three.workers, three.busy) == (3, pytest.approx(1.0))
    assert "a camera " not in text(need(LOAD), LOAD)
    assert need(replace(alone, requests_per_s=1.0)).workers == 11, "requests are on every partition"


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"cameras": 0}, {"cameras": -1}, {"fps": -1.0}, {"detector_s": 0.0}, {"utilization": 1.5}, {"request_pixels": 0},
        {"requests_per_s": -1.0}, {"objects_per_camera": -1.0},
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        need(replace(LOAD, **wrong))  # type: ignore[arg-type]


def test_the_cores_of_producers_let_every_camera_start_in_two_minutes() -> None:
    """Small pictures a few times a minute take nearly nothing, once they are there."""
    small = Load(cameras=200, fps=0.2, detector_s=0.01, camera_fps=5, camera_pixels=320 * 180, frame_pixels=320 * 180)
    assert need(small).producer_cores > 0.6
    for one in (small, LOAD, replace(LOAD, cameras=1), replace(LOAD, camera_pixels=3840 * 2160)):
        assert 0 < need(one).producer_start_s <= 120


def test_pictures_over_http_are_work_for_the_same_detectors() -> None:
    alone, both = need(LOAD), need(replace(LOAD, requests_per_s=100))
    assert both.workers == math.ceil(300 * 0.010 / 0.7)
    assert both.busy == pytest.approx(300 * 0.010 / both.workers)
    assert both.request_share == pytest.approx(1 / 3)
    assert both.frames_per_s == alone.frames_per_s
    assert both.frames_bytes_per_s == alone.frames_bytes_per_s
    assert both.kafka_disk_bytes == pytest.approx(alone.kafka_disk_bytes + both.requests_bytes_per_s * 600 * 3)
    assert both.answers_bytes_per_s == pytest.approx(1.5 * alone.answers_bytes_per_s)
    assert (alone.serve_replicas, alone.requests_bytes_per_s, alone.request_share) == (0, 0, 0)


def test_larger_pictures_over_http_are_more_work_for_workers_cpus_and_kafka() -> None:
    small, large = (need(replace(LOAD, requests_per_s=100, request_pixels=pixels)) for pixels in (1_000_000, 4_000_000))
    assert large.requests_bytes_per_s == pytest.approx(4 * small.requests_bytes_per_s)
    assert large.worker_cores > small.worker_cores + 1
    assert large.workers == small.workers


def test_every_replica_has_time_for_its_pictures_and_for_the_replies_of_all() -> None:
    for rate in (0.1, 1, 10, 69, 70, 71, 140, 300, 1000, 3000):
        replicas = need(replace(LOAD, requests_per_s=rate)).serve_replicas

        def busy(count: int, rate: float = rate) -> float:
            return rate * SERVE_PICTURE_S / count + rate * SERVE_REPLY_S

        assert replicas >= 1
        assert busy(replicas) <= 0.7 + 1e-9
        assert replicas == 1 or busy(replicas - 1) > 0.7


def test_more_than_replicas_can_read_the_replies_of_is_told() -> None:
    with pytest.raises(ValueError, match="above 3500 replicas would only read each other's replies"):
        need(replace(LOAD, requests_per_s=3500))


def test_without_cameras_there_are_no_producers_and_partitions_follow_from_workers() -> None:
    found = need(Load(cameras=0, fps=5, detector_s=0.05, requests_per_s=50))
    assert (found.workers, found.partitions) == (4, 8)
    assert (found.producer_cores, found.producer_bytes, found.producer_start_s, found.frames_per_s) == (0, 0, 0, 0)
    assert found.request_share == 1


def test_requests_are_spread_over_all_partitions_however_few_cameras_there_are() -> None:
    few = replace(LOAD, cameras=1, detector_s=0.05)
    assert need(few).partitions == 1
    assert need(replace(few, requests_per_s=50)).partitions == 2 * need(replace(few, requests_per_s=50)).workers


def test_the_table_speaks_of_http_where_it_is_asked_for() -> None:
    assert "HTTP" not in text(need(LOAD), LOAD)
    asked = replace(LOAD, requests_per_s=100)
    told = text(need(asked), asked)
    assert "set work.request_share to 0.33 or more" in told
    assert "\nserve          2, a core each (not measured: on the safe side)\n" in told
    alone = replace(asked, cameras=0)
    assert "request_share" not in text(need(alone), alone)
    most = replace(asked, cameras=1, requests_per_s=3000)
    assert f"request_share to {MOST_SHARE} or more" in text(need(most), most)
    assert WorkSettings(request_share=MOST_SHARE)


def test_the_command_takes_requests_and_tells_what_is_wrong_in_a_sentence() -> None:
    size = ["size", "--detector-ms", "10", "--json"]
    done = CliRunner().invoke(app, [*size, "--cameras", "0", "--requests-per-s", "70", "--request-size", "640x480"])
    found = json.loads(done.output)
    assert (found["workers"], found["serve_replicas"]) == (1, 2)
    assert found["requests_bytes_per_s"] == pytest.approx(70 * 640 * 480 * 0.105)
    wrong = CliRunner().invoke(app, [*size, "--cameras", "0"]).exception
    assert isinstance(wrong, SettingError)
    assert str(wrong) == "cameras must be more than 0, or 0 with requests_per_s"


def followed(**changes: float) -> EventsNeed:
    return need(replace(LOAD, **changes)).events  # type: ignore[arg-type]


def test_trackers_follow_from_answers_and_objects_and_have_time_for_them() -> None:
    few, many = followed(), followed(objects_per_camera=50)
    assert (few.trackers, many.trackers) == (math.ceil(few.cores / 0.7), math.ceil(many.cores / 0.7))
    assert many.trackers > few.trackers
    assert followed(fps=10.0).cores > few.cores
    for cameras in range(1, 300, 7):
        one = followed(cameras=cameras)
        assert one.cores / one.trackers <= 0.7 + 1e-9
        assert one.trackers == 1 or one.cores / (one.trackers - 1) > 0.7


def test_there_are_partitions_for_every_tracker() -> None:
    crowd = replace(LOAD, cameras=3, detector_s=0.001, objects_per_camera=400)
    assert need(crowd).workers == 1
    assert need(crowd).partitions == need(crowd).events.trackers > 3


def test_bytes_of_events_grow_with_objects_and_copies_and_not_with_frames() -> None:
    few, many = followed(), followed(objects_per_camera=10)
    for name in (
        "events_per_s",
        "events_bytes_per_s",
        "pictures_per_day",
        "pictures_bytes_per_day",
        "kafka_disk_bytes",
    ):
        assert getattr(many, name) == pytest.approx(2 * getattr(few, name)), name
        assert getattr(followed(fps=50.0), name) == pytest.approx(getattr(few, name)), name
    assert few.states_bytes_per_s < many.states_bytes_per_s < 2 * few.states_bytes_per_s
    one_copy = few.events_bytes_per_s * KEPT_S + few.pictures_bytes_per_day * KEPT_S / 86_400
    assert few.kafka_disk_bytes == pytest.approx(3 * one_copy)
    assert followed(replication=1).kafka_disk_bytes == pytest.approx(one_copy)


def test_without_objects_or_cameras_there_is_no_tracker() -> None:
    assert set(asdict(followed(objects_per_camera=0)).values()) == {0}
    assert need(Load(cameras=0, fps=5, detector_s=0.05, requests_per_s=50)).events.trackers == 0


def test_the_table_says_that_what_trackers_take_is_estimated() -> None:
    told = text(need(LOAD), LOAD)
    rows = [line for line in told.splitlines() if line.startswith(("trackers ", "events ", "best pictures "))]
    assert len(rows) == 3
    assert all(line.endswith("(estimated)") for line in rows)
    none = replace(LOAD, objects_per_camera=0)
    assert "estimated" not in text(need(none), none)


def test_the_command_takes_objects() -> None:
    size = ["size", "--detector-ms", "10", "--cameras", "40", "--json"]
    five, ten, none = (
        json.loads(CliRunner().invoke(app, [*size, *more]).output)["events"]
        for more in ([], ["--objects-per-camera", "10"], ["--objects-per-camera", "0"])
    )
    assert ten["events_per_s"] == pytest.approx(2 * five["events_per_s"])
    assert none["trackers"] == 0
