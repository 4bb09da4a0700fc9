"""Answers together with the pictures that they are about: frames and detections, joined by the frame's identity.

Uses nothing but the topics, so anybody could write the same. Pure.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from groundcam.subscriber import Repeats, read_answer
from groundcam_runtime.records import Consumed
from groundcam_schemas import CameraStatus, Detections, Frame, FrameId, Gap, SchemaError, Topics, decode, raw_frame_id

MOST_ANSWERS = 10_000
"""Answers that wait for their frames: those of frames that were older than we are never meet them."""

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


class FrameJoin:
    """Takes records of the frames, detections and cameras topics, in any order across topics.

    The newest frames and answers wait for their other half. Repeated answers are dropped.
    """

    def __init__(self, topics: Topics, cameras: Collection[str] | None = None, most_bytes: int = 64 << 20) -> None:
        """`cameras` are the only ones of interest; `most_bytes` bounds the frames that wait."""
        self._topics = topics
        self._only = cameras
        self._most_bytes = most_bytes
        self._bytes = 0
        self._frames: OrderedDict[FrameId, tuple[bytes, int | None]] = OrderedDict()
        self._answers: OrderedDict[FrameId, tuple[Detections, int]] = OrderedDict()
        self._repeats = Repeats()

    def take(self, record: Consumed) -> JoinedFrame | Gap | CameraStatus | None:
        """Return what the record completes or says, or None where it has to wait for another."""
        topic, value = record.partition.topic, record.value or b""
        if topic in (self._topics.frames, self._topics.recordings):
            return self._frame(record, value)
        answer = _status(value) if topic == self._topics.cameras else read_answer(value, dict(record.headers))
        if answer is None or not self._is_of_interest(answer.camera_id):
            return None
        return self._answer(answer, record.consumed_at_ns) if isinstance(answer, Detections) else answer

    def _is_of_interest(self, camera_id: str) -> bool:
        return self._only is None or camera_id in self._only

    def _answer(self, answer: Detections, received_at_ns: int) -> JoinedFrame | None:
        frame_id = FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq)
        if self._repeats.is_repeat(frame_id):
            return None
        frame = self._frames.pop(frame_id, None)
        if frame is not None:
            self._bytes -= len(frame[0])
            return JoinedFrame(answer, *frame, received_at_ns)
        self._answers[frame_id] = (answer, received_at_ns)
        if len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)
        return None

    def _frame(self, record: Consumed, value: bytes) -> JoinedFrame | None:
        if value.startswith(_JPEG):
            camera_id = (record.key or b"").decode("utf-8", "replace")
            frame_id = raw_frame_id(camera_id, *record.partition, record.offset)
            picture: tuple[bytes, int | None] = (value, None)
        else:
            try:
                frame = decode(Frame, value)
            except SchemaError:
                return None  # the worker tells: it is dead-lettered, and a gap
            frame_id, picture = FrameId(frame.camera_id, frame.run_id, frame.seq), (frame.data, frame.pts_ns)
        if not self._is_of_interest(frame_id.camera_id):
            return None
        if (waiting := self._answers.pop(frame_id, None)) is not None:
            answer, received_at_ns = waiting
            return JoinedFrame(answer, *picture, received_at_ns)
        replaced = self._frames.pop(frame_id, None)
        self._frames[frame_id] = picture
        self._bytes += len(picture[0]) - (len(replaced[0]) if replaced else 0)
        while self._bytes > self._most_bytes and len(self._frames) > 1:
            self._bytes -= len(self._frames.popitem(last=False)[1][0])
        return None


def _status(value: bytes) -> CameraStatus | None:
    try:
        return decode(CameraStatus, value)
    except SchemaError:
        return None
