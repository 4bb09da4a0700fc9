"""The state of a worker, for probes, metrics and the status page."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from groundcam_runtime.health import Check
from groundcam_runtime.records import Partition
from groundcam_worker.frames import NS
from groundcam_worker.loop.driver import Driver
from groundcam_worker.policy.questions import ActiveQuestion
from groundcam_worker.question_report import question_report
from groundcam_worker.snapshot import WorkerSnapshot

Behind = Callable[[dict[Partition, int]], Mapping[Partition, int]]
"""Returns how many frames each partition has from an offset on, of those of which it is known."""

STUCK_S = 60.0
# A batch of large pictures takes a slow CPU more than a minute.
DETECTOR_STUCK_S = 600.0


class WorkerHealth:
    """Until `begin` is called the model is still being loaded, and there is nothing to report."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        """`about` is shown to people as it is."""
        self._about = dict(about)
        self._since = time.time()
        self._detector: Mapping[str, str] = {}
        self._asked: Callable[[], Iterable[ActiveQuestion]] = list
        self._driver: Driver | None = None
        self._behind: Behind = lambda _finished: {}
        self._refusal: Check = lambda: None

    def loaded(self, detector: Mapping[str, str], asked: Callable[[], Iterable[ActiveQuestion]]) -> None:
        """The model is loaded: who answers, on what, and what it is asked."""
        self._detector, self._asked = detector, asked

    def begin(self, driver: Driver, behind: Behind, refusal: Check = lambda: None) -> None:
        """It is warmed up, and this is what works from now on. `refusal` says why Kafka does not let it work."""
        self._driver = driver
        self._behind = behind
        self._refusal = refusal

    def started(self) -> str | None:
        """Whether it has begun to work; loading may take minutes."""
        return None if self._driver else "the model is being loaded"

    def stuck(self) -> str | None:
        """Liveness: an absent broker is no reason for a restart, a loop that makes no progress is."""
        if self._driver is None:
            return None
        driver, now = self._driver, time.monotonic()
        since = {
            "the loop": (driver.ticked_at, STUCK_S),
            "the Kafka consumer": (driver.source.polled_at, STUCK_S),
            "the detector": (driver.inference.busy_since or now, DETECTOR_STUCK_S),
        }
        for what, (at, limit_s) in since.items():
            if now - at > limit_s:
                return f"{what} has stood still for {now - at:.0f} s"
        return None

    def not_ready(self) -> str | None:
        """Readiness: the model is there, Kafka answers, and there is something to do."""
        if self._driver is None:
            return self.started()
        driver, silent_s = self._driver, self._silent_s()
        if silent_s > driver.source.silence_s:
            return f"Kafka has not answered for {silent_s:.0f} s"
        if refusal := self._refusal():
            return refusal
        return None if len(driver.state.assignment) else "no partition is assigned to this worker"

    def state(self) -> WorkerSnapshot:
        """For a scrape."""
        if self._driver is None:
            return WorkerSnapshot()
        finished = self._driver.state.assignment.ends()
        return WorkerSnapshot(
            ready=self.not_ready() is None,
            kafka_silent_s=self._silent_s(),
            waiting_bytes=self._driver.state.waiting_bytes,
            unacknowledged_bytes=self._driver.unacknowledged_bytes,
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
        if self._detector:
            found["detector"] = dict(self._detector)
            found["questions"] = question_report(self._asked(), int(self._since * NS))
        if self._driver is None:
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
        return max(0.0, time.monotonic() - self._driver.source.heard_at) if self._driver else 0.0
