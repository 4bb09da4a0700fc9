"""Frames for the benchmarks: real JPEGs as noisy as a camera's, put on Kafka beforehand or sent at a steady rate."""

import multiprocessing
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np

from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Frame, encode

SIZE = (960, 544)
CAMERAS = 8
PARTITIONS = 4


def jpegs(count: int = 4) -> list[bytes]:
    """Return pictures of 960x544 of about 90 KB each."""
    made = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        smooth = cv2.resize(random.integers(0, 255, (17, 30, 3), dtype=np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(smooth.astype(int) + random.normal(0, 7, smooth.shape), 0, 255).astype(np.uint8)
        made.append(bytes(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]))
    return made


def frame(topic: str, camera: str, seq: int, data: bytes, partition: int) -> Record:
    """Return a frame as a camera's process sends it, captured now."""
    message = Frame(
        camera_id=camera, run_id="bench", seq=seq, captured_at_ns=time.time_ns(), width=SIZE[0], height=SIZE[1],
        source_width=SIZE[0], source_height=SIZE[1], data=data,
    )  # fmt: skip
    return Record(topic, encode(message), camera, partition)


def new_run(servers: str, partitions: int = PARTITIONS) -> KafkaSettings:
    """Create topics of their own for one run. Kafka itself stamps their records, to a millisecond."""
    settings = KafkaSettings(bootstrap_servers=servers, topic_prefix=f"b{time.time_ns()}.")
    stamped = {"message.timestamp.type": "LogAppendTime"}
    specs = [replace(spec, config=spec.config | stamped) for spec in wanted(settings.topics, partitions, 4 * MIB)]
    admin = TopicAdmin(settings)
    admin.ensure(specs, None)
    admin.close()
    return settings


def placed(cameras: int = CAMERAS, partitions: int = PARTITIONS) -> dict[str, int]:
    """Return cameras with their partitions, evenly."""
    return {f"cam{number}": number % partitions for number in range(cameras)}


def preload(settings: KafkaSettings, places: Mapping[str, int], frames: int, pictures: list[bytes]) -> None:
    """Put so many frames on Kafka, the cameras taking turns."""
    out = Publisher(settings, max_waiting_bytes=8 * MIB, max_record_bytes=4 * MIB, linger_ms=5)
    cameras = list(places)
    for number in range(frames):
        camera = cameras[number % len(cameras)]
        _send(out, frame(settings.topics.frames, camera, number // len(cameras), pictures[number % len(pictures)],
                         places[camera]))  # fmt: skip
    out.flush(60)
    out.close()


def _send(out: Publisher, record: Record) -> None:
    while not out.has_room(record.size):
        out.flush(0.01)
    out.send(record)
    out.poll()


@contextmanager
def sending(
    settings: KafkaSettings, places: Mapping[str, int], rate: float, total: int, pictures: list[bytes]
) -> "Iterator[multiprocessing.process.BaseProcess]":
    """Send so many frames a second, evenly, from a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_send_steadily, args=(settings, dict(places), rate, total, pictures), daemon=True)
    process.start()
    try:
        yield process
        process.join(total / rate + 60)
    finally:
        process.kill()


def _send_steadily(
    settings: KafkaSettings, places: Mapping[str, int], rate: float, total: int, pictures: list[bytes]
) -> None:
    out = Publisher(settings, max_waiting_bytes=64 * MIB, max_record_bytes=4 * MIB)
    cameras = list(places)
    began = time.monotonic()
    for number in range(total):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        camera = cameras[number % len(cameras)]
        _send(out, frame(settings.topics.frames, camera, number // len(cameras), pictures[number % len(pictures)],
                         places[camera]))  # fmt: skip
    out.flush(30)
    out.close()
