"""What a worker says of itself: to probes, to metrics, and to people."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.records import Partition
from groundcam_worker.loop.outbox import Outbox
from groundcam_worker.loop.pipeline import Pipeline
from groundcam_worker.snapshot import WorkerSnapshot

Behind = Callable[[dict[Partition, int]], Mapping[Partition, int]]
"""Returns how many frames each partition has from an offset on, of those of which it is known."""

STUCK_S = 60.0
# A batch of large pictures takes a slow CPU more than a minute.
DETECTOR_STUCK_S = 600.0


class WorkerHealth:
    """Knows nothing of a worker until it has its pipeline: the model is being loaded until then."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        """`about` is shown to people as it is."""
        self._about = dict(about)
        self._since = time.time()
        self._parts: tuple[Pipeline, Assignment, Outbox] | None = None
        self._behind: Behind = lambda _finished: {}

    def begin(self, pipeline: Pipeline, assignment: Assignment, outbox: Outbox, behind: Behind) -> None:
        """The model is loaded, and this is how the work stands from now on."""
        self._parts = pipeline, assignment, outbox
        self._behind = behind

    def started(self) -> str | None:
        """Whether it has begun to work; loading may take minutes."""
        return None if self._parts else "the model is being loaded"

    def stuck(self) -> str | None:
        """Liveness: a broker that is away is no reason to be restarted, a loop that stands still is."""
        if self._parts is None:
            return None
        pipeline, now = self._parts[0], time.monotonic()
        since = {
            "the loop": (pipeline.ticked_at, STUCK_S),
            "the Kafka consumer": (pipeline.source.polled_at, STUCK_S),
            "the detector": (pipeline.engine.busy_since or now, DETECTOR_STUCK_S),
        }
        for what, (at, limit_s) in since.items():
            if now - at > limit_s:
                return f"{what} has stood still for {now - at:.0f} s"
        return None

    def not_ready(self) -> str | None:
        """Readiness: the model is there, Kafka answers, and there is something to do."""
        if self._parts is None:
            return self.started()
        pipeline, silent_s = self._parts[0], self._silent_s()
        if silent_s > pipeline.source.silence_s:
            return f"Kafka has not answered for {silent_s:.0f} s"
        return None if pipeline.assigned else "no partition is assigned to this worker"

    def state(self) -> WorkerSnapshot:
        """For a scrape."""
        if self._parts is None:
            return WorkerSnapshot()
        pipeline, assignment, outbox = self._parts
        finished = assignment.ends()
        return WorkerSnapshot(
            ready=self.not_ready() is None,
            kafka_silent_s=self._silent_s(),
            waiting_bytes=pipeline.waiting_bytes,
            unacknowledged_bytes=outbox.waiting_bytes,
            lag=self._behind(finished),
            finished=finished,
        )

    def report(self) -> dict[str, Any]:
        """For people. Nothing here may be secret."""
        found: dict[str, Any] = {
            **self._about,
            "running_s": round(time.time() - self._since),
            "ready": self.not_ready() or "yes",
            "live": self.stuck() or "yes",
        }
        if self._parts is None:
            return found
        state = self.state()
        found["kafka_silent_s"] = round(state.kafka_silent_s, 1)
        found["waiting_frames_bytes"] = state.waiting_bytes
        found["unacknowledged_bytes"] = state.unacknowledged_bytes
        found["partitions"] = {
            f"{one.topic}[{one.number}]": {"finished_offset": offset, "not_answered": state.lag.get(one)}
            for one, offset in sorted(state.finished.items())
        }
        return found

    def _silent_s(self) -> float:
        return max(0.0, time.monotonic() - self._parts[0].source.heard_at) if self._parts else 0.0
