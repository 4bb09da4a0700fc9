"""The faults. Each is caused for real, waited for until its alerts fire, ended, and waited for until they clear."""

import os
import random
import signal
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import psutil

from footage import frame, preload, publisher, rtsp_server, video
from groundcam.devkafka.broker import EmbeddedBroker, free_port
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.source import GroupSource
from groundcam_schemas import encode
from installation import Installation, until
from relay import Relay
from watch import Watch

CLIP = "carphone_pristine.mp4"
IMPATIENT = {"GROUNDCAM_PRODUCE__TIMEOUT_S": "2", "GROUNDCAM_PRODUCE__HANG_S": "12"}
SHORT = {"GROUNDCAM_WORK__SESSION_TIMEOUT_S": "6", "GROUNDCAM_WORK__DRAIN_TIMEOUT_S": "5"}
PARTITIONS = 4
"""Of each topic whose partitions a group shares."""
MOST_TRIES = 30
QUICK = ("fake:5ms", "--question", "person")


OPENED = 'groundcam_reconnects_total{NAMESPACE, camera="gate"}'


def long_clip(folder: Path) -> Path:
    """Five minutes of a moving square, since the RTSP server ends a viewer's stream with its file."""
    path = folder / "long" / "gate.mp4"
    path.parent.mkdir()
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(3000):
            picture = np.full((120, 160, 3), 90, np.uint8)
            picture[40:80, number % 120 : number % 120 + 40] = 230
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    return path


def damaged(folder: Path) -> Path:
    """The clip with a hundred bytes changed: the decoder marks some of its pictures."""
    data = bytearray(video(CLIP).read_bytes())
    chance = random.Random(1)
    begin = data.index(b"mdat") + len(data) // 10
    for _ in range(100):
        data[chance.randrange(begin, data.index(b"moov"))] ^= 0x55
    path = folder / "damaged.mp4"
    path.write_bytes(data)
    return path


def shapes(circles: int) -> bytes:
    """A picture for the model in the box."""
    picture = np.full((240, 320, 3), 200, np.uint8)
    for number in range(circles):
        cv2.circle(picture, (60 + 90 * number, 120), 35, (0, 0, 220), -1)
    return bytes(cv2.imencode(".jpg", picture)[1])


def well(one: Installation) -> None:
    """Nothing is wrong here: the healthy twin of all others, and where Kafka goes away in the end."""
    # Not so quick to skip as by default: cores may be short here, which is no fault of its.
    one.work("fake:50ms", "--question", "person", "--max-age-s", 10, port=free_port(), **SHORT)
    until(lambda: one.value("sum(groundcam_ready{NAMESPACE})"), "the worker is ready")
    clip = video(CLIP)
    one.produce(
        "--camera", f"gate={clip}", "--camera", f"yard={clip}", "--loop", "--fps", "3",
        GROUNDCAM_PRODUCE__MAX_WAITING_BYTES="200000",
    )  # fmt: skip
    one.until_answering()
    until(lambda: one.value("sum(groundcam_camera_up{NAMESPACE})") == 2, "both cameras are up")
    until(lambda: one.value('ALERTS{NAMESPACE, alertstate="firing"}') is None, "what was raised at the start clears")


def ask_something_else(one: Installation) -> None:
    assert one.start("ask", "gate=bicycle").process.wait(60) == 0


def cameras(one: Installation, folder: Path, watch: Watch) -> None:
    """No worker is there. Then one camera is away, another is lost again and again, and a process dies."""
    gate, yard, clip = Relay(), Relay(), long_clip(folder)
    with rtsp_server(clip.parent) as url:
        gate.target = yard.target = int(url.rpartition(":")[2])
        played = (
            "--camera", f"gate=rtsp://127.0.0.1:{gate.port}/{clip.name}",
            "--camera", f"yard=rtsp://127.0.0.1:{yard.port}/{clip.name}",
            "--camera", f"film={damaged(folder)}", "--loop",
        )  # fmt: skip
        producer = one.produce(*played, **IMPATIENT)
        watch.fires("GroundcamNoWorker")
        one.work(*QUICK, port=free_port())
        one.until_answering()
        watch.clears("GroundcamNoWorker")

        until(lambda: one.value("sum(groundcam_camera_up{NAMESPACE})") == 3, "all cameras are up")
        yard.hang_up()
        os.kill(camera_processes(producer.process.pid)[-1], signal.SIGKILL)
        for _ in range(MOST_TRIES):
            if watch.firing("GroundcamReconnectStorm", camera="gate"):
                break
            until(lambda: one.value('groundcam_camera_up{NAMESPACE, camera="gate"}') == 1, "the camera comes back")
            opened = one.value(OPENED) or 0.0
            gate.hang_up()
            gate.accept_again()
            until(partial(_is_more, one, OPENED, opened), "the camera is opened again")
        watch.fires("GroundcamReconnectStorm", camera="gate")
        watch.fires("GroundcamCameraSilent", camera="yard")
        yard.accept_again()
        watch.clears("GroundcamCameraSilent", camera="yard")
        watch.clears("GroundcamReconnectStorm", camera="gate")
        producer.stop(signal.SIGKILL)
        watch.fires("GroundcamProducerGone", camera="gate")
        one.produce(*played, **IMPATIENT)
        watch.clears("GroundcamProducerGone", camera="gate")
        one.end()
    gate.close()
    yard.close()


def camera_processes(producer: int) -> list[int]:
    """What the producer's fork server has forked."""
    servers = [one for one in psutil.Process(producer).children() if "forkserver" in " ".join(one.cmdline())]
    return [camera.pid for server in servers for camera in server.children()]


