"""What is counted and timed. The only file that imports prometheus_client; others name events."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from groundcam_schemas import CameraState, GapReason

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_AGE_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)

STAGES = ("queue", "decode", "batch", "detect", "publish")


class Metrics:
    """One registry, and how to show it."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        Info("groundcam_build", "Version of this process", registry=self.registry).info({"version": version})

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the page and its content type for a scraper's Accept header."""
        if "application/openmetrics-text" in accept:
            page: bytes = generate_openmetrics(self.registry)  # type: ignore[no-untyped-call]
            return page, OPENMETRICS
        return generate_latest(self.registry), "text/plain; version=0.0.4; charset=utf-8"


class WorkerMetrics(Metrics):
    """What a worker tells."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self._consumed = self._counter("frames_consumed", "Frames taken from Kafka", "camera")
        self._answered = self._counter("frames_answered", "Frames whose detections Kafka has acknowledged", "camera")
        self._dropped = self._counter("frames_dropped", "Frames that were not looked at", "camera", "reason")
        self._objects = self._counter("objects", "Objects found", "camera")
        self._batch = Histogram(
            "groundcam_batch_frames", "Frames in a batch", buckets=_BATCH_BUCKETS, registry=self.registry
        )
        self._stages = Histogram(
            "groundcam_stage_seconds", "Time of a frame in a stage", ["stage"],
            buckets=_STAGE_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._age = Histogram(
            "groundcam_end_to_end_seconds", "Time from capture to acknowledged detections", ["camera"],
            buckets=_AGE_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._lag = Gauge(
            "groundcam_consumer_lag_frames", "Frames on Kafka behind the last one taken", ["topic", "partition"],
            registry=self.registry,
        )  # fmt: skip
        self._assigned = Gauge("groundcam_assigned_partitions", "Partitions of this worker", registry=self.registry)
        self._clock = Gauge(
            "groundcam_camera_delay_min_seconds",
            "Smallest time lately from a frame's capture to its arrival here: the way, and the clocks' difference",
            ["camera"], registry=self.registry,
        )  # fmt: skip
        self._new_shapes = Counter(
            "groundcam_new_shapes", "Input shapes that came up without having been warmed up", registry=self.registry
        )

    def consumed(self, camera_id: str) -> None:
        """Count a frame that came from Kafka."""
        self._consumed.labels(camera_id).inc()

    def answered(self, camera_id: str, objects: int, age_s: float) -> None:
        """Count a frame whose detections Kafka has."""
        self._answered.labels(camera_id).inc()
        self._objects.labels(camera_id).inc(objects)
        self._age.labels(camera_id).observe(max(0.0, age_s))

    def dropped(self, camera_id: str, reason: GapReason, frames: int = 1) -> None:
        """Count frames that nobody looked at."""
        self._dropped.labels(camera_id, reason.value).inc(frames)

    def batch(self, frames: int) -> None:
        """Note how full a batch was."""
        self._batch.observe(frames)

    def stage(self, stage: str, seconds: float) -> None:
        """Note how long a frame was in one of STAGES."""
        self._stages.labels(stage).observe(max(0.0, seconds))

    def lag(self, topic: str, partition: int, frames: int) -> None:
        """Note how far behind a partition is."""
        self._lag.labels(topic, str(partition)).set(frames)

    def assigned(self, partitions: int) -> None:
        """Note how many partitions this worker has, and forget the lag of those it no longer has."""
        self._assigned.set(partitions)
        self._lag.clear()

    def clock(self, camera_id: str, delay_s: float) -> None:
        """Note a camera's smallest delay; below zero, or of minutes, it shows a wrong clock."""
        self._clock.labels(camera_id).set(delay_s)

    def new_shape(self) -> None:
        """Count an input shape that was not warmed up."""
        self._new_shapes.inc()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"groundcam_{name}", text, labels, registry=self.registry)


class ProducerMetrics(Metrics):
    """What a producer tells, camera by camera."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self._totals = {
            name: Counter(f"groundcam_{name}", text, ["camera"], registry=self.registry)
            for name, text in {
                "frames_decoded": "Frames that came out of the decoder",
                "frames_sampled": "Frames that the sampler kept",
                "frames_published": "Frames that Kafka has acknowledged",
                "frames_corrupt": "Frames that the decoder marked as damaged",
                "reconnects": "Times the source was opened again",
                "published_bytes": "Bytes of acknowledged frames",
            }.items()
        }
        self._dropped = Counter(
            "groundcam_frames_dropped", "Frames that were not published", ["camera", "reason"],
            registry=self.registry,
        )  # fmt: skip
        self._up = Gauge("groundcam_camera_up", "1 while frames arrive", ["camera"], registry=self.registry)
        self._restarts = Counter(
            "groundcam_camera_process_restarts", "Times a camera's process was started again", ["camera"],
            registry=self.registry,
        )  # fmt: skip

    def add(self, camera_id: str, name: str, amount: float) -> None:
        """Add to one of a camera's totals."""
        if amount:
            self._totals[name].labels(camera_id).inc(amount)

    def dropped(self, camera_id: str, reason: GapReason, frames: int) -> None:
        """Count sampled frames that were not published."""
        self._dropped.labels(camera_id, reason.value).inc(frames)

    def state(self, camera_id: str, state: CameraState) -> None:
        """Note a camera's state."""
        self._up.labels(camera_id).set(1 if state is CameraState.ONLINE else 0)

    def restarted(self, camera_id: str) -> None:
        """Count a camera process that had to be started again."""
        self._restarts.labels(camera_id).inc()
