"""What a subscriber has received of each camera, counted. Pure: times come in as arguments."""

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from groundcam.audit import RunReport
from groundcam.demo.score import Score
from groundcam.frame_join import JoinedFrame
from groundcam_schemas import CameraState, CameraStatus

RATE_WINDOW_S = 5.0
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


@dataclass(slots=True)
class CameraTally:
    """One camera."""

    question: str
    state: str = CameraState.CONNECTING.value
    messages: int = 0
    """Answers and gaps received."""
    frames: int = 0
    """Frames answered."""
    labels: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    score: Score = field(default_factory=Score)
    captured_ns: list[int] = field(default_factory=list)
    recent_ns: deque[int] = field(default_factory=deque)

    def see(self, frame: JoinedFrame, score: Score) -> None:
        """Count an answer."""
        self.messages += 1
        self.frames += 1
        self.labels.update(found.label for found in frame.answer.objects)
        self.latencies_s.append(frame.latency_s)
        self.score = self.score + score
        self.captured_ns.append(frame.answer.captured_at_ns)
        self.recent_ns.append(frame.received_at_ns)

    def hear(self, status: CameraStatus) -> None:
        """Take a camera's state."""
        self.state = status.state.value

    def rate_now(self, now_ns: int) -> float:
        """Return answers a second over the last seconds."""
        while self.recent_ns and now_ns - self.recent_ns[0] > RATE_WINDOW_S * 1e9:
            self.recent_ns.popleft()
        if len(self.recent_ns) < 2:
            return 0.0
        return (len(self.recent_ns) - 1) / max(0.1, (now_ns - self.recent_ns[0]) / 1e9)

    def rate_between(self, from_ns: int, to_ns: int) -> float:
        """Return answered frames a second, of those captured in a time: a camera that falls silent gets less."""
        return sum(from_ns <= at < to_ns for at in self.captured_ns) / max(1e-9, (to_ns - from_ns) / 1e9)


def quantile(values: list[float], part: float) -> float | None:
    """Return the value that this part, 0..1, of the values does not exceed (nearest rank); None of none."""
    if not values:
        return None
    ranked = sorted(values)
    return ranked[max(0, math.ceil(part * len(ranked)) - 1)]


def milliseconds(values_s: list[float]) -> dict[str, float | None]:
    """Return the quantiles of seconds, in milliseconds."""
    found = {name: quantile(values_s, part) for name, part in QUANTILES.items()}
    return {name: None if value is None else round(value * 1000, 1) for name, value in found.items()}


def summary(tally: CameraTally, report: RunReport, from_ns: int, to_ns: int) -> dict[str, Any]:
    """Return a camera's, or all cameras', fields of the demo's JSON.

    Frames are counted by the auditor; `fps` is that of the time that was watched.
    """
    return {
        "frames_published": report.published,
        "frames_detected": report.detected,
        "frames_in_gaps": report.in_gaps,
        "dead_letters": report.dead_lettered,
        "messages_received": tally.messages,
        "detections": tally.labels.total(),
        "fps": round(tally.rate_between(from_ns, to_ns), 2),
        "latency_ms": milliseconds(tally.latencies_s),
        "precision": _rounded(tally.score.precision),
        "recall": _rounded(tally.score.recall),
    }


def together(tallies: list[CameraTally]) -> CameraTally:
    """Add cameras up."""
    total = CameraTally("")
    for one in tallies:
        total.messages += one.messages
        total.frames += one.frames
        total.labels.update(one.labels)
        total.latencies_s += one.latencies_s
        total.score = total.score + one.score
        total.captured_ns += one.captured_ns
    return total


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
