"""`groundcam cameras`"""

import json
import sys
from typing import Annotated

import typer

from groundcam.camera_list import table, to_forget
from groundcam.commands.options import BootstrapServers, Config, start
from groundcam_runtime.kafka.camera_statuses import cameras_with_questions, newest_statuses
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.send_now import send_now
from groundcam_runtime.printable import printable
from groundcam_schemas import with_times

app = typer.Typer(help="The cameras that producers have told of.", no_args_is_help=True)


@app.command("list")
def list_(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each camera.")] = False,
) -> None:
    """List the cameras, with the newest state that is known of each.

    A producer that was killed could not say so: its cameras stay as they were last.
    """
    kafka = start(config, bootstrap_servers).kafka
    statuses = newest_statuses(kafka).values()
    if as_json:
        for status in statuses:
            print(json.dumps(with_times(status.model_dump(mode="json"))))
    elif statuses:
        print(table(statuses))
    else:
        where = f"{kafka.topics.cameras} on {kafka.bootstrap_servers}"
        print(f"groundcam: no camera has told of itself on {where}", file=sys.stderr)


@app.command("forget")
def forget(
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="Its id, as `list` prints it.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    force: Annotated[bool, typer.Option("--force", help="Also a camera that is online.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a camera that is gone: its state, and the question that is asked of it alone.

    Frames and answers stay as long as their topics keep them. A camera that a producer looks after comes back with its
    next state, without its question.
    """
    kafka = start(config, bootstrap_servers).kafka
    found = to_forget(camera, newest_statuses(kafka), cameras_with_questions(kafka), force=force)
    what = " and ".join(found.values())
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("nobody can be asked here: --yes forgets the camera without")
        if not typer.confirm(printable(f"Forget {what} of the camera {camera}?")):
            print("nothing is forgotten")
            raise typer.Exit(1)
    topics = {"state": kafka.topics.cameras, "question": kafka.topics.prompts}
    # A null, not nothing: only then compaction removes the key.
    send_now(kafka, [Record(topics[name], None, camera) for name in found], "that the camera is forgotten")
    print(printable(f"{camera}: {what} forgotten"))
