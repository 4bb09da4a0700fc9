"""A camera's zones and lines as people write them, in YAML and in JSON: maps of names. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from groundcam_runtime.printable import printable
from groundcam_schemas import Anchor, CameraZones, Line, Severity, Zone
from groundcam_schemas.limits import MAX_TEXT, MAX_ZONES
from groundcam_schemas.questions import Corner, Region
from groundcam_schemas.zones import DwellSeconds, Labels, Name

LEAST_AREA = 1e-9
KINDS = {"zones": "zone", "lines": "line"}


class ZoneError(ValueError):
    """Zones or lines that cannot be set; the sentence names the camera and the zone."""


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ZoneForm(_Form):
    """A polygon."""

    polygon: Region = Field(examples=[[[0.1, 0.5], [0.9, 0.5], [0.5, 1.0]]])
    """Its corners, x and y in fractions of the picture's width and height."""
    dwell_s: DwellSeconds = 0.0
    """After so many seconds inside an event has the zone's severity; 0: as something enters."""
    labels: Labels = ()
    """Only objects of these classes count; none at all means every class."""
    severity: Severity = Severity.INFO

    @model_validator(mode="after")
    def _has_an_inside(self) -> Self:
        corners = zip(self.polygon, [*self.polygon[1:], self.polygon[0]], strict=True)
        if abs(sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in corners)) / 2 < LEAST_AREA:
            raise ValueError("its corners lie on one line")
        return self


class LineForm(_Form):
    """A line; who stands at `start` and looks at `end` has a right and a left."""

    start: Corner = Field(examples=[[0.2, 0.8]])
    end: Corner = Field(examples=[[0.8, 0.8]])
    to_right: Name = "right"
    """What crossing it to the right is called."""
    to_left: Name = "left"
    labels: Labels = ()
    severity: Severity = Severity.INFO

    @model_validator(mode="after")
    def _is_a_line(self) -> Self:
        if self.start == self.end:
            raise ValueError("its start and end are the same point")
        return self


class ZonesForm(_Form):
    """All zones and lines of a camera, by their names."""

    zones: Annotated[dict[Name, ZoneForm], Field(max_length=MAX_ZONES)] = Field(default={})
    lines: Annotated[dict[Name, LineForm], Field(max_length=MAX_ZONES)] = Field(default={})
    anchor: Anchor = Anchor.BOTTOM_CENTRE
    """The point of a box that is tested."""


def message_of(camera_id: str, form: ZonesForm, set_by: str, set_at_ns: int) -> CameraZones:
    """Return the message that sets them. Raises ZoneError where a zone and a line have the same name."""
    try:
        return CameraZones(
            camera_id=camera_id,
            zones=tuple(Zone(name=name, **dict(one)) for name, one in form.zones.items()),
            lines=tuple(Line(name=name, **dict(one)) for name, one in form.lines.items()),
            anchor=form.anchor,
            set_by=set_by[:MAX_TEXT],
            set_at_ns=set_at_ns,
        )
    except ValidationError as invalid:
        raise ZoneError(sentence(camera_id, invalid)) from None


def form_of(zones: CameraZones) -> ZonesForm:
    """Return how they are written; `message_of` gives the same zones again."""
    return ZonesForm(
        zones={one.name: ZoneForm.model_construct(**_fields(one)) for one in zones.zones},
        lines={one.name: LineForm.model_construct(**_fields(one)) for one in zones.lines},
        anchor=zones.anchor,
    )


def plain(form: ZonesForm) -> dict[str, object]:
    """Return a form as plain lists and maps, without what is as it would be by itself."""
    return form.model_dump(mode="json", exclude_defaults=True)


def parse_form(camera_id: str, content: object) -> ZonesForm:
    """Read one camera's zones and lines from plain lists and maps. Raises ZoneError."""
    if not isinstance(content, Mapping):
        raise ZoneError(f"{printable(camera_id)}: it is a map with zones and lines")
    try:
        return ZonesForm.model_validate(content)
    except ValidationError as invalid:
        raise ZoneError(sentence(camera_id, invalid)) from None


def sentence(camera_id: str, invalid: ValidationError) -> str:
    """Return what is wrong first, as one sentence that names the camera and the zone or line."""
    first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
    path = [str(part) for part in first["loc"]]
    where = [camera_id]
    if len(path) > 1 and path[0] in KINDS:
        where.append(f"{KINDS[path[0]]} {path[1]}")
        path = path[2:]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such field"
    field = ".".join(one for one in path if one != "[key]")
    parts = [*where, *([field] if field else []), f"{message[:1].lower()}{message[1:]}"]
    return printable(": ".join(parts))


def _fields(one: Zone | Line) -> dict[str, Any]:
    return {name: value for name, value in one if name != "name"}
