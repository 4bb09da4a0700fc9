"""`groundcam track`"""

import logging
import os
import threading
from typing import Annotated

import typer

from groundcam import __version__
from groundcam.commands.options import BootstrapServers, Config, HttpPort, LogFormat, LogLevel, start, until_stopped
from groundcam.durations import duration
from groundcam.extras import needs
from groundcam_runtime.recurring import sum_up_all

log = logging.getLogger(__name__)

LONGEST_STOP_S = 25.0
"""A stopping tracker that hangs ends itself; what ends it by force must wait longer."""


def track(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Consumer group; its members share the cameras.",
            show_default="groundcam-tracker, after the topics' prefix",
        ),
    ] = None,
    instance_id: Annotated[str | None, typer.Option(help="Name of this tracker, kept over restarts.")] = None,
    from_beginning: Annotated[
        bool | None,
        typer.Option("--from-beginning", help="A new group begins with the oldest answers, not with those that come."),
    ] = None,
    checkpoint_s: Annotated[
        float | None,
        typer.Option(parser=duration(), metavar="TIME", help="How often states are kept.", show_default="5s"),
    ] = None,
    transactional: Annotated[
        bool | None,
        typer.Option("--transactional", help="Events and offsets in one transaction; needs --instance-id."),
    ] = None,
    pictures: Annotated[
        bool | None, typer.Option("--pictures/--no-pictures", help="Keep each object's best picture.")
    ] = None,
    json_events: Annotated[bool | None, typer.Option("--json-events", help="Publish JSON instead of msgpack.")] = None,
    http_port: HttpPort = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Follow objects through the answers, and tell of each: new, what it does, end."""
    settings = start(
        config, bootstrap_servers, log_format, log_level, http_port,
        track__group=group, track__instance_id=instance_id, track__checkpoint_s=checkpoint_s,
        track__pictures=pictures, track__from_beginning=from_beginning, track__json_events=json_events,
        track__transactional=transactional,
    )  # fmt: skip
    with needs("track", "events"):
        from groundcam_events.run import run
    wake = threading.Event()
    stop = until_stopped(wake)
    threading.Thread(target=_end_in_time, args=(stop,), name="last-resort", daemon=True).start()
    finished = run(settings.track, settings.kafka, settings.http, __version__, stop, wake)
    log.info("stopped%s", "" if finished else "; what was not kept is read again by the next tracker")
    sum_up_all()
    logging.shutdown()
    os._exit(0)


def _end_in_time(stop: threading.Event) -> None:
    stop.wait()
    threading.Event().wait(LONGEST_STOP_S)
    os._exit(1)
