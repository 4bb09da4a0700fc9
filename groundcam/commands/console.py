"""`groundcam console`"""

import asyncio
import logging
import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from groundcam import __version__
from groundcam.commands.options import BootstrapServers, Config, HttpPort, LogFormat, LogLevel, start, until_stopped
from groundcam.extras import needs, require
from groundcam.settings import Settings
from groundcam_runtime.recurring import sum_up_all

log = logging.getLogger(__name__)


def console(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
    keys_file: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help="Who may do what; see `groundcam keys`.")
    ] = None,
    users_file: Annotated[
        Path | None, typer.Option("--users", metavar="FILE", help="Who may log in; see `groundcam users`.")
    ] = None,
    open_to_all: Annotated[
        bool | None, typer.Option("--open", help="Serve everybody who reaches the address, without keys.")
    ] = None,
    http_port: HttpPort = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Serve the console: a page with the live wall, questions, zones, events and health.

    It is `groundcam serve --console` in front of workers that run elsewhere, in a process of its own: who shows
    pictures reads frames from Kafka, while somebody looks.
    """
    settings = start(
        config, bootstrap_servers, log_format, log_level, http_port,
        serve__host=host, serve__port=port, serve__keys_file=keys_file, serve__users_file=users_file,
        serve__open=open_to_all, serve__console=True,
    )  # fmt: skip
    run_console(settings, config)


def run_console(settings: Settings, config: Path | None = None) -> None:
    """Serve the console until SIGTERM or Ctrl-C, and end the process. Raises KafkaProblem, SettingError."""
    require("console", "serve")
    with needs("console", "serve"):
        from groundcam.serving import serve_here
    stop = until_stopped()
    asyncio.run(serve_here(settings, __version__, stop, model=None, elsewhere=True, config=config))
    log.info("stopped")
    # A thread inside Kafka's client would keep the interpreter from ending.
    sum_up_all()
    logging.shutdown()
    os._exit(0)


def address(host: str, port: int, cameras: Collection[str] = ()) -> str:
    """Return where the console is; with cameras, a wall of these alone."""
    shown = f"[{host}]" if ":" in host else host
    wall = f"#/?wall={quote(','.join(sorted(cameras)), safe=',')}" if cameras else ""
    return f"http://{shown}:{port}/console/{wall}"
