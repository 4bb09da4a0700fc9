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
    """One life of one service, which waits; the reply has it as its key."""
    deadline_ns: limits.Nanoseconds
    """Nanoseconds since 1970, by the clock of `captured_at_ns`. Nobody looks at the picture later than this."""


class Frame(_Part):
    """One sampled picture of a camera, or one of a request. (camera_id, run_id, seq) is its identity everywhere."""

    camera_id: limits.CameraId
    """The camera's id, which is the record's key, too; of a request the service's name."""
    run_id: limits.Identifier
    """One life of one source: a reconnect keeps it, a restarted process begins another."""
    seq: limits.Count
    """Given by the sampler before anything can drop the frame, from 0 up: what is missing shows."""
    captured_at_ns: limits.Nanoseconds
    """When it was captured, by the producer's clock: nanoseconds since 1970."""
    pts_ns: Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)] | None = None
    """The source's own time of the picture, in nanoseconds from a zero of its own; null where it has none."""
    width: limits.Side
    """Of `data`, in pixels, upright: as its EXIF orientation says that it is shown."""
    height: limits.Side
    """Of `data`, as `width`."""
    source_width: limits.Side
    """Of the source's own picture, in pixels, upright and square; `data` is looked at in these proportions."""
    source_height: limits.Side
    """Of the source's own picture, as `source_width`."""
    encoding: Literal["jpeg", "png", "webp"] = "jpeg"
    """What `data` is; its own first bytes are believed."""
    data: Annotated[bytes, Field(strict=True, min_length=1, max_length=limits.MAX_FRAME_BYTES)]
    """The picture file, whole: JPEG, PNG or WebP. In msgpack it is `bin`, not text; a JSON example shows it in base64.
    """
    question: Question | None = None
    """Overrides the camera's question for this frame; null for the camera's own."""
    reply_to: ReplyTo | None = None
    """Of a request, on the topic for them: its answer goes to the replies, not to the detections."""


class FrameRef(_Part):
    """Which frame a message is about, and where it lay on Kafka."""

    run_id: limits.Identifier
    """The frame's: one life of one source."""
    seq: limits.Count
    """The frame's number in its run, from 0 up."""
    topic: limits.Text
    """Where the frame lay on Kafka."""
    partition: limits.Count
    """The partition of that topic."""
    offset: limits.Offset
    """The offset in that partition."""


class QuestionRef(_Part):
    """Which question was asked."""

    id: limits.Identifier
    """The camera whose question it was, `*` for the default, `frame` where the frame brought its own."""
    version: limits.Identifier
    """A hash of all in the question that can change an answer: equal questions have equal versions."""
    classes: Annotated[tuple[limits.Phrase, ...], Field(max_length=limits.MAX_CLASSES)]
    """What was asked for, in order: an object's `class_id` is an index into it, from 0."""


class Model(_Part):
    """Which model answered."""

    name: limits.Text
    """As it was asked for: a name, a repository on the Hugging Face Hub, or a folder."""
    revision: limits.Text = ""
    """Which weights: a commit, or a hash of the files; empty where that is unknown."""


ClassScores = Annotated[tuple[limits.Fraction | None, ...], Field(max_length=limits.MAX_CLASSES)]


class Object(_Part):
    """One thing that was found."""

    label: limits.Phrase
    """The class's phrase, as it was asked."""
    class_id: limits.Count
    """Index of the label in the question's classes, from 0."""
    score: limits.Fraction
    """How sure the model is, from 0 to 1."""
    box: tuple[limits.Pixels, limits.Pixels, limits.Pixels, limits.Pixels]
    """x1, y1, x2, y2 in pixels of the source picture, from its top left corner, inside it, with x1 < x2 and y1 < y2."""
    class_scores: ClassScores | None = Field(default=None, exclude_if=lambda scores: scores is None)
    """What each of the question's classes scores there, in their order, from 0 to 1, whatever the thresholds.

    Left out unless the question asks for it; null for a class that the model read in another text than the object's.
    """

    @model_validator(mode="after")
    def _box_is_a_box(self) -> Self:
        x1, y1, x2, y2 = self.box
        if not (x1 < x2 and y1 < y2):
            raise ValueError("the box is empty or inverted")
        return self


class TimingsNs(_Part):
    """When a frame passed each station."""

    captured: limits.Nanoseconds
    """`captured_at_ns`, by the producer's clock. All of these are nanoseconds since 1970."""
    published_to_kafka: limits.Nanoseconds
    """The Kafka record's time, in whole milliseconds: the broker's clock on topics with append time, else the sender's.
    """
    consumed: limits.Nanoseconds
    """When the worker got it; this and all that follow are by the worker's clock."""
    batched: limits.Nanoseconds
    """When the model began with its batch."""
    inferred: limits.Nanoseconds
    """When the model had answered."""
    published: limits.Nanoseconds
    """When the answer was given to the Kafka client."""


