"""Where an answer's time goes, from the times that it carries. Pure."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from arrivals import Arrival

MS = 1e6


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    median: float
    p95: float
    p99: float

    def __str__(self) -> str:
        return f"median {self.median:6.1f}, 95 % {self.p95:6.1f}, 99 % {self.p99:6.1f} ms"


def spread(values: Iterable[float]) -> Spread:
    """Return the quantiles of some milliseconds."""
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.95, 0.99)]
    return Spread(*(round(value, 2) for value in (statistics.median(ordered), *at)))


def own_waits(arrivals: Sequence[Arrival], wait_ms: float) -> list[float]:
    """Return how long the detector itself took for each answer's batch: all of a batch are inferred at once."""
    sizes = Counter(one.inferred for one in arrivals)
    return [sizes[one.inferred] * wait_ms for one in arrivals]


def added(arrivals: Sequence[Arrival], wait_ms: float) -> Spread:
    """Return the time from capture to arrival, less what the detector itself took for the batch."""
    waits = own_waits(arrivals, wait_ms)
    return spread((one.arrived - one.captured) / MS - wait for one, wait in zip(arrivals, waits, strict=True))


def stations(arrivals: Sequence[Arrival], wait_ms: float) -> dict[str, Spread]:
    """Return the time between each two stations."""
    waits = own_waits(arrivals, wait_ms)
    pairs = list(zip(arrivals, waits, strict=True))
    return {
        "send -> Kafka": spread((one.in_kafka - one.captured) / MS for one in arrivals),
        "Kafka -> worker": spread((one.consumed - one.in_kafka) / MS for one in arrivals),
        "queue, decode, batch": spread((one.batched - one.consumed) / MS for one in arrivals),
        "detector, less its own wait": spread((one.inferred - one.batched) / MS - wait for one, wait in pairs),
        "answer": spread((one.published - one.inferred) / MS for one in arrivals),
        "publish -> Kafka": spread((one.out_kafka - one.published) / MS for one in arrivals),
        "Kafka -> subscriber": spread((one.arrived - one.out_kafka) / MS for one in arrivals),
        "capture to arrival": spread((one.arrived - one.captured) / MS for one in arrivals),
        "the detector's own wait": spread(waits),
    }
