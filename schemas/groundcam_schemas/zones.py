"""Named zones and lines in a camera's picture: the zones topic (compacted; key = camera id)."""

import hashlib
from enum import StrEnum
from typing import Annotated, Self

import msgpack
from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundcam_schemas import limits
from groundcam_schemas.questions import Corner, Region

MAX_DWELL_S = 86_400.0
DwellSeconds = Annotated[float, Field(strict=True, ge=0, le=MAX_DWELL_S, allow_inf_nan=False)]
Name = Annotated[limits.Identifier, limits.AfterValidator(limits.check_phrase)]
Labels = Annotated[tuple[limits.AskedPhrase, ...], Field(max_length=limits.MAX_CLASSES)]


class Severity(StrEnum):
    """How much something matters, the least first."""

    INFO = "info"
    """Nothing to do."""
    WARNING = "warning"
    """Somebody should know."""
    ALERT = "alert"
    """Somebody should act."""

    @property
    def rank(self) -> int:
        """A number to compare by."""
        return list(Severity).index(self)


class Anchor(StrEnum):
    """The point of a box that is tested against zones and lines."""

    BOTTOM_CENTRE = "bottom_centre"
    """Where people and vehicles stand."""
    CENTRE = "centre"
    """The middle of the box."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    name: Name
    """What it is called; no two zones and lines of a camera have the same name."""
    labels: Labels = ()
    """Only objects of these classes count; empty means every class."""
    severity: Severity = Severity.INFO
    """Of the event of an object that has been here: in a zone for `dwell_s`, over a line once."""


class Zone(_Part):
    """A polygon in which it matters what stands there, and for how long."""

    polygon: Region
    """Its corners, x and y in fractions of the picture's width and height."""
    dwell_s: DwellSeconds = 0.0
    """After so many seconds inside, one visit, an object's event has the zone's severity; 0: as it enters."""


class Line(_Part):
    """A line that objects cross. Who stands at `start` and looks at `end` has a right and a left."""

    start: Corner
    """One end, x and y in fractions of the picture's width and height."""
    end: Corner
    """The other end, as `start`."""
    to_right: Name = "right"
    """What crossing it from the left to the right is called, such as `in`."""
    to_left: Name = "left"
    """What crossing it from the right to the left is called, such as `out`."""

    @model_validator(mode="after")
    def _is_a_line(self) -> Self:
        if self.start == self.end:
            raise ValueError("a line's start and end are the same point")
        return self


class CameraZones(BaseModel):
    """All zones and lines of a camera; the newest message counts, whole. Without any, it has none."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    camera_id: limits.CameraId
    """The camera's id, which is the record's key, too."""
    zones: Annotated[tuple[Zone, ...], Field(max_length=limits.MAX_ZONES)] = ()
    """Its zones."""
    lines: Annotated[tuple[Line, ...], Field(max_length=limits.MAX_ZONES)] = ()
    """Its lines."""
    anchor: Anchor = Anchor.BOTTOM_CENTRE
    """Which point of an object's box has to be in a zone or cross a line."""
    set_by: limits.Text = ""
    """Who set them, in words; empty where that is unknown."""
    set_at_ns: limits.Nanoseconds = 0
    """When they were set: nanoseconds since 1970; 0 where that is unknown."""

    @model_validator(mode="after")
    def _no_name_twice(self) -> Self:
        known: set[str] = set()
        for one in (*self.zones, *self.lines):
            if one.name in known:
                raise ValueError(f"two zones or lines are called {one.name!r}")
            known.add(one.name)
        return self

    @property
    def version(self) -> str:
        """A hash of everything that can change an event: equal zones have equal versions."""
        content = self.model_dump(mode="json", include={"zones", "lines", "anchor"})
        return hashlib.sha256(msgpack.packb(content)).hexdigest()[:16]
