"""One bad camera never darkens the others: each has a state with its reason, and is tried again."""

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from conftest import Program, Start, Wait
from faulty_camera import PASSWORD, Camera, reply, running
from footage import video
from groundcam.devkafka.broker import free_port
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraStatus, Frame, decode

pytestmark = pytest.mark.broker

IMPATIENT = {"GROUNDCAM_PRODUCE__TIMEOUT_S": "2", "GROUNDCAM_PRODUCE__HANG_S": "12"}


def status(port: int) -> dict[str, dict[str, Any]]:
    """What /status says of each camera; nothing before the producer listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=10) as answer:
            return dict(yaml.safe_load(answer.read())["cameras"])
    except urllib.error.URLError:
        return {}


def frames(settings: KafkaSettings, camera: str) -> list[Frame]:
    with Reader(settings, [settings.topics.frames], start="beginning") as reader:
        found = [decode(Frame, record.value or b"") for record in reader.to_the_end()]
    return [one for one in found if one.camera_id == camera]


def errors(settings: KafkaSettings) -> dict[str, str]:
    """The last error that each camera has told."""
    with Reader(settings, [settings.topics.cameras], start="beginning") as reader:
        found = [decode(CameraStatus, record.value or b"") for record in reader.to_the_end()]
    return {one.camera_id: one.last_error for one in found if one.last_error}


def processes(program: Program) -> list[psutil.Process]:
    """The cameras' own, below the fork server."""
    below = psutil.Process(program.process.pid).children()
    return [camera for one in below if "forkserver" in " ".join(one.cmdline()) for camera in one.children()]


@pytest.fixture
def produce(start: Start, kafka: KafkaSettings, tmp_path: Path) -> Callable[[dict[str, Any]], tuple[Program, int]]:
    """Start a producer of these cameras; returns it and its port."""

    def begin(cameras: dict[str, Any], **variables: str) -> tuple[Program, int]:
        port = free_port()
        (tmp_path / "c.yaml").write_text(yaml.safe_dump({"http": {"port": port}, "produce": {"cameras": cameras}}))
        return start(kafka, "produce", "--config", tmp_path / "c.yaml", **IMPATIENT, **variables), port

    return begin


def test_a_good_camera_does_not_notice_missing_files_secrets_and_refusals(
    kafka: KafkaSettings, produce: Callable[..., tuple[Program, int]], wait: Wait, tmp_path: Path
) -> None:
    """A file and a secret that come later are taken without a restart."""
    clip = video("bikes.mp4")
    with (
        running(Camera(login="digest")) as locked,
        running(Camera(login="digest")) as moved,
        running(Camera()) as redirecting,
    ):
        redirecting.answers["DESCRIBE"] = lambda number: reply(number, "302 Found", "Location: rtsp://127.0.0.9/x\r\n")
        producer, port = produce(
            {
                "good": {"url": str(clip), "loop": True},
                "absent": {"url": str(tmp_path / "later.mp4"), "loop": True},
                "nosecret": {"url": f"rtsp://viewer@127.0.0.1:{moved.port}/x", "password_file": str(tmp_path / "pw")},
                "refused": {"url": f"rtsp://viewer:wrong-Pw12@127.0.0.1:{locked.port}/x"},
                "redirected": {"url": f"rtsp://127.0.0.1:{redirecting.port}/x"},
                "unset": {"url": "rtsp://viewer@127.0.0.1/x", "password_env": "NOSUCH_VARIABLE"},
            }
        )
        bad = {"absent", "nosecret", "refused", "redirected", "unset"}
        wait(lambda: bad <= set(errors(kafka)), 60, "all reasons")
        wait(lambda: bad <= {name for name, one in status(port).items() if one["reason"]}, 10, "all reasons in words")
        reasons = {name: one["reason"] for name, one in status(port).items()}
        assert "No such file" in reasons["absent"]
        assert "pw" in reasons["nosecret"]
        assert "authorization failed" in reasons["refused"]
        assert reasons["redirected"] == "it redirects to rtsp://127.0.0.9/x, which is not followed"
        assert "NOSUCH_VARIABLE" in reasons["unset"]
        assert status(port)["refused"]["state"] == "refused"
        assert status(port)["absent"]["state"] in {"offline", "connecting"}, "it is tried again and again"
        (tmp_path / "later.mp4").write_bytes(clip.read_bytes())
        (tmp_path / "pw").write_text(PASSWORD)
        wait(lambda: frames(kafka, "absent") and frames(kafka, "nosecret"), 90, "what was absent")
        assert status(port)["absent"]["reason"] is None
        seqs = [one.seq for one in frames(kafka, "good")]
        assert seqs == list(range(len(seqs)))
        assert producer.process.poll() is None
        assert producer.stop() == 0
    for secret in (PASSWORD, "wrong-Pw12"):
        assert secret not in producer.log


