"""`groundcam event`"""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start
from groundcam.errors import EventError
from groundcam.event_log import newest_of_each, one_life, picture_of
from groundcam.event_words import SHORT, life, table
from groundcam.since import since_ms
from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.printable import printable
from groundcam_schemas import Severity, encode_json

app = typer.Typer(help="What became of single objects: events that lie on Kafka.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, fields as in the schemas.")]
LEAST = 6
"""Characters of an id: fewer are other objects', too."""


@app.command("list")
def list_(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    camera: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this camera. Repeat it.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="CLASS", help="Only this class. Repeat it.")] = None,
    zone: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only what was in this zone, or crossed this line.")
    ] = None,
    severity: Annotated[Severity, typer.Option(help="Only what matters so much, or more.")] = Severity.INFO,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what was told of since then: 90s, 15m, 2h, 3d, or an ISO time."),
    ] = None,
    is_open: Annotated[bool, typer.Option("--open", help="Only what is open now.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List objects, the newest last, each as its newest event says. `show` takes the id."""
    try:
        since_at_ms = since_ms(since, time.time()) if since else None
    except ValueError as error:
        raise typer.BadParameter(f"--since: {error}") from None
    kafka = start(config, bootstrap_servers).kafka
    wanted = EventFilter.of(camera or None, label or None, zone or None, None, severity)
    found = newest_of_each(kafka, wanted, since_at_ms, is_open=is_open)[-(limit or 0) :]
    if as_json:
        for one in found:
            print(encode_json(one).decode())
    elif found:
        print(table(found))
    else:
        _say(f"there is no such event on {kafka.topics.events} on {kafka.bootstrap_servers}")


@app.command("show")
def show(
    event_id: Annotated[str, typer.Argument(metavar="ID", help=f"As `list` prints it, {LEAST} characters or more.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write its best picture here (JPEG); never over a file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show an object's whole life, from its events. Exit code 1 where there is none, or no picture is kept."""
    if len(event_id) < LEAST:
        raise typer.BadParameter(f"an id has {LEAST} characters or more, as `groundcam event list` prints {SHORT}")
    kafka = start(config, bootstrap_servers).kafka
    found = one_life(kafka, event_id)
    events = found.in_order
    if as_json:
        for one in events:
            print(encode_json(one).decode())
    else:
        print(life(events))
    if picture is not None:
        kept = picture_of(kafka, found)
        if not kept.data:
            raise EventError(
                printable(f"there is no picture of {events[0].id} on {kafka.topics.pictures}: {kept.reason}")
            )
        with picture.open("xb") as file:
            file.write(kept.data)
        _say(f"{picture}: {len(kept.data)} bytes")


def _say(sentence: str) -> None:
    print(f"groundcam: {printable(sentence)}", file=sys.stderr)
