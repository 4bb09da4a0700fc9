"""Cameras that hang, crash, refuse or go away."""

import os
import signal
import socket
import threading
import urllib.error
import urllib.request
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import kafka as client
import psutil
import pytest
from kafka.admin import ConfigResource

from conftest import Program, Start, Wait, make_topics
from footage import jpeg, rtsp_server, video
from groundcam.audit import audit
from groundcam.devkafka.broker import EmbeddedBroker, free_port
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, Frame, Gap, GapReason, decode, decode_answer
from relay import Relay

pytestmark = pytest.mark.broker

IMPATIENT = {"GROUNDCAM_PRODUCE__TIMEOUT_S": "2", "GROUNDCAM_PRODUCE__HANG_S": "12"}


def statuses(settings: KafkaSettings) -> list[CameraStatus]:
    with Reader(settings, [settings.topics.cameras], start="beginning") as reader:
        return [decode(CameraStatus, record.value or b"") for record in reader.to_the_end()]


def frames(settings: KafkaSettings) -> list[Frame]:
    with Reader(settings, [settings.topics.frames], start="beginning") as reader:
        return [decode(Frame, record.value or b"") for record in reader.to_the_end()]


def gaps(settings: KafkaSettings) -> list[Gap]:
    with Reader(settings, [settings.topics.detections], start="beginning") as reader:
        found = [decode_answer(record.value or b"") for record in reader.to_the_end()]
    return [one for one in found if isinstance(one, Gap)]


def ready(port: int) -> tuple[int, str]:
    """Status and text of /readyz; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def children(program: Program) -> list[int]:
    """The camera processes: what the fork server has forked, the oldest first."""
    below = psutil.Process(program.process.pid).children()
    servers = [one for one in below if any("forkserver" in word for word in one.cmdline())]
    cameras = [one for server in servers for one in server.children()]
    return [one.pid for one in sorted(cameras, key=lambda one: one.create_time())]


def test_a_hanging_camera_process_is_ended_and_its_absence_is_a_gap(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """A frozen process cannot be asked to stop; the other camera never notices."""
    clip = video("bikes.mp4")
    producer = start(kafka, "produce", "--camera", f"gate={clip}", "--camera", f"yard={clip}", "--loop", **IMPATIENT)
    wait(lambda: len({one.camera_id for one in frames(kafka)}) == 2, 60, "frames of both")
    runs = {one.camera_id: one.run_id for one in frames(kafka)}
    gate, yard = children(producer)
    os.kill(gate, signal.SIGSTOP)
    wait(lambda: CameraState.STALLED in [one.state for one in statuses(kafka)], 60, "the state stalled")
    wait(lambda: len({(one.camera_id, one.run_id) for one in frames(kafka)}) == 3, 30, "frames of the new process")
    wait(lambda: gaps(kafka), 10, "the gap")
    offline = [gap for gap in gaps(kafka) if gap.reason is GapReason.CAMERA_OFFLINE]
    stalled = next(one for one in statuses(kafka) if one.state is CameraState.STALLED)
    assert [gap.camera_id for gap in offline] == [stalled.camera_id]
    assert ((offline[0].to_ns or 0) - (offline[0].from_ns or 0)) / 1e9 > 5
    other = ({"gate", "yard"} - {stalled.camera_id}).pop()
    assert {one.run_id for one in frames(kafka) if one.camera_id == other} == {runs[other]}
    assert yard in children(producer)
    assert gate not in children(producer)
    assert producer.stop() == 0


def test_a_crashed_camera_process_starts_again(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    producer = start(kafka, "produce", "--camera", f"gate={video('bikes.mp4')}", "--loop")
    wait(lambda: len(frames(kafka)) > 3, 60, "frames")
    os.kill(children(producer)[0], signal.SIGSEGV)
    wait(lambda: len({one.run_id for one in frames(kafka)}) == 2, 30, "frames of the new process")
    assert "ended with code -11" in producer.log
    assert producer.stop() == 0


def test_a_camera_that_comes_back_is_opened_again(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path
) -> None:
    """While it is away its state says so, and afterwards a gap covers the time."""
    relay = Relay()
    with rtsp_server(video("bikes.mp4").parent) as url:
        relay.target = int(url.rpartition(":")[2])
        camera = f"gate=rtsp://viewer:hunter2222@127.0.0.1:{relay.port}/bikes.mp4"
        producer = start(kafka, "produce", "--camera", camera, "--fps", "10", **IMPATIENT)
        wait(lambda: len(frames(kafka)) > 10, 60, "frames")
        relay.hang_up()
        wait(lambda: statuses(kafka)[-1].state in (CameraState.OFFLINE, CameraState.STALLED), 30, "the state offline")
        seen = len(frames(kafka))
        relay.accept_again()
        wait(lambda: len(frames(kafka)) > seen + 10, 60, "frames after the outage")
        assert producer.stop() == 0
    relay.close()
    absences = gaps(kafka)
    assert {gap.reason for gap in absences} == {GapReason.CAMERA_OFFLINE}
    assert all(one.to_ns == other.from_ns for one, other in pairwise(absences)), "it is told without holes"
    seqs = [one.seq for one in frames(kafka)]
    assert seqs == list(range(len(seqs)))
    states = [one.state for one in statuses(kafka)]
    assert states[0] is CameraState.CONNECTING
    assert states[-1] is CameraState.OFFLINE
    assert states.count(CameraState.ONLINE) == 2
    for text in (producer.log, *(one.url for one in statuses(kafka))):
        assert "hunter2222" not in text
    assert {one.url for one in statuses(kafka)} == {f"rtsp://127.0.0.1:{relay.port}/bikes.mp4"}


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n", CameraState.REFUSED),
        (b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", CameraState.REFUSED),
        (b"", CameraState.OFFLINE),
    ],
)
def test_a_camera_that_refuses_or_is_silent_is_told_as_such(
    kafka: KafkaSettings, start: Start, wait: Wait, answer: bytes, state: CameraState
) -> None:
    """Silence ends by the time-out; the URL and its password stay out of the log."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer_everybody, args=(listener, answer), daemon=True).start()
        url = f"rtsp://viewer:hunter2222@127.0.0.1:{listener.getsockname()[1]}/x"
        producer = start(kafka, "produce", "--camera", f"gate={url}", **IMPATIENT)
        wait(lambda: state in [one.state for one in statuses(kafka)], 30, f"the state {state}")
        assert all(one.last_error for one in statuses(kafka) if one.state is state)
        (told,) = {one.producer for one in statuses(kafka)}
        assert told.startswith(f"{socket.gethostname()}/")
        assert producer.stop() == 0
        assert "hunter2222" not in producer.log


