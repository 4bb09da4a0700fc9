"""`groundcam serve`"""

import logging
from pathlib import Path
from typing import Annotated

import typer

from groundcam.commands.options import Config, HttpPort, LogFormat, LogLevel, start
from groundcam.extras import PACKAGES, require
from groundcam.service_here import run_service

log = logging.getLogger(__name__)


def serve(
    config: Config = None,
    bootstrap_servers: Annotated[
        str | None,
        typer.Option(
            help="Kafka brokers whose workers answer, host:port,host:port.",
            show_default="those of the file or the variables; else a Kafka of its own",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Run a worker with this model, too: tiny, base, demo, a folder, a Hub id, or fake:5ms.",
            show_default="tiny with a Kafka of its own, else none",
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
    keys_file: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help="Who may do what; see `groundcam keys`.")
    ] = None,
    users_file: Annotated[
        Path | None, typer.Option("--users", metavar="FILE", help="Who may log in; see `groundcam users`.")
    ] = None,
    open_to_all: Annotated[
        bool | None,
        typer.Option("--open", help="Serve everybody who reaches the address, without keys and without a login."),
    ] = None,
    console: Annotated[
        bool | None,
        typer.Option("--console/--no-console", help="Serve the console.", show_default="with a Kafka of its own"),
    ] = None,
    http_port: HttpPort = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Serve Grounding DINO over HTTP: pictures and a question go in, boxes come out.

    By itself it starts all that it needs on this machine: an Apache Kafka, a worker, and the service. With
    --bootstrap-servers it is a light service in front of workers that run elsewhere.
    """
    settings = start(
        config, bootstrap_servers, log_format, log_level, http_port,
        serve__host=host, serve__port=port, serve__keys_file=keys_file, serve__users_file=users_file,
        serve__open=open_to_all, serve__console=console,
    )  # fmt: skip
    elsewhere = "bootstrap_servers" in settings.kafka.model_fields_set
    require("serve", "serve")
    if not elsewhere:
        require("serve without --bootstrap-servers", "broker")
    if model is not None or not elsewhere:
        is_fake = (model or "").partition(":")[0] == "fake"
        require("serve --model", "worker", ("cv2", "numpy") if is_fake else PACKAGES["worker"])
    run_service(settings, config, what="serve", model=model, elsewhere=elsewhere)
