"""What a tracker counts and times."""

import time
from collections.abc import Callable, Iterable

from groundcam_runtime.metrics import Metrics, Reading
from groundcam_schemas import Event

_AGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_CHECKPOINT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
MOST_CAMERAS = 2000
"""Cameras beyond that share the label OTHERS: whoever may write detections could invent names without end."""
OTHERS = "others"
NS = 1_000_000_000


class TrackerMetrics(Metrics):
    """A tracker's metrics."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self._named: set[str] = set()
        self._events = self._counter("events", "Events that Kafka has acknowledged", "camera", "cause")
        self._answers = self._counter("tracked_answers", "Answers and gaps that were taken", "camera")
        self._age = self._histogram(
            "event_age_seconds", "Time of events but ends from the capture of their newest frame to Kafka", _AGE_BUCKETS
        )
        self._late = self._counter("late_answers", "Answers that came late or again, and changed nothing")
        self._unreadable = self._counter("unreadable_answers", "Messages on the detections topic that cannot be read")
        self._unfollowed = self._counter("unfollowed_objects", "Objects that were too many to be followed, by look")
        self._checkpoint = self._histogram("checkpoint_seconds", "Time of a checkpoint", _CHECKPOINT_BUCKETS)
        self._states = self._counter("state_bytes", "Bytes of cameras' states that were written")
        self._recovery = self._gauge("recovery_seconds", "Time of the latest take-over of partitions")
        self._pictures = self._counter("pictures", "Best pictures, by what became of them", "outcome")
        for outcome in ("kept", "expired", "failed"):
            self._pictures.labels(outcome)

    def watch(self, read: Callable[[], Iterable[Reading]]) -> None:
        """Ask for these at each scrape."""
        self._collect(read)

    def took(self, camera: str, late: int, unfollowed: int) -> None:
        """A record was taken."""
        self._answers.labels(self._name(camera)).inc()
        if late:
            self._late.inc(late)
        if unfollowed:
            self._unfollowed.inc(unfollowed)

    def unreadable(self) -> None:
        """A record cannot be read."""
        self._unreadable.inc()

    def told(self, event: Event) -> None:
        """Kafka has an event."""
        self._events.labels(self._name(event.camera_id), event.cause.value).inc()
        if event.end is None:  # an end follows when its object was not seen for a while
            self._age.observe(max(0.0, (time.time_ns() - event.last.captured_at_ns) / NS))

    def checkpoint(self, seconds: float, state_bytes: int) -> None:
        """A checkpoint is through."""
        self._checkpoint.observe(seconds)
        self._states.inc(state_bytes)

    def recovered(self, seconds: float) -> None:
        """Partitions were taken over."""
        self._recovery.set(seconds)

    def picture(self, outcome: str) -> None:
        """A best picture is kept, expired, or could not be made."""
        self._pictures.labels(outcome).inc()

    def _name(self, camera: str) -> str:
        if camera not in self._named:
            if len(self._named) >= MOST_CAMERAS:
                return OTHERS
            self._named.add(camera)
        return camera
