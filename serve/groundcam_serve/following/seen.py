"""The newest answers of each camera, and where their frames lie. Pure."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import Detections, Gap, SchemaError, decode_answer

ENTRY_BYTES = 512


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """One frame that was looked at."""

    camera_id: str
    captured_at_ns: int
    place: Partition
    offset: int
    answer: bytes
    """As it lay on Kafka."""


class Seen:
    """Bounded in bytes, and in frames of a camera; the camera that was silent for longest goes first."""

    def __init__(self, most_bytes: int, most_each: int) -> None:
        self._most_bytes, self._most_each = most_bytes, most_each
        self._cameras: OrderedDict[str, deque[SeenFrame]] = OrderedDict()
        self._bytes = 0

    def take(self, record: Consumed) -> Detections | Gap | None:
        """Take a record of the detections topic; return what it says, where it can be read."""
        value = record.value or b""
        try:
            answer = decode_answer(value)
        except SchemaError:
            return None
        if not isinstance(answer, Detections):
            return answer
        frame = answer.frame
        line = self._cameras.setdefault(answer.camera_id, deque())
        self._cameras.move_to_end(answer.camera_id)
        place = Partition(frame.topic, frame.partition)
        line.append(SeenFrame(answer.camera_id, answer.captured_at_ns, place, frame.offset, value))
        self._bytes += len(value) + ENTRY_BYTES
        if len(line) > self._most_each:
            self._drop(line)
        while self._bytes > self._most_bytes and len(self._cameras) > 1:
            camera_id, oldest = next(iter(self._cameras.items()))
            self._drop(oldest)
            if not oldest:
                del self._cameras[camera_id]
        return answer

    def newest(self, camera_id: str) -> SeenFrame | None:
        """Return a camera's newest frame by when it was captured."""
        return max(self._of(camera_id), key=lambda one: one.captured_at_ns, default=None)

    def between(self, camera_id: str, from_ns: int, to_ns: int, most: int) -> list[SeenFrame]:
        """Return a camera's newest `most` frames that were captured in a time (both ends included), oldest first."""
        inside = [one for one in self._of(camera_id) if from_ns <= one.captured_at_ns <= to_ns]
        return sorted(inside, key=lambda one: one.captured_at_ns)[-most:]

    def _of(self, camera_id: str) -> Iterator[SeenFrame]:
        # A copy: another thread adds to it.
        return iter(tuple(self._cameras.get(camera_id, ())))

    def _drop(self, line: deque[SeenFrame]) -> None:
        self._bytes -= len(line.popleft().answer) + ENTRY_BYTES
