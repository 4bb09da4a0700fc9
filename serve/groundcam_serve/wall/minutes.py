"""Where the frames of a camera's last minute lie, of cameras that are looked at. Pure."""

from collections import OrderedDict, deque
from dataclasses import dataclass

from groundcam_runtime.records import Partition

MINUTE_NS = 60_000_000_000
STEP_NS = 1_000_000_000
"""Of a second the first frame is kept."""
MOST_EACH = 64
MOST_CAMERAS = 256


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame lies on Kafka."""

    partition: Partition
    offset: int
    captured_at_ns: int


class Minutes:
    """Bounded: 64 places of 256 cameras, those that were heard of last."""

    def __init__(self) -> None:
        self._cameras: OrderedDict[str, deque[Place]] = OrderedDict()

    def add(self, camera_id: str, place: Place) -> None:
        """A frame came."""
        line = self._cameras.setdefault(camera_id, deque(maxlen=MOST_EACH))
        self._cameras.move_to_end(camera_id)
        if len(self._cameras) > MOST_CAMERAS:
            self._cameras.popitem(last=False)
        if not line or abs(place.captured_at_ns - line[-1].captured_at_ns) >= STEP_NS:
            line.append(place)

    def of(self, camera_id: str, now_ns: int) -> list[Place]:
        """Return what is left of a camera's last minute, oldest first. Any thread may call it."""
        return [one for one in tuple(self._cameras.get(camera_id, ())) if now_ns - one.captured_at_ns <= MINUTE_NS]
