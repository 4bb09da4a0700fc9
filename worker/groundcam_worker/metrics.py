"""What a worker counts and times; a snapshot of its state is taken at each scrape."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from groundcam_runtime.metrics import Metrics, Reading
from groundcam_schemas import GapReason, ReplyProblem
from groundcam_worker.class_labels import OTHERS, ClassLabels
from groundcam_worker.snapshot import GpuReading, WorkerSnapshot

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_AGE_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)

STAGES = ("queue", "decode", "batch", "detect", "publish")
ERRORS = ("out_of_memory", "lost", "frame")
FORGET_S = 3600.0
"""The series of a camera that was silent for so long are removed."""
MOST_CAMERAS = 2000
"""Cameras beyond that share the label OTHERS: whoever may write frames could invent names without end."""


class WorkerMetrics(Metrics):
    """A worker's metrics."""

    def __init__(self, version: str, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(version)
        self._now = now
        self._heard: dict[str, float] = {}
        self._versions: dict[str, str] = {}
        # The loop's thread asks and answers, the server's forgets.
        self._classes, self._classes_lock = ClassLabels(FORGET_S), threading.Lock()
        self._consumed = self._counter("frames_consumed", "Frames taken from Kafka", "camera")
        self._bytes = self._counter("consumed_bytes", "Bytes of frames taken from Kafka", "camera")
        self._answered = self._counter("frames_answered", "Frames whose detections Kafka has acknowledged", "camera")
        self._dropped = self._counter("frames_dropped", "Frames that were not looked at", "camera", "reason")
        self._objects = self._counter("objects", "Objects found, by class", "camera", "label")
        self._age = self._histogram(
            "end_to_end_seconds", "Time of live frames from capture to acknowledged detections", _AGE_BUCKETS, "camera"
        )
        self._clock = self._gauge(
            "camera_delay_min_seconds",
            "Smallest time lately from a frame's capture to its arrival here: the way, and the clocks' difference",
            "camera",
        )
        self._question = self._gauge(
            "question_info", "1 for the version of the question that a camera was asked last", "camera", "version"
        )
        self._batch = self._histogram("batch_frames", "Frames in a batch", _BATCH_BUCKETS)
        self._capacity = self._gauge("batch_capacity_frames", "Most frames in a batch; falls when memory is short")
        self._detector = self._histogram("detector_seconds", "Time of a batch in the detector", _STAGE_BUCKETS)
        self._requests = self._counter("requests", "Requests that were replied to, by what became of them", "outcome")
        self._errors = self._counter("detector_errors", "Errors of the detector, by kind", "kind")
        self._stages = self._histogram("stage_seconds", "Time of a frame in a stage", _STAGE_BUCKETS, "stage")
        self._assigned = self._gauge("assigned_partitions", "Partitions of this worker")
        self._rebalances = self._counter("rebalances", "Times that partitions came to this worker or left it")
        self._new_shapes = self._counter("new_shapes", "Input shapes that came up without having been warmed up")
        for kind in ERRORS:
            self._errors.labels(kind)
        for outcome in ("answered", *ReplyProblem):
            self._requests.labels(outcome)
        # Looked up once: a frame passes all of them.
        self._of_stage = {stage: self._stages.labels(stage) for stage in STAGES}

    def watch(self, state: Callable[[], WorkerSnapshot], gpus: Callable[[], Iterable[GpuReading]]) -> None:
        """Ask for these at each scrape."""
        self._collect(lambda: readings(state(), list(gpus())))

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the page, without cameras that have been silent for long and classes that nobody asks for any more."""
        self._forget_silent()
        return super().render(accept)

    def consumed(self, camera_id: str, size: int) -> None:
        """Count a frame that came from Kafka, and its bytes."""
        is_new = camera_id not in self._heard and len(self._heard) < MOST_CAMERAS
        for reason in (GapReason.STALE, GapReason.DEAD_LETTERED) if is_new else ():
            # From 0 up, or a rate would not see the first one.
            self._dropped.labels(camera_id, reason.value)
        if is_new or camera_id in self._heard:
            self._heard[camera_id] = self._now()
        label = self._label(camera_id)
        self._consumed.labels(label).inc()
        self._bytes.labels(label).inc(size)

    def asked(self, camera_id: str, version: str, classes: Iterable[str]) -> None:
        """Note which question a camera is asked; its classes count from 0 up, or a rate would not see the first one."""
        if self._label(camera_id) == OTHERS:
            return
        last = self._versions.get(camera_id)
        if last != version:
            if last is not None:
                self._question.remove(camera_id, last)
            self._versions[camera_id] = version
            self._question.labels(camera_id, version).set(1)
            with self._classes_lock:
                begun = self._classes.asked(camera_id, classes, self._now())
            for one in begun:
                self._objects.labels(camera_id, one)

    def answered(self, camera_id: str, objects: Iterable[str], age_s: float | None) -> None:
        """Count a frame whose detections Kafka has, with the class of each object.

        Recordings have no age: they are old by nature.
        """
        label = self._label(camera_id)
        self._answered.labels(label).inc()
        for found, count in Counter(objects).items():
            with self._classes_lock:
                its = self._classes.label_of(label, found)
            self._objects.labels(label, its).inc(count)
        if age_s is not None:
            self._age.labels(label).observe(max(0.0, age_s))

    def dropped(self, camera_id: str, reason: GapReason, frames: int = 1) -> None:
        """Count frames that were skipped."""
        self._dropped.labels(self._label(camera_id), reason.value).inc(frames)

    def clock(self, camera_id: str, delay_s: float) -> None:
        """Note a camera's smallest delay; below zero, or of minutes, it shows a wrong clock."""
        self._clock.labels(self._label(camera_id)).set(delay_s)

    def batch(self, frames: int) -> None:
        """Note how full a batch was."""
        self._batch.observe(frames)

    def capacity(self, frames: int) -> None:
        """Note how many frames fit into a batch now."""
        self._capacity.set(frames)

    def detected(self, seconds: float) -> None:
        """Note how long the detector took for a batch."""
        self._detector.observe(seconds)

    def replied(self, outcome: str) -> None:
        """Count a request whose reply Kafka has: `answered`, or the problem."""
        self._requests.labels(outcome).inc()

    def error(self, kind: str) -> None:
        """Count an error of the detector, one of ERRORS."""
        self._errors.labels(kind).inc()

    def stage(self, stage: str, seconds: float) -> None:
        """Note how long a frame was in one of STAGES."""
        self._of_stage[stage].observe(max(0.0, seconds))

    def assigned(self, partitions: int) -> None:
        """Note how many partitions this worker has, after some came or left."""
        self._rebalances.inc()
        self._assigned.set(partitions)

    def new_shape(self) -> None:
        """Count an input shape that was not warmed up."""
        self._new_shapes.inc()

    def _label(self, camera_id: str) -> str:
        return camera_id if camera_id in self._heard else OTHERS

    def _forget_silent(self) -> None:
        for camera_id, heard in list(self._heard.items()):
            if self._now() - heard > FORGET_S and self._heard.pop(camera_id, None) is not None:
                self._versions.pop(camera_id, None)
                with self._classes_lock:
                    self._classes.forget_camera(camera_id)
                self._remove(
                    {"camera": camera_id},
                    self._consumed, self._bytes, self._answered, self._dropped, self._objects, self._age,
                    self._clock, self._question,
                )  # fmt: skip
        with self._classes_lock:
            ended = self._classes.forgotten(self._now())
        for camera_id, label in ended:
            self._remove({"camera": camera_id, "label": label}, self._objects)


def readings(state: WorkerSnapshot, gpus: list[GpuReading]) -> Iterator[Reading]:
    """Return a snapshot as gauges."""
    for name, text, value in (
        ("ready", "1 if this worker could answer now", state.ready),
        ("kafka_silent_seconds", "Time since a broker last answered", state.kafka_silent_s),
        ("waiting_frames_bytes", "Bytes of undecoded frames in memory", state.waiting_bytes),
        ("unacknowledged_bytes", "Bytes of answers that Kafka has not acknowledged", state.unacknowledged_bytes),
    ):
        yield Reading(name, text, (), [((), float(value))])
    for name, text, values in (
        ("consumer_lag_frames", "Frames on Kafka that are not answered", state.lag),
        ("finished_offset", "Offset before which every frame of a partition is answered", state.finished),
    ):
        by_partition = [((one.topic, str(one.number)), float(value)) for one, value in values.items()]
        yield Reading(name, text, ("topic", "partition"), by_partition)
    for name, text, values_of in (
        ("gpu_utilization_ratio", "Share of time in which the GPU was busy", [one.utilization for one in gpus]),
        ("gpu_memory_used_bytes", "GPU memory in use, by all processes", [one.memory_used for one in gpus]),
        ("gpu_memory_total_bytes", "GPU memory that there is", [one.memory_total for one in gpus]),
    ):
        by_gpu = [
            ((one.gpu,), float(value)) for one, value in zip(gpus, values_of, strict=True) if value is not None
        ]  # fmt: skip
        yield Reading(name, text, ("gpu",), by_gpu)
