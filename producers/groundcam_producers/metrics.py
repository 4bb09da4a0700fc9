"""What a producer counts, camera by camera."""

from collections.abc import Iterable

from groundcam_producers.task import Beat
from groundcam_runtime.metrics import Metrics
from groundcam_schemas import CameraState, GapReason


class ProducerMetrics(Metrics):
    """The metrics of a producer, camera by camera."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self._totals = {
            name: self._counter(name, text, "camera")
            for name, text in {
                "frames_decoded": "Frames that came out of the decoder",
                "frames_sampled": "Frames that the sampler kept",
                "frames_published": "Frames that Kafka has acknowledged",
                "frames_corrupt": "Frames that the decoder marked as damaged",
                "reconnects": "Times the source was opened again",
                "published_bytes": "Bytes of acknowledged frames",
            }.items()
        }
        self._dropped = self._counter("frames_dropped", "Frames that were not published", "camera", "reason")
        self._cameras = self._gauge("cameras", "Cameras of this producer")
        self._up = self._gauge("camera_up", "1 while frames arrive", "camera")
        self._state = self._gauge("camera_state", "1 for the state that a camera is in", "camera", "state")
        self._last = self._gauge(
            "camera_last_frame_timestamp_seconds", "When a camera's newest frame was captured", "camera"
        )
        self._restarts = self._counter("camera_process_restarts", "Times a camera's process was restarted", "camera")

    def cameras(self, names: Iterable[str]) -> None:
        """Note which cameras there are: each has its series from the start, so that silence shows."""
        known = list(names)
        self.number(len(known))
        for name in known:
            self.added(name)

    def number(self, cameras: int) -> None:
        """Note how many cameras there are."""
        self._cameras.set(cameras)

    def added(self, camera_id: str) -> None:
        """Give a camera its series."""
        self.state(camera_id, CameraState.CONNECTING)
        self._restarts.labels(camera_id)
        for total in self._totals.values():
            total.labels(camera_id)

    def removed(self, camera_id: str) -> None:
        """Drop the series of a camera that is looked after no longer."""
        several = (self._dropped, self._up, self._state, self._last, self._restarts)
        self._remove({"camera": camera_id}, *self._totals.values(), *several)

    def add(self, camera_id: str, name: str, amount: float) -> None:
        """Add to one of a camera's totals."""
        if amount:
            self._totals[name].labels(camera_id).inc(amount)

    def beat(self, camera_id: str, beat: Beat) -> None:
        """Count what a camera's process has done since its last sign of life."""
        for total, amount in beat.totals.items():
            self.add(camera_id, total, amount)
        for reason, frames in beat.dropped.items():
            self.dropped(camera_id, reason, frames)
        if beat.last_frame_ns is not None:
            self.frame(camera_id, beat.last_frame_ns)

    def dropped(self, camera_id: str, reason: GapReason, frames: int) -> None:
        """Count sampled frames that were not published."""
        self._dropped.labels(camera_id, reason.value).inc(frames)

    def state(self, camera_id: str, state: CameraState) -> None:
        """Note a camera's state."""
        self._up.labels(camera_id).set(1 if state is CameraState.ONLINE else 0)
        for one in CameraState:
            self._state.labels(camera_id, one.value).set(1 if one is state else 0)

    def frame(self, camera_id: str, captured_at_ns: int) -> None:
        """Note when a camera's newest frame was captured."""
        self._last.labels(camera_id).set(captured_at_ns / 1e9)

    def ended(self, camera_id: str) -> None:
        """A file was played to its end: it is neither up nor down, nor is its silence news."""
        for metric in (self._up, self._state, self._last):
            metric.remove_by_labels({"camera": camera_id})

    def restarted(self, camera_id: str) -> None:
        """Count a camera process that had to be started again."""
        self._restarts.labels(camera_id).inc()
