"""Zones and lines as the command line and files have them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from groundcam.did_you_mean import did_you_mean
from groundcam.durations import seconds_in
from groundcam_runtime.events.zones import ZoneError, ZonesForm, parse_form
from groundcam_runtime.printable import printable
from groundcam_schemas import CameraZones
from groundcam_schemas.limits import check_camera_id

RECTANGLE, LEAST_NUMBERS = 4, 6
POLYGON = "yard=0.1,0.5,0.9,0.5,0.5,1: x and y of three corners or more, or x1,y1,x2,y2 of a rectangle"
LINE = "door=0.2,0.8,0.8,0.8: x and y of its start and of its end"


@dataclass(frozen=True, slots=True)
class Given:
    """The options of `zones set`, each as NAME=VALUE."""

    zones: Sequence[str] = ()
    lines: Sequence[str] = ()
    dwell: Sequence[str] = ()
    labels: Sequence[str] = ()
    severity: Sequence[str] = ()
    to_right: Sequence[str] = ()
    """Without a name it is that of every line."""
    to_left: Sequence[str] = ()
    anchor: str | None = None


def form_of_options(camera_id: str, given: Given) -> ZonesForm:
    """Return a camera's zones and lines. Raises ZoneError."""
    zones = {
        name: {"polygon": _polygon(camera_id, name, text)} for name, text in _pairs(camera_id, "--zone", given.zones)
    }
    lines = {name: _line(camera_id, name, text) for name, text in _pairs(camera_id, "--line", given.lines)}
    both: dict[str, dict[str, Any]] = {**zones, **lines}
    for name, text in _pairs(camera_id, "--dwell", given.dwell):
        _named(camera_id, "--dwell", name, zones)["dwell_s"] = _dwell(camera_id, name, text)
    for name, text in _pairs(camera_id, "--labels", given.labels):
        found = [one.strip().lower() for one in text.split(",") if one.strip()]
        _named(camera_id, "--labels", name, both)["labels"] = found
    for name, text in _pairs(camera_id, "--severity", given.severity):
        _named(camera_id, "--severity", name, both)["severity"] = text
    _name_directions(camera_id, "--to-right", given.to_right, lines)
    _name_directions(camera_id, "--to-left", given.to_left, lines)
    content: dict[str, Any] = {"zones": zones, "lines": lines}
    if given.anchor is not None:
        content["anchor"] = given.anchor
    return parse_form(camera_id, content)


def forms_in(text: str) -> dict[str, ZonesForm]:
    """Read a YAML file: a map of cameras to their zones and lines. Raises ZoneError."""
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ZoneError(f"it is no YAML: {printable(str(error).splitlines()[0])}") from None
    if not isinstance(content, Mapping) or not content:
        raise ZoneError("it is a map of cameras, each with its zones and lines")
    found = {}
    for camera_id, one in content.items():
        try:
            check_camera_id(str(camera_id))
        except ValueError as error:
            raise ZoneError(_text(str(camera_id), str(error))) from None
        found[str(camera_id)] = parse_form(str(camera_id), one)
    return found


def with_those_before(form: ZonesForm, before: ZonesForm, *, anchor: str | None) -> ZonesForm:
    """Return what is given and, of the zones and lines before, those with other names. Raises ZoneError."""
    names = {*form.zones, *form.lines}
    return form.model_copy(
        update={
            "zones": {**{name: one for name, one in before.zones.items() if name not in names}, **form.zones},
            "lines": {**{name: one for name, one in before.lines.items() if name not in names}, **form.lines},
            "anchor": before.anchor if anchor is None else form.anchor,
        }
    )


def without(zones: CameraZones, name: str) -> CameraZones | None:
    """Return a camera's zones and lines without one of them; None where that was the last. Raises ZoneError."""
    there = [one.name for one in (*zones.zones, *zones.lines)]
    if name not in there:
        hint = did_you_mean(name, there) or f"; there are {', '.join(there)}"
        raise ZoneError(_text(zones.camera_id, f"there is no zone or line {name}{hint}"))
    left = zones.model_copy(
        update={
            "zones": tuple(one for one in zones.zones if one.name != name),
            "lines": tuple(one for one in zones.lines if one.name != name),
        }
    )
    return left if left.zones or left.lines else None


def _pairs(camera_id: str, option: str, texts: Iterable[str]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for text in texts:
        name, separator, rest = text.partition("=")
        if not separator or not name.strip() or not rest.strip():
            raise ZoneError(_text(camera_id, f"{option} {text}", f"it is written as {option} NAME=VALUE"))
        if name.strip() in found:
            raise ZoneError(_text(camera_id, f"{option}: {name.strip()} is there twice"))
        found[name.strip()] = rest.strip()
    return list(found.items())


def _polygon(camera_id: str, name: str, text: str) -> list[list[float]]:
    numbers = _numbers(text)
    if numbers is not None and len(numbers) == RECTANGLE:
        x1, y1, x2, y2 = numbers
        numbers = [x1, y1, x2, y1, x2, y2, x1, y2]
    if numbers is None or len(numbers) % 2 or len(numbers) < LEAST_NUMBERS:
        raise ZoneError(_text(camera_id, f"zone {name}", f"{text!r} is not like {POLYGON}, in fractions"))
    return [list(corner) for corner in zip(numbers[::2], numbers[1::2], strict=True)]


def _line(camera_id: str, name: str, text: str) -> dict[str, Any]:
    numbers = _numbers(text)
    if numbers is None or len(numbers) != RECTANGLE:
        raise ZoneError(_text(camera_id, f"line {name}", f"{text!r} is not like {LINE}, in fractions"))
    return {"start": numbers[:2], "end": numbers[2:]}


def _dwell(camera_id: str, name: str, text: str) -> float:
    try:
        return seconds_in(text)
    except ValueError as error:
        raise ZoneError(_text(camera_id, f"zone {name}", f"--dwell: {error}")) from None


def _name_directions(camera_id: str, option: str, texts: Iterable[str], lines: Mapping[str, dict[str, Any]]) -> None:
    for text in texts:
        name, separator, direction = text.partition("=")
        if not lines:
            raise ZoneError(_text(camera_id, option, "there is no --line"))
        for one in [_named(camera_id, option, name, lines)] if separator else lines.values():
            one[option.removeprefix("--").replace("-", "_")] = direction if separator else text


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(one) for one in text.replace(";", ",").replace(" ", ",").split(",") if one]
    except ValueError:
        return None


def _named(camera_id: str, option: str, name: str, there: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    if name not in there:
        raise ZoneError(_text(camera_id, f"{option}: nothing is called {name}{did_you_mean(name, there)}"))
    return there[name]


def _text(*parts: str) -> str:
    return printable(": ".join(parts))
