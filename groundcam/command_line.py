"""The command line. The only place that turns errors into sentences and exit codes."""

import logging
import os
import sys
from collections import UserDict
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from groundcam import __version__
from groundcam.camera_list import CameraError
from groundcam.commands.options import log_format_of
from groundcam.devkafka.broker import BrokerError
from groundcam.errors import DeadLetterError, EventError, PartError
from groundcam_runtime import logs, signals
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

# In the order of the help text.
COMMANDS = (
    "demo", "produce", "work", "track", "watch", "serve", "console", "ask", "detect", "convert", "audit", "probe",
    "doctor", "size", "broker", "models", "cameras", "zones", "event", "config", "keys", "users", "topics",
    "dead-letters", "notify", "schema", "stream",
)  # fmt: skip


class _Commands(UserDict[str, Any]):
    """Commands by name, each imported and built when it is asked for: all of them take longer than many a command."""

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            self.data[name] = _command(name)
        return self.data[name]


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands(dict.fromkeys(COMMANDS))


def _command(name: str) -> Any:
    """Return the group `app` of the command's module, or the function that is called as the module is."""
    word = name.replace("-", "_")
    signals.end_on_interrupt()
    module = import_module(f"groundcam.commands.{word}")
    signals.raise_on_interrupt()
    part = typer.Typer(rich_markup_mode=None)
    if hasattr(module, "app"):
        part.add_typer(module.app, name=name)
    else:
        part.command(name)(getattr(module, word))
    return get_group(part).commands[name]


app = typer.Typer(
    cls=_Group,
    name="groundcam",
    help="Cameras go in, answers to a written question come out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
