"""What lies on each topic: messages, keys, headers, and what a record without a value means. Pure."""

from dataclasses import dataclass

from pydantic import BaseModel

from groundcam_schemas import (
    Attempt,
    CameraQuestion,
    CameraStatus,
    CameraZones,
    DeadLetter,
    Detections,
    Event,
    Frame,
    Gap,
    ObjectsNow,
    Reply,
    Topics,
    WorkerStatus,
)

JPEG_CONTENT_TYPE = "image/jpeg"
OWN_CONTENT_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """A Kafka header of a record; its value is text in UTF-8."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class TopicContent:
    """What lies on one topic."""

    holds: tuple[type[BaseModel], ...]
    """Which messages. A dead letter is one by its headers alone."""
    key: str
    """What a record's key is, in UTF-8; `none` for records without."""
    placed: str
    """How a record's partition is chosen."""
    headers: tuple[RecordHeader, ...] = ()
    """Any of them may be missing: what a value is, its own bytes say."""
    empty: str = ""
    """What a record means whose value is null or has no bytes; empty where there is none."""
    in_json: str = ""
    """When messages are JSON; empty where groundcam writes msgpack alone."""
    other: str = ""
    """A content type beside the messages."""
    other_text: str = ""
    """What that is."""


CONTENT = (
    RecordHeader("content-type", "What the value is: application/msgpack or application/json."),
    RecordHeader("schema", "The message's name and version, as in its field `schema`."),
)
STATE = RecordHeader("state", "The state that it tells of.")
OF_ANSWERS = (
    RecordHeader("label", "Of detections: once for each label that was found, the best first; none where nothing was."),
    RecordHeader("reason", "Of a gap: why nobody looked."),
)
OF_EVENTS = (
    RecordHeader("cause", "Why it was sent."),
    RecordHeader("type", "Where in the object's life it stands: new, update or end."),
    RecordHeader("label", "What the object is."),
)
TRACE = (
    RecordHeader("traceparent", "The frame's trace (W3C), where traces are on."),
    RecordHeader("tracestate", "The same, of some tracing systems."),
)
REPLAYED = RecordHeader(
    "groundcam-replayed-from", "Of a dead letter that was sent again: PARTITION/OFFSET of the letter."
)
REPEATED = RecordHeader("groundcam-repeat", "1 where the state is not new, but said again.")
OF_PICTURES = (
    RecordHeader("content-type", JPEG_CONTENT_TYPE),
    RecordHeader("camera", "The camera's id."),
    RecordHeader("frame", "RUN/SEQ of the frame that it is cut from."),
    RecordHeader("captured-at-ns", "When that frame was captured: nanoseconds since 1970, in decimal."),
    RecordHeader("reason", "Why there is no picture; only where there is none."),
)
OF_UNDELIVERED = (
    RecordHeader("groundcam-undelivered-hook", "The webhook's name in the settings."),
    RecordHeader("groundcam-undelivered-reason", "Why it did not take the event."),
    RecordHeader("groundcam-undelivered-attempts", "How often it was tried, in decimal."),
    RecordHeader("groundcam-undelivered-at-ms", "When it was given up: milliseconds since 1970, in decimal."),
    RecordHeader("groundcam-undelivered-settled", "EVENT/N of an event that was delivered after all; with no value."),
)

CAMERA, EITHER = "camera id", "camera id or `*`"
ONE = "There is one partition: everybody reads one order."
BY_KEY = "By the key, with Kafka's own hash (murmur2): a camera's records are in one partition, in order."
BY_CAMERA = (
    "The producer chooses one for each camera, whose frames are all there, in order; others may use the key's hash."
)
BY_OTHERS = "Where other clients put it as JSON."
BY_TRACKERS = "With the trackers' setting `track.json_events`."


def contents(topics: Topics) -> dict[str, TopicContent]:
    """Return what lies on each topic of an installation, by the topics' names."""
    plain = "A frame without more: a JPEG file, its camera as the key, its time that of the record."
    of_frames = TopicContent(
        (Frame,), CAMERA, BY_CAMERA, (*CONTENT, *TRACE, REPLAYED), other=JPEG_CONTENT_TYPE, other_text=plain
    )
    return {
        topics.frames: of_frames,
        topics.recordings: of_frames,
        topics.detections: TopicContent(
            (Detections, Gap), CAMERA, BY_KEY, (*CONTENT, *OF_ANSWERS, *TRACE),
            in_json="With `work.json_answers`; the producers' gaps with `produce.json_reports`."
        ),
        topics.events: TopicContent(
            (Event,), CAMERA, BY_KEY, (*CONTENT, *OF_EVENTS), in_json=BY_TRACKERS,
        ),
        topics.pictures: TopicContent(
            (), "event id", "By the key, with Kafka's own hash (murmur2).", OF_PICTURES,
            "There is no picture; the header `reason` says why.", other=JPEG_CONTENT_TYPE,
            other_text="The best picture of an object, cut out of a frame.",
        ),
        topics.requests: TopicContent((Frame,), "none", "In turn.", (*CONTENT, *TRACE, REPLAYED)),
        topics.replies: TopicContent(
            (Reply,), "who waits", "By the key, with Kafka's own hash (murmur2).", (*CONTENT, *TRACE)
        ),
        topics.dead_letters: TopicContent(
            (DeadLetter,), "as it came", ONE,
            empty="The original was empty, or too large: then groundcam-dlq-value-bytes says how large.",
        ),
        topics.prompts: TopicContent(
            (CameraQuestion,), EITHER, ONE, CONTENT,
            "The camera has no question of its own any more; under `*`: there is no default.", in_json=BY_OTHERS,
        ),
        topics.cameras: TopicContent(
            (CameraStatus,), CAMERA, ONE, (*CONTENT, STATE, REPEATED), "The camera was removed, or forgotten.",
            in_json="With the producers' setting `produce.json_reports`.",
        ),
        topics.attempts: TopicContent(
            (Attempt,), "group/topic/partition/offset", ONE, CONTENT, "The frame is through: nothing is being tried."
        ),
        topics.workers: TopicContent(
            (WorkerStatus,), "worker id", ONE, (*CONTENT, STATE), "The worker has stopped, or died long ago."
        ),
        topics.objects: TopicContent((ObjectsNow,), CAMERA, ONE, CONTENT, in_json=BY_TRACKERS),
        topics.zones: TopicContent(
            (CameraZones,), CAMERA, ONE, CONTENT, "The camera has no zones and lines any more.", in_json=BY_OTHERS
        ),
        topics.tracks: TopicContent(
            (), CAMERA, ONE, other=OWN_CONTENT_TYPE,
            other_text="The trackers' own state of a camera; its form changes without notice.",
        ),
        topics.undelivered: TopicContent(
            (Event,), CAMERA, ONE, OF_UNDELIVERED,
            "An event was delivered after all, which the header groundcam-undelivered-settled names.",
            in_json="Where the event was.",
        ),
    }  # fmt: skip