def too_slow(one: Installation, watch: Watch, alert: str, max_age_s: int) -> None:
    """Ten frames a second for a detector of two; then for one that is quick."""
    port = free_port()
    slow = one.work("fake:500ms", "--question", "person", "--max-age-s", max_age_s, port=port, **SHORT)
    one.produce("--camera", f"gate={video(CLIP)}", "--loop", "--fps", "10")
    watch.fires(alert)
    slow.stop(signal.SIGKILL)
    one.work(*QUICK, "--max-age-s", 1, port=port, **SHORT)
    one.until_answering()
    watch.clears(alert)
    one.end()


def stands_still(one: Installation, watch: Watch) -> None:
    """A detector that hangs, and more frames than there is memory for; then one that does not."""
    preload(one.kafka, cameras=4, frames=250)
    port = free_port()
    hangs = one.work(
        "fake:600000ms", "--question", "person", "--max-age-s", 0, port=port,
        GROUNDCAM_WORK__MAX_QUEUED_BYTES="200000", **SHORT,
    )  # fmt: skip
    watch.fires("GroundcamLagWithIdleWorker")
    watch.fires("GroundcamPartitionStuck")
    hangs.stop(signal.SIGKILL)
    one.work("fake:10ms", "--question", "person", "--max-age-s", 0, port=port,
             GROUNDCAM_WORK__MAX_QUEUED_BYTES="200000", **SHORT)  # fmt: skip
    one.until_answering()
    watch.clears("GroundcamPartitionStuck")
    watch.clears("GroundcamLagWithIdleWorker")
    until(partial(_is_more, one, "sum(groundcam_frames_answered_total{NAMESPACE})", 999), "all frames are answered")
    one.end()


def members(one: Installation, watch: Watch) -> None:
    """A worker that is killed again and again, and a member of its group that comes and goes."""
    one.work(*QUICK, port=free_port(), **SHORT)
    port = free_port()
    started = f'process_start_time_seconds{{NAMESPACE, instance="127.0.0.1:{port}"}}'
    last: float | None = None
    for _ in range(MOST_TRIES):
        victim = one.work(*QUICK, port=port, **SHORT)
        until(partial(_is_new, one, started, last), "the new process is scraped")
        last = one.value(started)
        if watch.firing("GroundcamRestarts"):
            break  # and the last of them lives
        victim.stop(signal.SIGKILL)
    watch.fires("GroundcamRestarts")
    assert victim.stop() == 0
    topics = [one.kafka.topics.frames, one.kafka.topics.recordings, one.kafka.topics.requests]
    partitions = PARTITIONS * len(topics)
    most = "max(groundcam_assigned_partitions{NAMESPACE})"
    for _ in range(MOST_TRIES):
        if watch.firing("GroundcamRebalanceStorm"):
            break
        until(lambda: one.value(most) == partitions, "the worker has all partitions")
        member = GroupSource(one.kafka, topics, group_id=one.namespace, max_records=10, max_bytes=10**6,
                             session_timeout_s=6)  # fmt: skip
        member.start()
        try:
            until(lambda: one.value(most) == partitions / 2, "the member has half of them")
        finally:
            member.close(10)
    watch.fires("GroundcamRebalanceStorm")
    watch.clears("GroundcamRestarts")
    watch.clears("GroundcamRebalanceStorm")
    one.end()


def _is_more(one: Installation, expression: str, before: float) -> bool:
    return (one.value(expression) or 0.0) > before


def _is_new(one: Installation, expression: str, before: float | None) -> bool:
    return one.value(expression) not in (None, before)


def _has_letters(one: Installation, letters: int) -> bool:
    """The bad frame comes last, so that the others of its burst are answered before it, or with it."""
    return one.value('sum(groundcam_frames_dropped_total{NAMESPACE, reason="dead_lettered"})') == letters


def bad_frames(one: Installation, watch: Watch) -> None:
    """Frames that are no pictures, and batches that do not fit into the device's memory."""
    one.work("demo", "--question", "red circle", "--max-age-s", 0, port=free_port(), module="faulty_worker",
             FAULT="memory:2", **SHORT)  # fmt: skip
    until(lambda: one.value("sum(groundcam_ready{NAMESPACE})"), "the worker is ready")
    for circles, frames in ((0, 11), (3, 16)):  # 11 are no two batches of 8, so that the mean moves
        with publisher(one.kafka) as out:
            for number, data in enumerate((*[shapes(circles)] * frames, b"no picture")):
                value = encode(frame("gate", number, data, run_id=f"run-{circles}"))
                out.send(Record(one.kafka.topics.frames, value, "gate", 0))
            out.flush(30)
        until(partial(_has_letters, one, 1 + (circles > 0)), "answers, and a dead letter")
    watch.fires("GroundcamDeadLetters")
    watch.fires("GroundcamDetectorErrors")
    watch.clears("GroundcamDeadLetters")
    watch.clears("GroundcamDetectorErrors")
    one.end()


def no_kafka(one: Installation, watch: Watch, broker: EmbeddedBroker) -> None:
    """The only broker goes away and comes back. What the worker has in hand meanwhile waits for Kafka."""
    preload(one.kafka, cameras=1, frames=150)
    until(lambda: one.value('groundcam_frames_consumed_total{NAMESPACE, camera="cam0"}'), "a burst of frames")
    broker.kill_node(0)
    watch.fires("GroundcamWorkerNotReady")
    watch.fires("GroundcamKafkaSilent")
    broker.start_node(0)
    broker.wait_for_node(0)
    watch.clears("GroundcamKafkaSilent")
    watch.clears("GroundcamWorkerNotReady")
    one.until_answering()
