"""Answers together with the pictures that they are about: frames and detections, joined by the frame's identity.

Uses nothing but the topics, so anybody could write the same. Pure.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

from groundcam.subscriber import Repeats, read_answer
from groundcam_runtime.records import Consumed
from groundcam_schemas import CameraStatus, Detections, Frame, FrameId, Gap, SchemaError, Topics, decode, raw_frame_id

Value = TypeVar("Value")

_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class Sighting:
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


class Sightings:
    """Takes records of the frames, detections and cameras topics, in any order across topics.

    Of each camera the newest `most` frames and answers wait for their other half. Repeated answers are dropped.
    """

    def __init__(self, topics: Topics, most: int = 100) -> None:
        self._topics = topics
        self._most = most
        self._frames: dict[str, OrderedDict[FrameId, tuple[bytes, int | None]]] = {}
        self._answers: dict[str, OrderedDict[FrameId, tuple[Detections, int]]] = {}
        self._repeats = Repeats()

    def take(self, record: Consumed) -> Sighting | Gap | CameraStatus | None:
        """Return what the record completes or says, or None where it has to wait for another."""
        topic, value = record.partition.topic, record.value or b""
        if topic in (self._topics.frames, self._topics.recordings):
            return self._frame(record, value)
        if topic == self._topics.cameras:
            return _status(value)
        answer = read_answer(value, dict(record.headers))
        if not isinstance(answer, Detections):
            return answer
        frame_id = FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq)
        if self._repeats.is_repeat(frame_id):
            return None
        frame = _pop(self._frames, frame_id)
        if frame is None:
            self._keep(self._answers, frame_id, (answer, record.consumed_at_ns))
            return None
        return Sighting(answer, *frame, record.consumed_at_ns)

    def _frame(self, record: Consumed, value: bytes) -> Sighting | None:
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
        waiting = _pop(self._answers, frame_id)
        if waiting is None:
            self._keep(self._frames, frame_id, picture)
            return None
        answer, received_at_ns = waiting
        return Sighting(answer, *picture, received_at_ns)

    def _keep(self, kept: dict[str, OrderedDict[FrameId, Value]], frame_id: FrameId, value: Value) -> None:
        of_camera = kept.setdefault(frame_id.camera_id, OrderedDict())
        of_camera[frame_id] = value
        if len(of_camera) > self._most:
            of_camera.popitem(last=False)


def _pop(kept: dict[str, OrderedDict[FrameId, Value]], frame_id: FrameId) -> Value | None:
    of_camera = kept.get(frame_id.camera_id)
    return of_camera.pop(frame_id, None) if of_camera else None


def _status(value: bytes) -> CameraStatus | None:
    try:
        return decode(CameraStatus, value)
    except SchemaError:
        return None
