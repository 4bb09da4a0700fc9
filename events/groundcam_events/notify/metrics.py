"""What the notifier counts and times, by webhook: their names are settings, so there are few."""

from collections.abc import Callable, Iterator, Mapping

from groundcam_events.notify.policy.answers import Failure
from groundcam_runtime.metrics import Metrics, Reading

_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class NotifyMetrics(Metrics):
    """The notifier's metrics."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self._events = self._counter("notify_events", "Events that were read, each once")
        self._repeats = self._counter("notify_repeats", "Events that came again and were dropped")
        self._unreadable = self._counter("notify_unreadable", "Records on the events topic that are no events")
        self._held_back = self._counter("notify_held_back", "Events that a cool-down held back", "hook")
        self._delivered = self._counter("notify_delivered", "Events that a webhook took", "hook")
        self._failed = self._counter("notify_failed", "Attempts that failed", "hook", "reason")
        self._undelivered = self._counter(
            "notify_undelivered", "Events that were put on the undelivered topic", "hook", "reason"
        )
        self._seconds = self._histogram(
            "notify_seconds", "Time from reading an event until a webhook had taken it", _BUCKETS, "hook"
        )
        self._no_picture = self._counter(
            "notify_pictures_absent", "Events that were sent without their picture since it was not there", "hook"
        )

    def hooks(self, names: Iterator[str]) -> None:
        """Show every webhook from the start, with zeros."""
        for name in names:
            for counter in (self._held_back, self._delivered, self._no_picture):
                counter.labels(name)
            self._seconds.labels(name)

    def watch(self, queued: Callable[[], Mapping[str, int]], unsettled: Callable[[], int]) -> None:
        """Ask for these at each scrape."""

        def readings() -> Iterator[Reading]:
            samples = [((name,), float(count)) for name, count in queued().items()]
            yield Reading("notify_queue", "Events that wait for a webhook", ("hook",), samples)
            yield Reading("notify_unsettled", "Events that are read and not committed", (), [((), float(unsettled()))])

        self._collect(readings)

    def read(self, *, is_repeat: bool = False) -> None:
        """Count an event."""
        (self._repeats if is_repeat else self._events).inc()

    def unreadable(self) -> None:
        """Count a record that is no event."""
        self._unreadable.inc()

    def held_back(self, hook: str) -> None:
        """Count an event in a cool-down."""
        self._held_back.labels(hook).inc()

    def delivered(self, hook: str, seconds: float) -> None:
        """Count an event that was taken."""
        self._delivered.labels(hook).inc()
        self._seconds.labels(hook).observe(seconds)

    def failed(self, hook: str, failure: Failure) -> None:
        """Count an attempt."""
        self._failed.labels(hook, failure.value).inc()

    def undelivered(self, hook: str, reason: str) -> None:
        """Count an event that was put aside."""
        self._undelivered.labels(hook, reason).inc()

    def no_picture(self, hook: str) -> None:
        """Count a picture that was not there."""
        self._no_picture.labels(hook).inc()
