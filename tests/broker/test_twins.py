"""Two producers of one camera on a real Kafka: the log, the camera's state, /status and the doctor say so."""

import urllib.request

import pytest
import yaml

from conftest import Start, Wait
from footage import video
from groundcam.devkafka.broker import free_port
from groundcam.doctor.brokers import brokers
from groundcam.doctor.finding import Weight
from groundcam_runtime.kafka.camera_statuses import camera_statuses
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker


def test_two_producers_of_one_camera_notice_each_other_and_one_that_stops_is_forgotten(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    port = free_port()
    camera = ("produce", "--camera", f"gate={video('bikes.mp4')}", "--loop", "--fps", "1")
    both = start(kafka, *camera, "--http-port", port), start(kafka, *camera)
    words = "camera gate: another producer plays it too, "
    for one in both:
        wait(lambda one=one: words in one.log, 60, "the warning")
    wait(lambda: camera_statuses(kafka)[-1].twin, 10, "the twin in the camera's state")
    names = {status.producer for status in camera_statuses(kafka)}
    assert len(names) == 2
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=10) as answer:
        assert yaml.safe_load(answer.read())["cameras"]["gate"]["twin"] in names
    told = [finding.text for finding in brokers(kafka, "group", []) if finding.weight is Weight.WRONG]
    assert any("gate: two producers play it" in text and all(name in text for name in names) for text in told)
    assert both[1].stop() == 0
    wait(lambda: "is gone" in both[0].log, 20, "that it is gone")
    wait(lambda: camera_statuses(kafka)[-1].twin is None, 10, "the state without it")
    assert both[0].stop() == 0
    assert [one.log.count(words) for one in both] == [1, 1]
