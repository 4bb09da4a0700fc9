"""Answers together with the pictures that they are about: frames and detections, joined by the frame's identity.

Uses nothing but the topics, so anybody could write the same. Pure.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from groundcam.subscriber import read_answer
from groundcam_runtime.records import NS_PER_MS, Consumed
from groundcam_runtime.repeats import Repeats
from groundcam_schemas import (
    CameraStatus,
    Detections,
    Frame,
    FrameId,
    Gap,
    SchemaError,
    Topics,
    decode,
    raw_frame_id,
)

ENTRY_BYTES = 512
"""Of one that waits, besides its contents and its names; 425 measured."""
WIDEST_CHARACTER = 4
T = TypeVar("T")

_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class JoinedFrame:
    """What was seen in one frame, and the frame."""

    answer: Detections
    jpeg: bytes
    pts_ns: int | None
    """The frame's time on its source's own clock."""
    received_at_ns: int

    @property
    def latency_s(self) -> float:
        """Seconds from the picture's capture until we had its answer."""
        return max(0.0, (self.received_at_ns - self.answer.captured_at_ns) / 1e9)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A camera whose state was taken back: its producer looks after it no longer."""

    camera_id: str
    at_ns: int


class Waiting(Generic[T]):
    """The newest that wait for their other half, within a number of bytes; there is always room for one."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._waiting: OrderedDict[FrameId, tuple[T, int]] = OrderedDict()
        self.bytes = 0
        """Of all that wait, with what it takes to keep them."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: FrameId, what: T, size: int) -> None:
        """Let something wait that takes `size` bytes; it replaces what waits of the same frame."""
        self.take(frame)
        room = size + ENTRY_BYTES + WIDEST_CHARACTER * (len(frame.camera_id) + len(frame.run_id))
        self._waiting[frame] = what, room
        self.bytes += room
        while self.bytes > self._most_bytes and len(self._waiting) > 1:
            self.bytes -= self._waiting.popitem(last=False)[1][1]

    def take(self, frame: FrameId) -> T | None:
        """Return what waits of a frame, which waits no longer."""
        if frame not in self._waiting:
            return None
        what, room = self._waiting.pop(frame)
        self.bytes -= room
        return what


@dataclass(frozen=True, slots=True)
class _Picture:
    jpeg: bytes
    pts_ns: int | None


@dataclass(frozen=True, slots=True)
class _Encoded:
    """An answer as it came: read, 900 objects take ten times as much."""

    value: bytes
    received_at_ns: int


class FrameJoin:
    """Takes records of the frames, detections and cameras topics, in any order across topics.

    The newest frames and answers wait for their other half; answers to frames that are older than we are never meet
    them. Repeated answers are dropped.
    """

    def __init__(self, topics: Topics, cameras: Collection[str] | None = None, most_bytes: int = 64 << 20) -> None:
        """`cameras` are the only ones of interest; `most_bytes` bounds the frames that wait, and the answers again."""
        self._topics = topics
        self._only = cameras
        self._frames: Waiting[_Picture] = Waiting(most_bytes)
        self._answers: Waiting[_Encoded] = Waiting(most_bytes)
        self._repeats = Repeats()

    def take(self, record: Consumed) -> JoinedFrame | Gap | CameraStatus | TakenBack | None:
        """Return what the record completes or reports, or None where it has to wait for another."""
        topic, value = record.partition.topic, record.value or b""
        if topic in (self._topics.frames, self._topics.recordings):
            return self._frame(record, value)
        if topic == self._topics.cameras:
            status = _status(value) if value else _taken_back(record)
            return status if status and self._is_of_interest(status.camera_id) else None
        answer = read_answer(value, record)
        if answer is None or not self._is_of_interest(answer.camera_id):
            return None
        if isinstance(answer, Gap):
            return answer
        return self._answer(answer, _Encoded(value, record.consumed_at_ns))

    def _is_of_interest(self, camera_id: str) -> bool:
        return self._only is None or camera_id in self._only

    def _answer(self, answer: Detections, encoded: _Encoded) -> JoinedFrame | None:
        frame_id = FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq)
        if self._repeats.is_repeat(frame_id):
            return None
        picture = self._frames.take(frame_id)
        if picture is not None:
            return JoinedFrame(answer, picture.jpeg, picture.pts_ns, encoded.received_at_ns)
        self._answers.put(frame_id, encoded, len(encoded.value))
        return None

    def _frame(self, record: Consumed, value: bytes) -> JoinedFrame | None:
        if value.startswith(_JPEG):
            camera_id = (record.key or b"").decode("utf-8", "replace")
            frame_id, picture = raw_frame_id(camera_id, *record.partition, record.offset), _Picture(value, None)
        else:
            try:
                frame = decode(Frame, value)
            except SchemaError:
                return None  # the worker reports it: a dead letter, and a gap
            frame_id, picture = FrameId(frame.camera_id, frame.run_id, frame.seq), _Picture(frame.data, frame.pts_ns)
        if not self._is_of_interest(frame_id.camera_id):
            return None
        waiting = self._answers.take(frame_id)
        if waiting is None:
            self._frames.put(frame_id, picture, len(picture.jpeg))
            return None
        answer = decode(Detections, waiting.value)
        return JoinedFrame(answer, picture.jpeg, picture.pts_ns, waiting.received_at_ns)


def _taken_back(record: Consumed) -> TakenBack:
    return TakenBack((record.key or b"").decode("utf-8", "replace"), record.timestamp_ms * NS_PER_MS)


def _status(value: bytes) -> CameraStatus | None:
    try:
        return decode(CameraStatus, value)
    except SchemaError:
        return None
