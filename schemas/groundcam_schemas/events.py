"""What becomes of one object in front of one camera: the events topic, and the objects topic of what is there now.

Both have the camera as their key. Points and velocities are in fractions of the picture's width and height.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundcam_schemas import limits
from groundcam_schemas.messages import FrameRef, GapReason, Model
from groundcam_schemas.zones import Severity

Box = tuple[limits.Pixels, limits.Pixels, limits.Pixels, limits.Pixels]
Signed = Annotated[float, Field(strict=True, ge=-1e6, le=1e6, allow_inf_nan=False)]


class EventType(StrEnum):
    """Where in an object's life a message stands."""

    NEW = "new"
    """The first message about an object."""
    UPDATE = "update"
    """Any other in between."""
    END = "end"
    """The last one."""


class Cause(StrEnum):
    """Why a message was sent."""

    APPEARED = "appeared"
    """It is new."""
    ZONE_ENTERED = "zone_entered"
    """It has come into a zone."""
    ZONE_DWELT = "zone_dwelt"
    """It has been in a zone for as long as the zone asks."""
    ZONE_LEFT = "zone_left"
    """It has left a zone."""
    LINE_CROSSED = "line_crossed"
    """It has crossed a line."""
    MOVED = "moved"
    """It stood still, and moves again."""
    STOPPED = "stopped"
    """It moved, and stands still."""
    RELABELLED = "relabelled"
    """More of its looks say another class now."""
    BETTER_PICTURE = "better_picture"
    """It was seen better than before: `best` is another look."""
    STILL_THERE = "still_there"
    """Nothing else was told for a while."""
    ENDED = "ended"
    """See `end`."""


class EndReason(StrEnum):
    """Why an object's life is over."""

    LOST = "lost"
    """It was looked for and not seen for a while."""
    LEFT = "left"
    """The same, and it was on its way out of the picture."""
    QUESTION_CHANGED = "question_changed"
    """Its class is not asked for any more."""
    CAMERA_OFFLINE = "camera_offline"
    """The camera was away for longer than an object may be unseen."""
    SILENT = "silent"
    """Nothing at all came of the camera for a while, neither frames nor gaps."""


class Motion(StrEnum):
    """Whether an object stands still."""

    MOVING = "moving"
    """It moves."""
    STILL = "still"
    """It stands still."""


class _Part(BaseModel):
    # Most processes never read an event: its checks are built at the first one.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Sighting(_Part):
    """An object in one frame."""

    frame: FrameRef
    """Which frame."""
    captured_at_ns: limits.Nanoseconds
    """When the frame was captured: nanoseconds since 1970."""
    box: Box
    """x1, y1, x2, y2 in pixels of the source picture, from its top left corner, as in detections."""
    score: limits.Fraction
    """How sure the model was, from 0 to 1."""
    at_edge: bool = False
    """The box touches the picture's edge: there may be more of the object outside."""


class Unseen(_Part):
    """A time in an object's life in which nobody looked."""

    reason: GapReason
    """Why nobody looked, as in the gap."""
    first_seq: limits.Count | None = None
    """The first frame that nobody looked at, by its `seq`; null where it is a range of time."""
    last_seq: limits.Count | None = None
    """The last one, which belongs to it, too."""
    from_ns: limits.Nanoseconds | None = None
    """From when there were no frames: nanoseconds since 1970; null where it is a range of frames."""
    to_ns: limits.Nanoseconds | None = None
    """Until when: nanoseconds since 1970."""


class ZoneVisit(_Part):
    """One stay in a zone; times lie between two looks where the path crosses the zone's border."""

    name: limits.Identifier
    """The zone's name."""
    entered_ns: limits.Nanoseconds
    """When it came in: nanoseconds since 1970."""
    left_ns: limits.Nanoseconds | None = None
    """When it left: nanoseconds since 1970; null while it is inside."""
    dwell_ms: limits.Count
    """Milliseconds until it left, or was last seen."""
    dwelt: bool = False
    """It has been there for as long as the zone asks."""


class LineCrossing(_Part):
    """One crossing of a line."""

    name: limits.Identifier
    """The line's name."""
    direction: limits.Identifier
    """Which way, as the line calls it."""
    at_ns: limits.Nanoseconds
    """When: nanoseconds since 1970."""


