"""What the service counts and times. Routes are templates: what a client writes into a path is no label."""

from collections.abc import Callable, Iterator

from groundcam_runtime.metrics import Metrics, Reading

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

FIGURES = {
    "http_waiting_pictures": "Pictures that wait for their answers",
    "http_body_bytes": "Bytes of requests in memory",
    "http_streams": "Readers of streams",
    "http_ready_workers": "Workers that are ready, as the service sees them",
    "http_late_replies": "Replies that came after their deadlines",
    "http_estimated_wait_seconds": "How long a request would wait",
    "http_viewers": "Pages of the console that look at pictures",
    "http_cameras_looked_at": "Cameras that are looked at",
}
"""The state that is read at each scrape."""


class ServeMetrics(Metrics):
    """The service's metrics."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self._requests = self._counter("http_requests", "Requests, by route and status", "route", "status")
        self._seconds = self._histogram("http_request_seconds", "Time of a request", _BUCKETS, "route")
        self._refused = self._counter("http_refused", "Requests that were refused, by kind of problem", "kind")
        self._logins = self._counter("http_logins", "Attempts to log in, by what became of them", "result")
        self._pictures = self._counter("http_pictures", "Pictures that were answered")
        self._added = self._histogram(
            "http_added_seconds", "Time of a picture besides the detector's: queues, Kafka, decoding", _BUCKETS
        )

    def watch(self, read: Callable[[], dict[str, float]]) -> None:
        """Ask for the state at each scrape."""

        def readings() -> Iterator[Reading]:
            for name, value in read().items():
                yield Reading(name, FIGURES[name], (), [((), value)])

        self._collect(readings)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def refused(self, kind: str) -> None:
        """Count a problem."""
        self._refused.labels(kind).inc()

    def login(self, result: str) -> None:
        """Count an attempt to log in; who it was is no label."""
        self._logins.labels(result).inc()

    def picture(self, added_s: float) -> None:
        """Count a picture that was answered."""
        self._pictures.inc()
        self._added.observe(max(0.0, added_s))