def test_a_camera_that_takes_too_much_memory_is_told_and_the_next_one_does_not_notice(
    kafka: KafkaSettings, produce: Callable[..., tuple[Program, int]], wait: Wait, tmp_path: Path
) -> None:
    import av
    import numpy as np

    large = tmp_path / "large.mp4"
    with av.open(str(large), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 12_000, 8_000, "yuv420p"
        stream.options = {"preset": "ultrafast", "threads": "1"}
        picture = av.VideoFrame.from_ndarray(np.zeros((8_000 * 3 // 2, 12_000), np.uint8), "yuv420p")
        container.mux(stream.encode(picture))
        container.mux(stream.encode())
    producer, port = produce(
        {
            "good": {"url": str(video("bikes.mp4")), "loop": True},
            "large": {"url": str(large), "loop": True},
        },
        GROUNDCAM_PRODUCE__CAMERA_MEMORY_MIB="256",
        GROUNDCAM_PRODUCE__MAX_SOURCE_PIXELS="100000000",
    )
    wait(lambda: "memory" in str(status(port).get("large", {}).get("reason")), 60, "the reason")
    seen = len(frames(kafka, "good"))
    wait(lambda: len(frames(kafka, "good")) > seen + 5, 60, "frames of the other camera")
    assert producer.stop() == 0
    assert not frames(kafka, "large")


def test_a_picture_over_the_largest_size_is_told_and_not_decoded(
    kafka: KafkaSettings, produce: Callable[..., tuple[Program, int]], wait: Wait
) -> None:
    with running(Camera(size=(640, 480))) as camera:
        producer, port = produce({"gate": camera.url}, GROUNDCAM_PRODUCE__MAX_SOURCE_PIXELS="200000")
        wait(lambda: "640x480" in str(status(port).get("gate")), 60, "the reason")
        assert producer.stop() == 0
    assert not frames(kafka, "gate")
    assert errors(kafka) == {"gate": "TooLarge"}


def test_a_cameras_process_knows_its_own_camera_alone(
    kafka: KafkaSettings, produce: Callable[..., tuple[Program, int]], wait: Wait
) -> None:
    """Neither in its arguments nor in its environment, whose variables are those of the fork server."""
    with running(Camera(login="digest")) as first, running(Camera(login="digest")) as second:
        cameras = {
            name: {"url": f"rtsp://viewer@127.0.0.1:{camera.port}/x", "password_env": f"{name.upper()}_PASSWORD"}
            for name, camera in (("first", first), ("second", second))
        }
        producer, _ = produce(
            cameras, FIRST_PASSWORD=PASSWORD, SECOND_PASSWORD=PASSWORD, GROUNDCAM_KAFKA__SASL_PASSWORD="kafka-Pw12"
        )
        wait(lambda: frames(kafka, "first") and frames(kafka, "second"), 60, "frames of both")
        found = [psutil.Process(producer.process.pid).children()[-1], *processes(producer)]
        assert len(processes(producer)) == 2
        for one in found:
            seen = " ".join([*one.cmdline(), *one.environ(), *one.environ().values()])
            for secret in (PASSWORD, "kafka-Pw12", "FIRST_PASSWORD", "SECOND_PASSWORD", "GROUNDCAM_KAFKA"):
                assert secret not in seen
        assert producer.stop() == 0


def test_processes_outlive_the_fork_server_and_others_are_started_by_a_new_one(
    kafka: KafkaSettings, produce: Callable[..., tuple[Program, int]], wait: Wait
) -> None:
    producer, port = produce({"gate": {"url": str(video("bikes.mp4")), "loop": True}})
    wait(lambda: frames(kafka, "gate"), 60, "frames")
    (camera,) = processes(producer)
    camera.parent().kill()
    wait(lambda: len({one.run_id for one in frames(kafka, "gate")}) == 2, 60, "frames of a new process")
    wait(lambda: not camera.is_running(), 30, "the end of the old one")
    assert status(port)["gate"]["state"] == "online"
    assert producer.stop() == 0
