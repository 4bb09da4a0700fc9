"""Options that several commands have, and how a command starts and stops."""

import getpass
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from groundcam.config.layers import PREFIX
from groundcam.settings import Settings, load
from groundcam_runtime import logs
from groundcam_runtime.signals import on_signal

Config = Annotated[
    Path | None, typer.Option("--config", help="YAML file with settings; variables and options beat it.")
]
BootstrapServers = Annotated[
    str | None, typer.Option(help="Kafka brokers, host:port,host:port.", show_default="localhost:9092")
]
LogFormat = Annotated[str | None, typer.Option(help="human or json.", show_default="human")]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.", show_default="info")]
HttpPort = Annotated[
    int | None, typer.Option(help="Port of /metrics, /healthz and /readyz.", show_default="none is served")
]


def start(
    config: Path | None,
    bootstrap_servers: str | None = None,
    log_format: str | None = None,
    log_level: str | None = None,
    http_port: int | None = None,
    **options: Any,
) -> Settings:
    """Read the settings and set up the log. `work__model=...` sets work.model.

    Raises SettingError.
    """
    return start_with(config, paths(bootstrap_servers, log_format, log_level, http_port, **options))


def start_with(config: Path | None, given: Mapping[str, Any]) -> Settings:
    """Do the same with what the command line gave by the settings' paths. Raises SettingError."""
    # What is wrong with the settings shall be said in the form that they ask for, as far as that can be seen.
    logs.configure(log_format_of(config, given.get("log.format")))
    settings = load(config, given)
    logs.configure(settings.log.format, settings.log.level)
    return settings


def paths(
    bootstrap_servers: str | None = None,
    log_format: str | None = None,
    log_level: str | None = None,
    http_port: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Return what the command line gave by the settings' paths: `work__model=...` is that of work.model."""
    return {
        "kafka.bootstrap_servers": bootstrap_servers,
        "log.format": log_format,
        "log.level": log_level,
        "http.port": http_port,
        **{name.replace("__", "."): value for name, value in options.items()},
    }


def log_format_of(config: Path | None, option: str | None) -> logs.LogFormat:
    """Return which form log lines are to have, from settings that may be wrong, or not even be readable."""
    found = option or os.environ.get(f"{PREFIX}LOG__FORMAT")
    if found is None and config is not None:
        try:
            content: Any = yaml.safe_load(config.read_text())
            found = content["log"]["format"]
        except (OSError, ValueError, RecursionError, yaml.YAMLError, TypeError, KeyError, IndexError):
            found = None
    return "json" if found == "json" else "human"


def until_stopped(*wake: threading.Event) -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set, before those in `wake`; a second signal ends the process at once.

    Raises ValueError outside the main thread.
    """
    stop = threading.Event()

    def set_all() -> None:
        for event in (stop, *wake):
            event.set()

    on_signal((signal.SIGTERM, signal.SIGINT), set_all, again_ends=True)
    return stop


def pairs(option: str, values: list[str] | None) -> dict[str, str]:
    """Read `gate=...` options into a map. Raises BadParameter."""
    found: dict[str, str] = {}
    for value in values or ():
        name, separator, rest = value.partition("=")
        if not separator or not name or not rest:
            raise typer.BadParameter(f"{option} is written as {option} NAME=VALUE")
        if name in found:
            raise typer.BadParameter(f"{option}: {name} is there twice")
        found[name] = rest
    return found


def user() -> str:
    """Return the user's name, or number: a container's user often has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
