"""How well each camera is answered, over the last minute. Pure, but for the lock."""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from groundcam_runtime.records import Partition
from groundcam_schemas import Detections, Gap

NS = 1_000_000_000
WINDOW_S = 60.0
LEAST_S = 5.0
"""A rate is not told from less than this."""
MOST_CAMERAS = 10_000


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """One camera's last minute."""

    answers_per_s: float
    latency_s: float | None
    """From the capture to the answer, of the newest one."""
    age_s: float | None
    """Since the newest answer came; None where none came within the window."""
    gaps: Mapping[str, int]
    """Frames that nobody looked at, by reason."""


@dataclass(slots=True)
class _Camera:
    begun_s: float
    answers: deque[float] = field(default_factory=deque)
    gaps: deque[tuple[float, str, int]] = field(default_factory=deque)
    latency_s: float | None = None


class Figures:
    """Counts answers and gaps. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cameras: OrderedDict[str, _Camera] = OrderedDict()
        self._answered: dict[Partition, int] = {}

    def take(self, answer: Detections | Gap, now_s: float) -> None:
        """An answer or a gap came."""
        with self._lock:
            camera = self._cameras.setdefault(answer.camera_id, _Camera(now_s))
            self._cameras.move_to_end(answer.camera_id)
            if len(self._cameras) > MOST_CAMERAS:
                self._cameras.popitem(last=False)
            if isinstance(answer, Gap):
                if answer.first_seq is not None and answer.last_seq is not None:
                    camera.gaps.append((now_s, answer.reason.value, answer.last_seq - answer.first_seq + 1))
            else:
                camera.answers.append(now_s)
                camera.latency_s = max(0.0, (answer.timings_ns.published - answer.captured_at_ns) / NS)
                place = Partition(answer.frame.topic, answer.frame.partition)
                self._answered[place] = max(answer.frame.offset + 1, self._answered.get(place, 0))
            _forget(camera, now_s)

    def of(self, camera_id: str, now_s: float) -> CameraFigures | None:
        """Return a camera's figures; None for one that was never heard of."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is None:
                return None
            _forget(camera, now_s)
            gaps: Counter[str] = Counter()
            for _, reason, count in camera.gaps:
                gaps[reason] += count
            return CameraFigures(
                answers_per_s=len(camera.answers) / min(WINDOW_S, max(LEAST_S, now_s - camera.begun_s)),
                latency_s=camera.latency_s if camera.answers else None,
                age_s=now_s - camera.answers[-1] if camera.answers else None,
                gaps=dict(gaps),
            )

    def answered(self) -> dict[Partition, int]:
        """Return of each partition of frames the offset behind the newest one that was answered."""
        with self._lock:
            return dict(self._answered)


def _forget(camera: _Camera, now_s: float) -> None:
    while camera.answers and now_s - camera.answers[0] > WINDOW_S:
        camera.answers.popleft()
    while camera.gaps and now_s - camera.gaps[0][0] > WINDOW_S:
        camera.gaps.popleft()
