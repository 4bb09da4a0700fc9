"""A snapshot of a worker and its GPUs. Plain values, taken at each scrape."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from groundcam_runtime.records import Partition


@dataclass(frozen=True, slots=True)
class WorkerSnapshot:
    """A worker's state at one moment."""

    ready: bool = False
    kafka_silent_s: float = 0.0
    """Since when no broker has answered."""
    waiting_bytes: int = 0
    """Undecoded frames in memory."""
    unacknowledged_bytes: int = 0
    """Answers that Kafka does not have yet."""
    lag: Mapping[Partition, int] = field(default_factory=dict)
    """Frames on Kafka that are not answered."""
    finished: Mapping[Partition, int] = field(default_factory=dict)
    """The offset before which every frame is answered."""


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU, as its driver reports it. Memory is in bytes, and of all processes."""

    gpu: str
    utilization: float | None
    """Share of the time in which it was busy, 0 to 1; None where the driver does not say (MIG)."""
    memory_used: int
    memory_total: int
