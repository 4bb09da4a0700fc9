"""The command line. The only place that turns errors into sentences and exit codes."""

import logging
import os
import sys
from typing import Any

import typer

from groundcam import __version__
from groundcam.camera_list import CameraError
from groundcam.commands import (
    ask,
    audit,
    broker,
    cameras,
    config,
    console,
    convert,
    dead_letters,
    demo,
    detect,
    doctor,
    event,
    keys,
    models,
    notify,
    probe,
    produce,
    schema,
    serve,
    size,
    topics,
    track,
    users,
    watch,
    work,
    zones,
)
from groundcam.commands.options import log_format_of
from groundcam.dead_letters.letters import DeadLetterError
from groundcam.demo.parts import PartError
from groundcam.devkafka.broker import BrokerError
from groundcam.event_log import EventError
from groundcam_runtime import logs
from groundcam_runtime.events.zones import ZoneError
from groundcam_runtime.kafka.errors import KafkaProblem, SourceLostError, TransactionLostError
from groundcam_runtime.recurring import sum_up_all
from groundcam_runtime.settings import SettingError
from groundcam_runtime.signals import INTERRUPTED
from groundcam_worker.errors import DetectorLostError, ModelError, QuestionError

EXIT_CODES: dict[type[Exception], int] = {
    SettingError: 2,
    QuestionError: 2,
    ZoneError: 2,
    ModelError: 2,
    TransactionLostError: 1,
    SourceLostError: 1,
    KafkaProblem: 3,
    BrokerError: 1,
    PartError: 1,
    DeadLetterError: 1,
    CameraError: 1,
    EventError: 1,
    DetectorLostError: 70,
}
AT_ONCE = (DetectorLostError, SourceLostError, TransactionLostError)
# Newer versions of typer carry their own click: its errors are found through the one that typer exports.
UsageProblem: type[Any] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

app = typer.Typer(
    name="groundcam",
    help="Cameras go in, answers to a written question come out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("produce")(produce.produce)
app.command("work")(work.work)
app.command("track")(track.track)
app.command("watch")(watch.watch)
app.command("serve")(serve.serve)
app.command("console")(console.console)
app.command("ask")(ask.ask)
app.command("detect")(detect.detect)
app.command("convert")(convert.convert)
app.command("audit")(audit.audit)
app.command("probe")(probe.probe)
app.command("doctor")(doctor.doctor)
app.command("size")(size.size)
app.command("broker")(broker.broker)
app.add_typer(models.app, name="models")
app.add_typer(cameras.app, name="cameras")
app.add_typer(zones.app, name="zones")
app.add_typer(event.app, name="event")
app.add_typer(config.app, name="config")
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.add_typer(topics.app, name="topics")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(notify.app, name="notify")
app.add_typer(schema.app, name="schema")


@app.callback(invoke_without_command=True)
def _version(
    *, version: bool = typer.Option(False, "--version", help="Print the version and end.", is_eager=True)
) -> None:
    if version:
        print(f"groundcam {__version__}")
        raise typer.Exit


def run() -> int:
    """Run the command line and return the exit code."""
    logs.configure(log_format_of(None, None))
    try:
        code = app(prog_name="groundcam", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except tuple(EXIT_CODES) as error:
        logs.say(str(error))
        code = next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
        if isinstance(error, AT_ONCE):
            # A lost detector, source or transaction can hang or crash the interpreter while it takes itself apart.
            sum_up_all()
            logging.shutdown()
            os._exit(code)
    except UsageProblem as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            logs.say(error.format_message())
        code = 2
    except BrokenPipeError:
        # Whoever read our output has had enough: `groundcam watch | head`.
        sys.stderr.close()
        code = 0
    except OSError as error:
        # A folder that may not be written to, a path that is something else, a full disk.
        logs.say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        code = 2 if isinstance(error, PermissionError | FileExistsError | NotADirectoryError) else 1
    return code if isinstance(code, int) else 0
