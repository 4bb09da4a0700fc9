"""What Kafka, JPEG and Python cost: a worker end to end, with a detector that only waits.

Frames are put on an Apache Kafka on this machine, then a real worker process answers them. Two figures come out:

throughput   frames preloaded; frame/s from the first to the last answer, against what the detector alone can do
latency      frames sent at half of that rate; time from the send to the answer's arrival at a subscriber, less
             the detector's own wait: what the system adds

    .venv/bin/python benchmarks/pipeline.py [--json FILE]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from groundcam_runtime.broker import EmbeddedBroker
from groundcam_runtime.kafka.publisher import Publisher, Record
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Frame, decode_answer, encode

CAMERAS = 8
PARTITIONS = 4
SIZE = (960, 544)


def jpeg() -> bytes:
    """A picture of 960x544 as noisy as a camera's: about 100 KB."""
    random = np.random.default_rng(1)
    smooth = cv2.resize(random.integers(0, 255, (17, 30, 3), dtype=np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(smooth.astype(int) + random.normal(0, 7, smooth.shape), 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])


def frame(camera: int, seq: int, data: bytes) -> Record:
    """A frame as a producer sends it."""
    message = Frame(
        camera_id=f"cam{camera}", run_id="bench", seq=seq, captured_at_ns=time.time_ns(), width=SIZE[0],
        height=SIZE[1], source_width=SIZE[0], source_height=SIZE[1], data=data,
    )  # fmt: skip
    return Record("", encode(message), f"cam{camera}", camera % PARTITIONS)


def send(out: Publisher, topic: str, record: Record) -> None:
    """Send, waiting while Kafka is behind."""
    while not out.has_room(record.size):
        out.flush(0.01)
    out.send(Record(topic, record.value, record.key, record.partition))
    out.poll()


@contextmanager
def worker(settings: KafkaSettings, wait_ms: float, batch: int) -> "Iterator[subprocess.Popen[bytes]]":
    """A worker process with a detector that waits."""
    variables = {
        **os.environ,
        "GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "GROUNDCAM_KAFKA__TOPIC_PREFIX": settings.topic_prefix,
    }
    options = ["--model", f"fake:{wait_ms}ms", "--question", "person", "--batch-size", str(batch), "--max-age-s", "0"]
    command = [sys.executable, "-m", "groundcam", "work", *options, "--log-level", "warning"]
    process = subprocess.Popen(command, env=variables)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _require_running(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        sys.exit(f"the worker ended with code {process.returncode}")


def topics(settings: KafkaSettings) -> None:
    """Create this run's topics."""
    admin = TopicAdmin(settings)
    admin.ensure(wanted(settings.topics, PARTITIONS, 4 * MIB), None)
    admin.close()


def throughput(servers: str, data: bytes, frames: int, wait_ms: float, batch: int) -> float:
    """Return frame/s of a worker that has everything before it, from its first answer to its last."""
    settings = KafkaSettings(bootstrap_servers=servers, topic_prefix=f"t{time.time_ns()}.")
    topics(settings)
    out = Publisher(settings, max_waiting_bytes=8 * MIB, max_record_bytes=4 * MIB)
    for number in range(frames):
        send(out, settings.topics.frames, frame(number % CAMERAS, number // CAMERAS, data))
    out.flush(60)
    out.close()
    arrived: list[int] = []
    with (
        Reader(settings, [settings.topics.detections], start="beginning") as reader,
        worker(settings, wait_ms, batch) as one,
    ):
        while len(arrived) < frames:
            _require_running(one)
            for record in reader.poll(0.2):
                answer = decode_answer(record.value or b"")
                if isinstance(answer, Detections):
                    arrived.append(answer.timings_ns.published)
    return (len(arrived) - batch) / (max(arrived) - sorted(arrived)[batch - 1]) * 1e9


def latency(servers: str, data: bytes, rate: float, seconds: float, wait_ms: float, batch: int) -> list[float]:
    """Return the milliseconds from send to arrival of each answer, at a steady rate."""
    settings = KafkaSettings(bootstrap_servers=servers, topic_prefix=f"t{time.time_ns()}.")
    topics(settings)
    waits: list[float] = []
    warm_up = int(2 * rate)
    total = warm_up + int(seconds * rate)
    with (
        Reader(settings, [settings.topics.detections], start="beginning") as reader,
        worker(settings, wait_ms, batch) as one,
    ):
        out = Publisher(settings, max_waiting_bytes=64 * MIB, max_record_bytes=4 * MIB)
        send(out, settings.topics.frames, frame(0, 0, data))
        while not reader.poll(0.2):
            out.poll()
        sender = threading.Thread(target=_send_steadily, args=(out, settings.topics.frames, data, rate, total))
        sender.start()
        while len(waits) < total:
            _require_running(one)
            for record in reader.poll(0.2):
                answer = decode_answer(record.value or b"")
                if isinstance(answer, Detections):
                    waits.append((record.consumed_at_ns - answer.captured_at_ns) / 1e6)
        sender.join()
        out.close()
    return waits[warm_up:]


def _send_steadily(out: Publisher, topic: str, data: bytes, rate: float, total: int) -> None:
    began, pause = time.monotonic(), threading.Event()
    for number in range(total):
        pause.wait(max(0.0, began + number / rate - time.monotonic()))
        send(out, topic, frame(number % CAMERAS, 1 + number // CAMERAS, data))
    out.flush(30)


def processor() -> str:
    """Return the processor's name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def quantile(values: list[float], share: float) -> float:
    """Return the value below which this share lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wait-ms", type=float, default=5.0, help="the detector's wait for a frame")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=2400)
    parser.add_argument("--seconds", type=float, default=15.0, help="length of the latency run")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()

    data = jpeg()
    alone = 1000 / chosen.wait_ms
    with EmbeddedBroker(say=print) as broker:
        print(f"{chosen.frames} frames of {SIZE[0]}x{SIZE[1]}, {len(data) / 1000:.0f} KB each, {CAMERAS} cameras")
        print(
            f"detector: waits {chosen.wait_ms} ms a frame, batches of at most {chosen.batch}: {alone:.0f} frame/s alone"
        )
        rate = throughput(broker.bootstrap_servers, data, chosen.frames, chosen.wait_ms, chosen.batch)
        waits = latency(broker.bootstrap_servers, data, alone / 2, chosen.seconds, chosen.wait_ms, chosen.batch)
    # A frame's own wait is that of its whole batch, which at this rate is mostly a batch of one or two.
    added = [value - chosen.wait_ms for value in waits]
    row: dict[str, Any] = {
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{processor()}, {os.cpu_count()} cores, broker and subscriber on the same machine",
        "wait_ms": chosen.wait_ms, "batch": chosen.batch, "frames": chosen.frames, "jpeg_bytes": len(data),
        "detector_fps": alone, "worker_fps": round(rate, 1), "ratio": round(rate / alone, 3),
        "load_fps": alone / 2, "added_ms_p50": round(statistics.median(added), 1),
        "added_ms_p95": round(quantile(added, 0.95), 1), "added_ms_p99": round(quantile(added, 0.99), 1),
    }  # fmt: skip
    print(f"throughput: {rate:.0f} frame/s, {rate / alone:.1%} of the detector alone")
    print(
        f"added latency at {alone / 2:.0f} frame/s: median {row['added_ms_p50']} ms, 95 % {row['added_ms_p95']} ms,"
        f" 99 % {row['added_ms_p99']} ms"
    )
    if chosen.json:
        chosen.json.write_text(json.dumps(row, indent=2) + "\n")


if __name__ == "__main__":
    main()
