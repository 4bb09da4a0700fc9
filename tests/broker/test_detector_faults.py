"""A worker with the real detector when its device fails or its cameras are new; the auditor judges."""

import re

import pytest

from conftest import Start, Wait
from footage import preload, publisher
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, encode
from groundcam_worker.question_follower import camera_sizes

pytestmark = pytest.mark.broker

WORK = ("work", "--model", "demo", "--question", "red circle, blue square", "--max-age-s", "0")


@pytest.mark.long
def test_a_lost_device_ends_the_process_within_seconds_and_the_next_worker_answers_the_rest(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    preload(kafka, cameras=4, frames=20)
    first = start(kafka, *WORK, module="faulty_worker", FAULT="lost:5")
    wait(lambda: "FAULT" in first.log, 120, "the fault")
    assert first.process.wait(5) == 70
    assert "illegal memory access" in first.log
    before = totals(audit(kafka))
    assert before.detected < 80
    second = start(kafka, *WORK)
    wait(lambda: totals(audit(kafka)).missing == 0, 120, "the rest of the answers")
    assert second.stop() == 0
    total = totals(audit(kafka))
    assert (total.published, total.detected, total.missing) == (80, 80, 0)


def test_too_little_memory_loses_no_frame(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    preload(kafka, cameras=4, frames=20)
    worker = start(kafka, *WORK, module="faulty_worker", FAULT="memory:2")
    wait(lambda: totals(audit(kafka)).detected == 80, 120, "all answers")
    assert worker.stop() == 0
    assert worker.log.count("FAULT") < 5, "the ceiling is remembered"
    total = totals(audit(kafka))
    assert (total.detected, total.dead_lettered, total.repeated, total.missing) == (80, 0, 0, 0)


@pytest.mark.long
def test_a_worker_warms_up_for_the_cameras_that_told_their_size(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    sizes = {"gate": (640, 480), "yard": (1920, 1080), "door": None}
    with publisher(kafka) as out:
        for camera_id, size in sizes.items():
            width, height = size or (None, None)
            status = CameraStatus(
                camera_id=camera_id, state=CameraState.ONLINE, since_ns=1, url="rtsp://h/x", width=width, height=height
            )
            out.send(Record(kafka.topics.cameras, encode(status), camera_id))
        out.send(Record(kafka.topics.cameras, b"no message", "odd"))
    assert camera_sizes(kafka) == {(640, 480), (1920, 1080)}
    worker = start(kafka, *WORK)
    wait(lambda: "waiting for frames" in worker.log, 120, "the worker's start")
    assert sorted(set(re.findall(r"1 x (\d+x\d+) pixels", worker.log))) == ["170x128", "228x128"]
    assert worker.log.index("warming up") < worker.log.index("waiting for frames")