def _answer_everybody(listener: socket.socket, answer: bytes) -> None:
    kept = []
    while True:
        try:
            viewer, _ = listener.accept()
            kept.append(viewer)
            viewer.recv(4096)
            if answer:
                viewer.sendall(answer)
        except OSError:
            return


def test_a_file_that_is_no_video_is_one_clear_line(kafka: KafkaSettings, start: Start, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    clip = video("carphone_pristine.mp4")
    producer = start(kafka, "produce", "--camera", f"bad={tmp_path / 'notes.mp4'}", "--camera", f"good={clip}")
    assert producer.process.wait(60) == 1
    assert "camera bad: notes.mp4 cannot be played" in producer.log
    assert len(frames(kafka)) > 10
    assert {one.camera_id for one in frames(kafka)} == {"good"}


def test_frames_that_kafka_does_not_take_are_told_as_gaps(start: Start, wait: Wait) -> None:
    """A broker that is away for some seconds, and room for few frames: the rest is reported, not lost."""
    with EmbeddedBroker() as broker:
        kafka = make_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
        producer = start(
            kafka, "produce", "--camera", f"gate={video('bikes.mp4')}", "--fps", "25",
            GROUNDCAM_PRODUCE__MAX_WAITING_BYTES="200000",
        )  # fmt: skip
        wait(lambda: len(frames(kafka)) > 10, 60, "frames")
        broker.kill_node(0)
        broker.start_node(0)
        broker.wait_for_node(0)
        assert producer.process.wait(90) == 0
        (report,) = audit(kafka)
    assert report.published + report.in_gaps == 250
    assert report.missing == report.published, "published and not answered, since nobody works here"
    assert report.in_gaps > 25
    assert set(report.gaps_by_reason) == {"producer_overload"}


def test_a_camera_that_only_keeps_the_connection_is_stalled_and_opened_again_by_the_same_process(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """RTCP reports keep FFmpeg's read from returning: its connection is closed for it."""
    with rtsp_server(video("bikes.mp4").parent) as url:
        relay = Relay()
        relay.target = int(url.rpartition(":")[2])
        camera = f"gate=rtsp://127.0.0.1:{relay.port}/bikes.mp4"
        producer = start(kafka, "produce", "--camera", camera, "--fps", "10", **IMPATIENT)
        wait(lambda: len(frames(kafka)) > 10, 60, "frames")
        relay.starve()
        (child,) = children(producer)
        stalled = [CameraState.ONLINE, CameraState.STALLED, CameraState.CONNECTING, CameraState.OFFLINE]
        wait(lambda: [one.state for one in statuses(kafka)][-4:] == stalled, 60, "two tries without a picture")
        assert children(producer) == [child]
        assert producer.stop() == 0
        assert not Path(f"/proc/{child}").exists()
        relay.close()
    assert {gap.reason for gap in gaps(kafka)} == {GapReason.CAMERA_OFFLINE}


def test_a_killed_parent_takes_its_cameras_along(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    producer = start(kafka, "produce", "--camera", f"gate={video('bikes.mp4')}", "--loop")
    wait(lambda: len(frames(kafka)) > 3, 60, "frames")
    (child,) = children(producer)
    producer.stop(signal.SIGKILL)
    wait(lambda: not Path(f"/proc/{child}").exists(), 30, "the child's end")


def test_a_picture_can_be_played_again_and_again(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path
) -> None:
    (tmp_path / "still.jpg").write_bytes(jpeg())
    producer = start(kafka, "produce", "--camera", f"still={tmp_path / 'still.jpg'}", "--loop", "--fps", "5")
    wait(lambda: len(frames(kafka)) > 10, 60, "frames")
    assert producer.stop() == 0
    first, last = frames(kafka)[0], frames(kafka)[-1]
    seconds = (last.captured_at_ns - first.captured_at_ns) / 1e9
    assert last.seq / seconds == pytest.approx(5, rel=0.4)


def test_the_colours_of_a_frame_are_those_of_the_video(kafka: KafkaSettings, start: Start) -> None:
    """Limited range in the file, full range in a JPEG. (PyAV's own RGB is off by up to 1.7 here: computed instead.)"""
    import av
    import numpy as np

    from groundcam_runtime.pictures.decoding import decode_jpeg

    clip = video("bikes.mp4")
    producer = start(kafka, "produce", "--camera", f"gate={clip}", "--every-frame", "--quality", "95")
    assert producer.process.wait(60) == 0
    with Reader(kafka, [kafka.topics.recordings], start="beginning") as reader:
        ours = decode_jpeg(decode(Frame, next(reader.to_the_end()).value or b"").data)
    with av.open(str(clip)) as container:
        picture = next(container.decode(video=0))
    planes = picture.to_ndarray(format="yuv420p").astype(float)
    height, width = picture.height, picture.width
    y = (planes[:height] - 16) * 255 / 219
    u, v = (
        np.kron((plane.reshape(height // 2, width // 2) - 128) * 255 / 224, np.ones((2, 2)))
        for plane in np.split(planes[height:], 2)
    )
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], -1).clip(0, 255)  # BT.601
    assert ours.shape == rgb.shape
    assert np.abs(ours.mean((0, 1)) - rgb.mean((0, 1))).max() < 1
    assert np.abs(ours - rgb).mean() < 1.5


def test_a_producer_is_ready_while_one_of_its_cameras_plays_and_says_how_many_do(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """One that is away takes no other along; where none plays, that is told, and the process goes on."""
    away, clip = f"roof=rtsp://127.0.0.1:{free_port()}/s", f"yard={video('bikes.mp4')}"
    ports = free_port(), free_port()
    start(kafka, "produce", "--camera", away, "--camera", clip, "--loop", "--http-port", ports[0])
    alone = start(kafka, "produce", "--camera", away.replace("roof", "attic"), "--http-port", ports[1])
    wait(lambda: ready(ports[0]) == (200, "ok: 1 of 2 cameras play\n"), 60, "readiness")
    wait(lambda: ready(ports[1]) == (503, "0 of 1 camera plays: attic is offline\n"), 60, "the reason")
    assert alone.process.poll() is None


def test_frames_that_the_topic_has_no_room_for_are_told_once_with_the_settings_that_help(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    with closing(client.KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)) as admin:
        admin.alter_configs([ConfigResource("TOPIC", kafka.topics.frames, {"max.message.bytes": "3000"})])
    producer = start(kafka, "produce", "--camera", f"gate={video('bikes.mp4')}")
    wait(lambda: any((gap.last_seq or 0) > 2 for gap in gaps(kafka)), 60, "the gap of some frames")
    assert producer.stop() == 0
    told = [line for line in producer.log.splitlines() if "max.message.bytes" in line]
    assert len(told) == 1
    assert "produce.max_size (960x544) or produce.quality (85)" in told[0]
    assert "max.message.bytes (3000 " in told[0]
    online = [line for line in producer.log.splitlines() if "online: it gives 640x272" in line]
    assert len(online) == 1
    assert {gap.reason for gap in gaps(kafka)} == {GapReason.TOO_LARGE}
