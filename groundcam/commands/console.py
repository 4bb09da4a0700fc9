"""`groundcam console`"""

from pathlib import Path
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, HttpPort, LogFormat, LogLevel, start
from groundcam.service_here import run_service


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
    run_service(settings, config)