class Detections(_Part):
    """The answer for one frame, also when nothing was found."""

    id: limits.Identifier
    """Same frame, same question, same model: same id. What comes twice is told by it."""
    camera_id: limits.CameraId
    """The camera's id, which is the record's key, too."""
    frame: FrameRef
    """Which frame it is about."""
    captured_at_ns: limits.Nanoseconds
    """When the frame was captured: nanoseconds since 1970."""
    source_width: limits.Side
    """Of the source's own picture, in pixels, upright and square; boxes are in these pixels."""
    source_height: limits.Side
    """Of the source's own picture, as `source_width`."""
    question: QuestionRef
    """Which question was asked."""
    model: Model
    """Which model answered."""
    objects: Annotated[tuple[Object, ...], Field(max_length=limits.MAX_OBJECTS)] = ()
    """What was found, the best first; empty where nothing was."""
    timings_ns: TimingsNs
    """When the frame passed each station."""

    @model_validator(mode="after")
    def _objects_fit(self) -> Self:
        for index, found in enumerate(self.objects):
            if found.box[2] > self.source_width or found.box[3] > self.source_height:
                raise ValueError(f"the box of object {index} reaches outside the picture")
            if found.class_id >= len(self.question.classes):
                raise ValueError(f"the class_id of object {index} is not one of the question's classes")
            if found.label != self.question.classes[found.class_id]:
                raise ValueError(f"the label of object {index} is not that of its class_id")
            if found.class_scores is not None and len(found.class_scores) != len(self.question.classes):
                raise ValueError(f"the class_scores of object {index} are not one for each of the question's classes")
        return self


class GapReason(StrEnum):
    """Why nobody looked."""

    STALE = "stale"
    """Too old when a worker had time for it, or skipped for a newer one."""
    UNDECODABLE = "undecodable"
    """The source delivered a damaged picture, or one that cannot be encoded."""
    TOO_LARGE = "too_large"
    """The frame, or the answer to it, is larger than Kafka or the memory takes."""
    PRODUCER_OVERLOAD = "producer_overload"
    """Kafka took no more from the producer in time."""
    CAMERA_OFFLINE = "camera_offline"
    """The camera did not deliver: a range of time."""
    EXPIRED = "expired"
    """Kafka deleted it before a worker read it."""
    DEAD_LETTERED = "dead_lettered"
    """It cannot be processed, and lies on the dead-letters topic."""
    NO_QUESTION = "no_question"
    """Nothing was asked of the camera."""


class Gap(_Part):
    """Frames of a camera that nobody looked at: "not looked" is never mistaken for "nothing seen".

    Either a range of `seq` (both ends included), or a range of time in which there were no frames.
    """

    camera_id: limits.CameraId
    """The camera's id, which is the record's key, too."""
    run_id: limits.Identifier
    """Which life of the source the frames are of."""
    reason: GapReason
    """Why nobody looked."""
    first_seq: limits.Count | None = None
    """The first frame that nobody looked at, by its `seq`; null with `last_seq` where it is a range of time."""
    last_seq: limits.Count | None = None
    """The last one, which belongs to the gap, too."""
    from_ns: limits.Nanoseconds | None = None
    """From when there were no frames: nanoseconds since 1970; null with `to_ns` where it is a range of frames."""
    to_ns: limits.Nanoseconds | None = None
    """Until when: nanoseconds since 1970."""

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
    """It is being opened."""
    ONLINE = "online"
    """It delivers frames."""
    STALLED = "stalled"
    """It delivered frames, and hangs."""
    OFFLINE = "offline"
    """It cannot be reached, or has stopped; it is tried again."""
    REFUSED = "refused"
    """It refuses the login."""


class CameraStatus(_Part):
    """A camera's newest state on the cameras topic (compacted; key = camera id)."""

    camera_id: limits.CameraId
    """The camera's id, which is the record's key, too."""
    state: CameraState
    """What it is doing."""
    since_ns: limits.Nanoseconds
    """Since when it has been in this state: nanoseconds since 1970."""
    url: limits.Text
    """Where it is played from, without user, password and query."""
    width: limits.Side | None = None
    """Of the source's picture, in pixels; null while unknown."""
    height: limits.Side | None = None
    """As `width`."""
    fps: Annotated[float, Field(strict=True, ge=0, le=10_000, allow_inf_nan=False)] | None = None
    """Frames per second of the source; null where unknown."""
    last_error: limits.Text | None = None
    """The class of the last error, such as `TimeoutError`; null without one."""
    producer: limits.Text = ""
    """Which producer says so: machine, process, and a random part; empty from versions that did not tell."""
    name: limits.Text = ""
    """As people call it; empty where it has no other name than its id."""
    twin: limits.Text | None = None
    """Another producer that lives and plays the same camera, so that its frames come twice; null without one."""


class Attempt(_Part):
    """A frame that is about to be tried alone (compacted; key = group/topic/partition/offset).

    A worker writes it before it tries, and takes it back when the frame is through; one that is still there says that
    the process ended in between.
    """

    group: limits.Text
    """The consumer group of the worker."""
    topic: limits.Text
    """Where the frame lies."""
    partition: limits.Count
    """The partition of that topic."""
    offset: limits.Offset
    """The offset in that partition."""
    camera_id: limits.CameraId | None = None
    """The camera's id; null where the frame does not tell."""
    tries: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
    """How often it was tried, this time included."""
