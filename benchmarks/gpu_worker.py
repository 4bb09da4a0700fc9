"""The whole worker but for Kafka: JPEGs of eight cameras in, encoded messages out, through its own loop and threads."""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from gpu_bench import LONG, SHORT, Bench, Row, few_objects, tokens_of

from groundcam_runtime.kafka.publisher import Delivery
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Assigned, Consumed, Event, Partition, Position
from groundcam_runtime.settings import TraceSettings
from groundcam_runtime.tracing import Tracing
from groundcam_schemas import Frame, Topics, encode
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.loop.decoding import Decoding, preparation
from groundcam_worker.loop.driver import Driver
from groundcam_worker.loop.inference import Inference
from groundcam_worker.loop.publishing import Publishing
from groundcam_worker.loop.state import LoopState
from groundcam_worker.loop.telemetry import Telemetry
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.policy.freshness import Freshness
from groundcam_worker.policy.limits import Limits
from groundcam_worker.policy.policies import Policies
from groundcam_worker.policy.questions import Questions
from parity import picture

TOPICS = Topics()
PARTITION = Partition(TOPICS.frames, 0)
CAMERAS = 8
PATIENCE_S = 15.0


class MemorySource:
    """Frames that are there from the beginning."""

    failure = None
    silence_s = 10.0
    leaving: frozenset[Partition] = frozenset()

    def __init__(self, records: list[Consumed]) -> None:
        self.events: deque[Event] = deque([Assigned({PARTITION: Position(0, "")}, 1), *records])
        self.polled_at = self.heard_at = time.monotonic()

    def take(self) -> Event | None:
        return self.events.popleft() if self.events else None

    def commit(self, positions: Mapping[Partition, Position], *, written: bool = False) -> None:
        """Nobody reads on after this."""

    def hand_over(self, partitions: frozenset[Partition]) -> None:
        """Nothing leaves."""

    def pause(self) -> None:
        """Nothing more comes anyway."""


class MemorySink:
    """Takes everything at once, and counts answers."""

    is_full, unfinished, waiting_bytes = False, 0, 0

    def __init__(self, wake: threading.Event) -> None:
        self._new: list[Delivery] = []
        self._wake = wake
        self.answers = 0
        self.at: list[float] = []

    def has_room(self, size: int) -> bool:
        return size >= 0

    def send(self, record: Record, tag: Any = None) -> Delivery:
        self._new.append(Delivery(record, tag, done=True))
        if record.topic == TOPICS.detections and b"objects" in (record.value or b""):  # gaps have none
            self.answers += 1
            self.at.append(time.monotonic())
        self._wake.set()
        return self._new[-1]

    def poll(self) -> list[Delivery]:
        done, self._new = self._new, []
        return done

    def close(self) -> None:
        """There is nothing to end."""


def jpegs(width: int, height: int, count: int = 4) -> list[bytes]:
    """Return pictures as noisy as a camera's."""
    made = []
    for seed in range(count):
        noise = np.random.default_rng(seed).normal(0, 7, (height, width, 3))
        noisy = np.clip(picture(seed, width, height) + noise, 0, 255).astype(np.uint8)
        made.append(bytes(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]))
    return made


def records(frames: int, size: tuple[int, int]) -> list[Consumed]:
    width, height = size
    data = jpegs(width, height)
    found = []
    for number in range(frames):
        message = Frame(
            camera_id=f"cam{number % CAMERAS}", run_id="bench", seq=number // CAMERAS, captured_at_ns=time.time_ns(),
            width=width, height=height, source_width=width, source_height=height, data=data[number % len(data)],
        )  # fmt: skip
        key = message.camera_id.encode()
        found.append(Consumed(PARTITION, number, 1000, key, encode(message), (), time.time_ns()))
    return found


def frames_per_s(
    detector: GuardedDetector, question: Any, size: tuple[int, int], *, frames: int, batch: int, decoders: int
) -> tuple[int, float]:
    """Return how many frames were answered, and how many a second between the first answers and the last."""
    wake = threading.Event()
    limits = Limits(batch_size=batch, decode_threads=decoders)
    state = LoopState(Policies(Questions([("*", question)]), Freshness(0.0), limits))
    sink = MemorySink(wake)
    nothing: Any = None  # no frame is quarantined
    driver = Driver(
        state, MemorySource(records(frames, size)),
        Decoding(preparation(detector, limits.max_pixels), decoders, wake.set), Inference(detector, wake.set),
        Publishing(sink, TOPICS, "bench", detector.model, as_json=False, tracing=Tracing(TraceSettings(), "", "bench")),
        Telemetry(WorkerMetrics("bench")), wake, attempt_log=nothing, sandbox=nothing,
    )  # fmt: skip
    until = time.monotonic() + PATIENCE_S
    driver.run(lambda: sink.answers >= frames or time.monotonic() > until, 5.0)
    first = len(sink.at) // 10
    if len(sink.at) < first + 2:
        return sink.answers, 0.0
    return sink.answers, (len(sink.at) - first - 1) / (sink.at[-1] - sink.at[first])


def whole(bench: Bench) -> Iterator[Row]:
    """Frame/s from JPEG to message."""
    frames = 24 if bench.is_dry else 800
    many = min(8, os.cpu_count() or 1)
    cameras = ((320, 180),) if bench.is_dry else ((960, 544), (1920, 1080))
    detector = bench.opened(bench.inputs[0])
    detector.warm_up([SHORT, LONG] if not bench.is_dry else [SHORT], cameras, 8 if not bench.is_dry else 2)
    cases = [(size, decoders, SHORT) for size in cameras for decoders in (2, many)]
    cases += [] if bench.is_dry else [(cameras[-1], many, LONG)]
    for size, decoders, question in cases:
        batch = 2 if bench.is_dry else 8
        question = few_objects(detector, bench, question)  # noqa: PLW2901
        answers, rate = frames_per_s(detector, question, size, frames=frames, batch=batch, decoders=decoders)
        inner: Any = detector._detector
        yield {"input": bench.inputs[0], "picture": size, "decoders": decoders, "batch": batch, "answers": answers,
               "frames": frames, "tokens": len(tokens_of(inner, question)[0]), "frames_per_s": rate}  # fmt: skip