class PathPoint(_Part):
    """Where an object stood: the anchor of its box."""

    x: limits.Fraction
    """From the left, in fractions of the picture's width."""
    y: limits.Fraction
    """From the top, in fractions of the picture's height."""
    at_ns: limits.Nanoseconds
    """When: nanoseconds since 1970."""


class End(_Part):
    """The end of an object's life."""

    reason: EndReason
    """Why it is over."""
    at_ns: limits.Nanoseconds
    """When the object was last seen: nanoseconds since 1970."""


class Event(_Part):
    """One message about one object. `id` and `n` name it: the same frames give the same events, byte for byte."""

    id: limits.Identifier
    """The object's: the same in all of its messages."""
    n: limits.Count
    """0 for `new`, then one more each: a message that was lost shows."""
    type: EventType
    """Where in the object's life it stands."""
    cause: Cause
    """Why it was sent."""
    about: limits.Text = ""
    """The zone or line that the cause tells of; empty for other causes, and from trackers that do not say it yet."""
    camera_id: limits.CameraId
    """The camera's id, which is the record's key, too."""
    label: limits.Phrase
    """What the object is: the class that most of its looks say."""
    class_id: limits.Count
    """Index of the label, from 0, in the question that was asked at its last look."""
    question_id: limits.Identifier
    """Whose question was asked at its last look: a camera, `*` for the default, `frame` for the frame's own."""
    question_version: limits.Identifier
    """That question's version."""
    zones_version: limits.Text = ""
    """Version of the zones in force; empty where the camera has none."""
    model: Model
    """Which model answered at its last look."""
    source_width: limits.Side
    """Of the source's own picture, in pixels, upright and square; boxes are in these pixels."""
    source_height: limits.Side
    """Of the source's own picture, as `source_width`."""
    first: Sighting
    """Its first look."""
    last: Sighting
    """Its latest look."""
    best: Sighting
    """Its best look, which the picture on the pictures topic is cut from."""
    frames_seen: limits.Count
    """Frames in which it was found."""
    frames_missed: limits.Count
    """Frames between its first and its last look in which it was looked for and not found."""
    unseen: Annotated[tuple[Unseen, ...], Field(max_length=limits.MAX_UNSEEN)] = ()
    """When nobody looked, between its first and its last look; of many the newest."""
    score_median: limits.Fraction
    """The median score of its latest looks, from 0 to 1."""
    velocity: tuple[Signed, Signed] = (0.0, 0.0)
    """x and y in parts of the picture's width and height per second; rightwards and downwards are positive."""
    path: Annotated[tuple[PathPoint, ...], Field(max_length=limits.MAX_PATH)] = ()
    """Thinned: from its first place to its last."""
    zones: Annotated[tuple[ZoneVisit, ...], Field(max_length=limits.MAX_VISITS)] = ()
    """Its stays, the latest ones."""
    lines: Annotated[tuple[LineCrossing, ...], Field(max_length=limits.MAX_VISITS)] = ()
    """Its crossings of lines, the latest ones."""
    motion: Motion = Motion.MOVING
    """Whether it moves or stands still."""
    motion_since_ns: limits.Nanoseconds
    """Since when: nanoseconds since 1970."""
    severity: Severity = Severity.INFO
    """The highest so far."""
    end: End | None = None
    """Of the type `end` alone: why and when its life was over; else null."""

    @model_validator(mode="after")
    def _ends_once(self) -> Self:
        if (self.type is EventType.END) != (self.end is not None):
            raise ValueError("an event of the type `end` has an `end`, and no other has")
        if (self.type is EventType.NEW) != (self.n == 0):
            raise ValueError("the event of the type `new` is the one whose n is 0")
        return self


class ObjectsNow(_Part):
    """What is in front of a camera now (compacted; key = camera id): the newest event of each object that is open."""

    camera_id: limits.CameraId
    """The camera's id, which is the record's key, too."""
    partition: limits.Count
    """The partition of the detections topic that the camera's answers lie in."""
    offset: limits.Offset
    """Of the detections topic: what lies there before this offset is accounted for."""
    objects: Annotated[tuple[Event, ...], Field(max_length=limits.MAX_OPEN)] = ()
    """The newest event of each object that is open, without path and unseen times."""
    more: limits.Count = 0
    """Objects that are open and not listed."""
