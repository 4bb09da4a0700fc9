"""The messages that cross Kafka. Times are nanoseconds since the epoch (UTC), sizes are pixels.

New fields always have defaults and unknown ones are ignored, so that old and new versions read each other.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundcam_schemas import limits
from groundcam_schemas.questions import Question


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_enum_values=False)


class ReplyTo(_Part):
    """Who waits for the answer to a request, and until when."""

    to: limits.Identifier
    """One life of one service; the reply has it as its key."""
    deadline_ns: limits.Nanoseconds
    """By the clock of `captured_at_ns`. Nobody looks at the picture later than this."""


class Frame(_Part):
    """One sampled picture of a camera, or one of a request. (camera_id, run_id, seq) is its identity everywhere."""

    camera_id: limits.CameraId
    run_id: limits.Identifier
    """One life of one source: a reconnect keeps it, a restarted process begins another."""
    seq: limits.Count
    """Given by the sampler before anything can drop the frame, from 0 up: what is missing shows."""
    captured_at_ns: limits.Nanoseconds
    pts_ns: Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)] | None = None
    width: limits.Side
    height: limits.Side
    """Of `data`, in pixels, upright: as its EXIF orientation says that it is shown."""
    source_width: limits.Side
    source_height: limits.Side
    """Of the source's own picture, upright and in square pixels; `data` is looked at in these proportions."""
    encoding: Literal["jpeg", "png", "webp"] = "jpeg"
    """What `data` is; its own first bytes are believed."""
    data: Annotated[bytes, Field(strict=True, min_length=1, max_length=limits.MAX_FRAME_BYTES)]
    question: Question | None = None
    """Overrides the camera's question for this frame."""
    reply_to: ReplyTo | None = None
    """Of a request, on the topic for them: its answer goes to the replies, not to the detections."""


class FrameRef(_Part):
    """Which frame a message is about, and where it lay on Kafka."""

    run_id: limits.Identifier
    seq: limits.Count
    topic: limits.Text
    partition: limits.Count
    offset: limits.Offset


class QuestionRef(_Part):
    """Which question was asked."""

    id: limits.Identifier
    """The camera whose question it was, `*` for the default, `frame` where the frame brought its own."""
    version: limits.Identifier
    classes: Annotated[tuple[limits.Phrase, ...], Field(max_length=limits.MAX_CLASSES)]


class Model(_Part):
    """Which model answered."""

    name: limits.Text
    revision: limits.Text = ""


class Object(_Part):
    """One thing that was found."""

    label: limits.Phrase
    class_id: limits.Count
    score: limits.Fraction
    box: tuple[limits.Pixels, limits.Pixels, limits.Pixels, limits.Pixels]
    """x1, y1, x2, y2 in pixels of the source picture, inside it, with x1 < x2 and y1 < y2."""

    @model_validator(mode="after")
    def _box_is_a_box(self) -> Self:
        x1, y1, x2, y2 = self.box
        if not (x1 < x2 and y1 < y2):
            raise ValueError("the box is empty or inverted")
        return self


class TimingsNs(_Part):
    """When a frame passed each station."""

    captured: limits.Nanoseconds
    published_to_kafka: limits.Nanoseconds
    consumed: limits.Nanoseconds
    batched: limits.Nanoseconds
    inferred: limits.Nanoseconds
    published: limits.Nanoseconds


class Detections(_Part):
    """The answer for one frame, also when nothing was found."""

    id: limits.Identifier
    """Same frame, same question, same model: same id."""
    camera_id: limits.CameraId
    frame: FrameRef
    captured_at_ns: limits.Nanoseconds
    source_width: limits.Side
    source_height: limits.Side
    """Of the source's own picture, upright and in square pixels; boxes are in these pixels."""
    question: QuestionRef
    model: Model
    objects: Annotated[tuple[Object, ...], Field(max_length=limits.MAX_OBJECTS)] = ()
    timings_ns: TimingsNs

    @model_validator(mode="after")
    def _objects_fit(self) -> Self:
        for index, found in enumerate(self.objects):
            if found.box[2] > self.source_width or found.box[3] > self.source_height:
                raise ValueError(f"the box of object {index} reaches outside the picture")
            if found.class_id >= len(self.question.classes):
                raise ValueError(f"the class_id of object {index} is not one of the question's classes")
            if found.label != self.question.classes[found.class_id]:
                raise ValueError(f"the label of object {index} is not that of its class_id")
        return self


class GapReason(StrEnum):
    """Why nobody looked."""

    STALE = "stale"
    UNDECODABLE = "undecodable"
    TOO_LARGE = "too_large"
    PRODUCER_OVERLOAD = "producer_overload"
    CAMERA_OFFLINE = "camera_offline"
    EXPIRED = "expired"
    DEAD_LETTERED = "dead_lettered"
    NO_QUESTION = "no_question"


class Gap(_Part):
    """Frames of a camera that nobody looked at: "not looked" is never mistaken for "nothing seen".

    Either a range of `seq` (both ends included), or a range of time in which there were no frames.
    """

    camera_id: limits.CameraId
    run_id: limits.Identifier
    reason: GapReason
    first_seq: limits.Count | None = None
    last_seq: limits.Count | None = None
    from_ns: limits.Nanoseconds | None = None
    to_ns: limits.Nanoseconds | None = None

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        frames = (self.first_seq, self.last_seq)
        times = (self.from_ns, self.to_ns)
        for first, last, what in ((*frames, "seq"), (*times, "time")):
            if (first is None) != (last is None):
                raise ValueError(f"a range of {what} needs both ends")
            if first is not None and last is not None and first > last:
                raise ValueError(f"the range of {what} is inverted")
        if frames == (None, None) and times == (None, None):
            raise ValueError("a gap needs a range of seq or of time")
        return self


class CameraState(StrEnum):
    """What a camera is doing."""

    CONNECTING = "connecting"
    ONLINE = "online"
    STALLED = "stalled"
    OFFLINE = "offline"
    REFUSED = "refused"


class CameraStatus(_Part):
    """A camera's newest state on the cameras topic (compacted; key = camera id)."""

    camera_id: limits.CameraId
    state: CameraState
    since_ns: limits.Nanoseconds
    url: limits.Text
    """Without user, password and query."""
    width: limits.Side | None = None
    height: limits.Side | None = None
    fps: Annotated[float, Field(strict=True, ge=0, le=10_000, allow_inf_nan=False)] | None = None
    last_error: limits.Text | None = None
    """The class of the last error, such as `TimeoutError`."""
    producer: limits.Text = ""
    """Which producer says so: machine, process, and a random part; empty from versions that did not tell."""
    name: limits.Text = ""
    """As people call it; empty where it has no other name than its id."""
    twin: limits.Text | None = None
    """Another producer that lives and plays the same camera, so that its frames come twice."""


class Attempt(_Part):
    """A frame that is about to be tried alone (compacted; key = group/topic/partition/offset).

    A worker writes it before it tries, and takes it back when the frame is through; one that is still there says that
    the process ended in between.
    """

    group: limits.Text
    topic: limits.Text
    partition: limits.Count
    offset: limits.Offset
    camera_id: limits.CameraId | None = None
    tries: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
    """This one included."""
