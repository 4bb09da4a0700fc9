"""`groundcam zones`"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import yaml

from groundcam.asking import require_camera
from groundcam.camera_list import CameraError
from groundcam.columns import columns
from groundcam.commands.options import BootstrapServers, Config, start, user
from groundcam.did_you_mean import did_you_mean
from groundcam.zones_given import Given, form_of_options, forms_in, with_those_before, without
from groundcam_runtime.events.zones import ZoneError, ZonesForm, form_of, message_of, plain
from groundcam_runtime.kafka.camera_statuses import newest_statuses
from groundcam_runtime.kafka.camera_zones import camera_zones, send_zones
from groundcam_runtime.printable import printable
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Anchor, CameraZones, with_times

app = typer.Typer(help="Named zones and lines in cameras' pictures, of which events tell.", no_args_is_help=True)

Names = list[str] | None
CameraId = Annotated[str, typer.Argument(metavar="CAMERA", help="Its id.")]


@app.command("set")
def set_(
    camera: Annotated[str | None, typer.Argument(metavar="CAMERA", help="Its id; none with --file.")] = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    zone: Annotated[
        Names,
        typer.Option(metavar="NAME=X,Y,X,Y,X,Y", help="A polygon, or a rectangle of X1,Y1,X2,Y2, in fractions."),
    ] = None,
    line: Annotated[Names, typer.Option(metavar="NAME=X,Y,X,Y", help="A line, from its start to its end.")] = None,
    dwell: Annotated[
        Names, typer.Option(metavar="NAME=TIME", help="How long something has to be in a zone to matter.")
    ] = None,
    labels: Annotated[
        Names, typer.Option(metavar="NAME=CLASS,CLASS", help="Only these classes count in a zone, or over a line.")
    ] = None,
    severity: Annotated[Names, typer.Option(metavar="NAME=LEVEL", help="info, warning or alert.")] = None,
    to_right: Annotated[
        Names, typer.Option(metavar="[NAME=]WORD", help="What crossing to the right is called.", show_default="right")
    ] = None,
    to_left: Annotated[
        Names, typer.Option(metavar="[NAME=]WORD", help="What crossing to the left is called.", show_default="left")
    ] = None,
    anchor: Annotated[
        Anchor | None, typer.Option(help="Which point of a box is tested.", show_default="bottom_centre")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML with the zones and lines of one or more cameras.")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Keep the camera's other zones and lines.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Set those of a camera that nobody knows yet.")] = False,
) -> None:
    """Set a camera's zones and lines, in place of those that it has; they hold from the next frame that is followed.

    Who stands at a line's start and looks at its end has a right and a left.
    """
    given = Given(
        zone or (), line or (), dwell or (), labels or (), severity or (), to_right or (), to_left or (),
        anchor.value if anchor else None,
    )  # fmt: skip
    if (camera is None) is (file is None) or (file is not None and (given != Given() or add)):
        raise typer.BadParameter("give a camera with --zone or --line, or --file alone")
    if camera is not None and not (zone or line):
        raise typer.BadParameter(f"{printable(camera)}: give a --zone or a --line (zones remove takes all away)")
    forms = {camera: form_of_options(camera, given)} if camera is not None else _forms_in(file)
    kafka = start(config, bootstrap_servers).kafka
    before = camera_zones(kafka)
    if not force:
        known = [*newest_statuses(kafka), *before]
        for camera_id in forms:
            require_camera(camera_id, known, "sets those of one that is to come")
    if add and camera in before:
        forms[camera] = with_those_before(forms[camera], form_of(before[camera]), anchor=given.anchor)
    made = [message_of(name, form, user(), time.time_ns()) for name, form in forms.items()]
    send_zones(kafka, {one.camera_id: one if one.zones or one.lines else None for one in made})
    for one in made:
        print(printable(f"{one.camera_id}: {_counted(one)}, version {one.version}"))


@app.command("list")
def list_(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each camera.")] = False,
) -> None:
    """List the cameras that have zones or lines."""
    kafka = start(config, bootstrap_servers).kafka
    found = camera_zones(kafka)
    if as_json:
        for one in found.values():
            print(json.dumps({"version": one.version, **with_times(one.model_dump(mode="json"))}))
    elif found:
        heading = ("CAMERA", "ZONES", "LINES", "VERSION", "BY", "SINCE")
        print(columns([heading, *(tuple(map(printable, _row(one))) for one in found.values())]))
    else:
        print(f"groundcam: no camera has zones on {_where(kafka)}", file=sys.stderr)


@app.command("show")
def show(camera: CameraId, config: Config = None, bootstrap_servers: BootstrapServers = None) -> None:
    """Print a camera's zones and lines as YAML, as `set --file` reads it."""
    kafka = start(config, bootstrap_servers).kafka
    one = _of(kafka, camera)
    print(printable(f"# version {one.version}, by {one.set_by or 'somebody'}, since {_since(one)}"))
    print(yaml.safe_dump({camera: plain(form_of(one))}, sort_keys=False, default_flow_style=None).rstrip())


@app.command("remove")
def remove(
    camera: CameraId,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One zone or line; without it all.")] = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Remove a camera's zones and lines, or one of them."""
    kafka = start(config, bootstrap_servers).kafka
    one = _of(kafka, camera)
    left = without(one, name) if name is not None else None
    if left is not None:
        left = left.model_copy(update={"set_by": user(), "set_at_ns": time.time_ns()})
    send_zones(kafka, {camera: left})
    print(printable(f"{camera}: {_counted(left) if left else 'no zones and lines any more'}"))


def _forms_in(file: Path | None) -> dict[str, ZonesForm]:
    assert file is not None  # noqa: S101 - for the type checker
    try:
        return forms_in(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ZoneError(f"--file: {file} cannot be read: {str(error).splitlines()[0]}") from None
    except ZoneError as error:
        raise ZoneError(f"{file}: {error}") from None


def _of(kafka: KafkaSettings, camera: str) -> CameraZones:
    """Raises CameraError, KafkaProblem."""
    found = camera_zones(kafka)
    if camera not in found:
        why = f"the camera {camera} has no zones and lines on {_where(kafka)}{did_you_mean(camera, found)}"
        raise CameraError(printable(why))
    return found[camera]


def _row(one: CameraZones) -> tuple[str, ...]:
    zones, lines = ",".join(each.name for each in one.zones), ",".join(each.name for each in one.lines)
    return one.camera_id, zones or "-", lines or "-", one.version, one.set_by or "-", _since(one)


def _counted(one: CameraZones) -> str:
    zones, lines = len(one.zones), len(one.lines)
    return f"{zones} zone{'' if zones == 1 else 's'}, {lines} line{'' if lines == 1 else 's'}"


def _since(one: CameraZones) -> str:
    try:
        return datetime.fromtimestamp(one.set_at_ns / 1e9, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return "-"


def _where(kafka: KafkaSettings) -> str:
    return f"{kafka.topics.zones} on {kafka.bootstrap_servers}"
