"""Cameras come, go and change while a producer runs."""

import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from changing_cameras import Changes, ConfigMap, film, judge
from conftest import SEED, Program, Start, Wait
from faulty_camera import PASSWORD, Camera, running
from groundcam.audit import audit, totals
from groundcam.devkafka.broker import free_port
from groundcam_runtime.kafka.camera_statuses import camera_statuses
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, Frame, decode

pytestmark = pytest.mark.broker


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def frames(settings: KafkaSettings, camera: str) -> list[tuple[int, Frame]]:
    """A camera's, with their partitions."""
    with Reader(settings, [settings.topics.frames], start="beginning") as reader:
        found = [(record.partition.number, decode(Frame, record.value or b"")) for record in reader.to_the_end()]
    return [(partition, frame) for partition, frame in found if frame.camera_id == camera]


def test_random_changes_of_cameras_cost_no_other_camera_a_frame_and_the_audit_adds_up(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path
) -> None:
    """Behind a link that is swapped, as Kubernetes does it, with faults in between."""
    port, config = free_port(), ConfigMap(tmp_path / "etc")
    changes = Changes(config, film(tmp_path / "film.mp4"), int(SEED), [f"cam{number}" for number in range(6)])
    worker = start(kafka, "work", "--model", "fake:1ms", "--question", "person", GROUNDCAM_WORK__MAX_AGE_S="600")
    producer = start(kafka, "produce", "--config", config.path, "--http-port", port)
    wait(lambda: all(frames(kafka, name) for name in changes.cameras), 60, "frames of the first cameras")
    changes.make(8, producer, wait, lambda: 1.0)
    present = set(changes.cameras)
    wait(lambda: {one.camera_id for one in camera_statuses(kafka)} == present, 30, "the cameras that are left")

    def all_online() -> bool:
        newest = {one.camera_id: one.state for one in camera_statuses(kafka)}
        return newest == dict.fromkeys(present, CameraState.ONLINE)

    wait(all_online, 30, "all online")
    page = get(port, "/metrics")
    assert {name for name in changes.opened if f'camera="{name}"' in page} == present
    assert f"groundcam_cameras {len(present)}.0" in page
    assert producer.stop() == 0
    wait(lambda: totals(audit(kafka)).missing == 0, 30, "the answers")
    assert worker.stop() == 0

    total = totals(audit(kafka))
    assert (total.missing, total.conflicting_ids, total.in_gaps) == (0, 0, 0)
    assert total.detected == total.published > 0
    assert judge(kafka, changes, longest_s=3.0) == []


def test_another_rate_keeps_a_cameras_connection_and_another_address_opens_that_camera_alone(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path
) -> None:
    """Real RTSP sessions, counted by the camera. SIGHUP has the file read at once, and one with a fault changes nothing."""
    with running(Camera()) as gate, running(Camera()) as yard, running(Camera()) as moved:
        cameras: dict[str, dict[str, Any]] = {"gate": {"url": gate.url}, "yard": {"url": yard.url}}
        path = tmp_path / "c.yaml"

        def write(**section: Any) -> None:
            path.write_text(yaml.safe_dump({"produce": {"cameras": cameras, **section}}, sort_keys=False))

        def hear(line: str) -> None:
            os.kill(producer.process.pid, signal.SIGHUP)
            wait(lambda: line in producer.log, 30, line)

        write(fps=5)
        producer: Program = start(kafka, "produce", "--config", path)
        wait(lambda: len(frames(kafka, "gate")) > 3 < len(frames(kafka, "yard")), 60, "frames of both")
        connections = gate.connections, yard.connections
        path.write_text("produce:\n  fps: many\n")
        hear(f"{path}:2:")
        path.write_text("")
        hear("the settings stay as they are: produce.cameras: there is no camera")
        write(fps=2, max_size="64x64", quality=50)
        hear("camera yard: from now on 2 frames a second, at most 64x64, quality 50")
        wait(lambda: frames(kafka, "yard")[-1][1].width <= 64 >= frames(kafka, "gate")[-1][1].width, 30, "the size")
        assert (gate.connections, yard.connections) == connections
        cameras["gate"]["url"] = moved.url
        write(fps=2, max_size="64x64", quality=50, timeout_s=8)
        hear("produce.timeout_s has changed, which needs a restart")
        wait(lambda: len({frame.run_id for _, frame in frames(kafka, "gate")}) == 2, 30, "the new run of gate")
        assert (gate.connections, yard.connections) == connections
        assert len({partition for partition, _ in frames(kafka, "gate")}) == 1
        assert len({frame.run_id for _, frame in frames(kafka, "yard")}) == 1
        assert producer.stop() == 0
        assert producer.log.count("the settings stay as they are") == 2
        assert PASSWORD not in producer.log
