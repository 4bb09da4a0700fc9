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
    UPDATE = "update"
    END = "end"


class Cause(StrEnum):
    """Why a message was sent."""

    APPEARED = "appeared"
    ZONE_ENTERED = "zone_entered"
    ZONE_DWELT = "zone_dwelt"
    """It has been in a zone for as long as the zone asks."""
    ZONE_LEFT = "zone_left"
    LINE_CROSSED = "line_crossed"
    MOVED = "moved"
    """It stood still, and moves again."""
    STOPPED = "stopped"
    """It moved, and stands still."""
    RELABELLED = "relabelled"
    """More of its looks say another class now."""
    BETTER_PICTURE = "better_picture"
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
    STILL = "still"


class _Part(BaseModel):
    # Most processes never read an event: its checks are built at the first one.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Sighting(_Part):
    """An object in one frame."""

    frame: FrameRef
    captured_at_ns: limits.Nanoseconds
    box: Box
    """In pixels of the source picture, as in detections."""
    score: limits.Fraction
    at_edge: bool = False
    """The box touches the picture's edge: there may be more of the object outside."""


class Unseen(_Part):
    """A time in an object's life in which nobody looked."""

    reason: GapReason
    first_seq: limits.Count | None = None
    last_seq: limits.Count | None = None
    from_ns: limits.Nanoseconds | None = None
    to_ns: limits.Nanoseconds | None = None


class ZoneVisit(_Part):
    """One stay in a zone; times lie between two looks where the path crosses the zone's border."""

    name: limits.Identifier
    entered_ns: limits.Nanoseconds
    left_ns: limits.Nanoseconds | None = None
    """None while it is inside."""
    dwell_ms: limits.Count
    """Until it left, or was last seen."""
    dwelt: bool = False
    """It has been there for as long as the zone asks."""


class LineCrossing(_Part):
    """One crossing of a line."""

    name: limits.Identifier
    direction: limits.Identifier
    """As the line calls it."""
    at_ns: limits.Nanoseconds


class PathPoint(_Part):
    """Where an object stood: the anchor of its box."""

    x: limits.Fraction
    y: limits.Fraction
    at_ns: limits.Nanoseconds


class End(_Part):
    """The end of an object's life."""

    reason: EndReason
    at_ns: limits.Nanoseconds
    """When it was last seen."""


class Event(_Part):
    """One message about one object. `id` and `n` name it: the same frames give the same events, byte for byte."""

    id: limits.Identifier
    """The object's: the same in all of its messages."""
    n: limits.Count
    """0 for `new`, then one more each: a message that was lost shows."""
    type: EventType
    cause: Cause
    camera_id: limits.CameraId
    label: limits.Phrase
    class_id: limits.Count
    """Of the label, in the question that was asked at its last look."""
    question_id: limits.Identifier
    question_version: limits.Identifier
    zones_version: limits.Text = ""
    """Of the zones in force; empty where the camera has none."""
    model: Model
    source_width: limits.Side
    source_height: limits.Side
    first: Sighting
    last: Sighting
    best: Sighting
    frames_seen: limits.Count
    """Frames in which it was found."""
    frames_missed: limits.Count
    """Frames between its first and its last look in which it was looked for and not found."""
    unseen: Annotated[tuple[Unseen, ...], Field(max_length=limits.MAX_UNSEEN)] = ()
    """When nobody looked, between its first and its last look; of many the newest."""
    score_median: limits.Fraction
    """Of its latest looks."""
    velocity: tuple[Signed, Signed] = (0.0, 0.0)
    """Per second."""
    path: Annotated[tuple[PathPoint, ...], Field(max_length=limits.MAX_PATH)] = ()
    """Thinned: from its first place to its last."""
    zones: Annotated[tuple[ZoneVisit, ...], Field(max_length=limits.MAX_VISITS)] = ()
    """Its stays, the latest ones."""
    lines: Annotated[tuple[LineCrossing, ...], Field(max_length=limits.MAX_VISITS)] = ()
    motion: Motion = Motion.MOVING
    motion_since_ns: limits.Nanoseconds
    severity: Severity = Severity.INFO
    """The highest so far."""
    end: End | None = None

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
    partition: limits.Count
    offset: limits.Offset
    """Of the events in it and before it: what lies on the detections topic before this offset is accounted for."""
    objects: Annotated[tuple[Event, ...], Field(max_length=limits.MAX_OPEN)] = ()
    """Their paths and unseen times are left out."""
    more: limits.Count = 0
    """Objects that are open and not listed."""
