"""What is counted and timed. The only file that imports prometheus_client; others name events.

What happens is counted where it happens; the state of a process is read at each scrape.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

# One series more for each counter and histogram, which nobody reads.
disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge that is read at a scrape: a sample for each combination of label values."""

    name: str
    text: str
    labels: Sequence[str]
    samples: Sequence[tuple[Sequence[str], float]]


class Metrics:
    """One registry, and how to show it."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        Info("groundcam_build", "Version of this process", registry=self.registry).info({"version": version})
        ProcessCollector(registry=self.registry)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the page and its content type for a scraper's Accept header."""
        if "application/openmetrics-text" in accept:
            page: bytes = generate_openmetrics(self.registry)  # type: ignore[no-untyped-call]
            return page, OPENMETRICS
        return generate_latest(self.registry), "text/plain; version=0.0.4; charset=utf-8"

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"groundcam_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"groundcam_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"groundcam_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _collect(self, read: Callable[[], Iterable[Reading]]) -> None:
        """Ask for these at each scrape."""
        self.registry.register(_Readings(read))

    @staticmethod
    def _remove(labels: Mapping[str, str], *metrics: MetricWrapperBase) -> None:
        """Drop every series that has these labels."""
        for metric in metrics:
            metric.remove_by_labels(dict(labels))


class _Readings(Collector):
    """Asks at each scrape."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for one in self._read():
            family = GaugeMetricFamily(f"groundcam_{one.name}", one.text, labels=one.labels)
            for values, value in one.samples:
                family.add_metric(values, value)
            yield family
