"""`groundcam produce`"""

import logging
import signal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from groundcam import __version__
from groundcam.commands.options import (
    BootstrapServers,
    Config,
    HttpPort,
    LogFormat,
    LogLevel,
    pairs,
    paths,
    start_with,
    until_stopped,
)
from groundcam.extras import needs
from groundcam.settings import Settings, load, variable_layers
from groundcam_producers.settings import CameraSettings, ProduceSettings
from groundcam_producers.settings_watch import Reading, WatchedFile
from groundcam_runtime.settings import SettingError
from groundcam_runtime.signals import on_signal

log = logging.getLogger(__name__)


def produce(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=URL", help="A camera (rtsp://, rtsps://), a video file or a folder of pictures."),
    ] = None,
    password_file: Annotated[
        list[str] | None, typer.Option(metavar="ID=FILE", help="File with a camera's password.")
    ] = None,
    password_env: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=NAME", help="Environment variable with a camera's password."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Look after the I-th of N parts of the cameras, from 0.", show_default="all"),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Look after this camera of the settings only. Repeat it.")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second of each camera.", show_default="5")] = None,
    max_size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Scale larger pictures down to this.", show_default="960x544"),
    ] = None,
    quality: Annotated[int | None, typer.Option(help="JPEG quality.", show_default="85")] = None,
    every_frame: Annotated[
        bool | None,
        typer.Option("--every-frame", help="Publish every frame of files, as fast as Kafka takes them."),
    ] = None,
    loop: Annotated[bool | None, typer.Option("--loop", help="Play files again and again.")] = None,
    partitioner: Annotated[
        str | None, typer.Option(help="balanced over the partitions, or by key.", show_default="balanced")
    ] = None,
    http_port: HttpPort = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Publish frames of cameras and files on Kafka."""
    urls = pairs("--camera", camera)
    files = pairs("--password-file", password_file)
    variables = pairs("--password-env", password_env)
    for option, named in (("--password-file", files), ("--password-env", variables)):
        if strangers := sorted(set(named) - set(urls)):
            raise typer.BadParameter(f"{option}: there is no --camera {strangers[0]}")
    cameras: dict[str, dict[str, Any]] = {}
    for name, url in urls.items():
        given = {"url": url, "password_file": files.get(name), "password_env": variables.get(name)}
        cameras[name] = {option: value for option, value in given.items() if value is not None}
    given = paths(
        bootstrap_servers, log_format, log_level, http_port,
        produce__cameras=cameras or None, produce__fps=fps, produce__max_size=max_size, produce__quality=quality,
        produce__shard=shard, produce__only=tuple(only) if only else None,
        produce__every_frame=every_frame, produce__loop=loop, produce__partitioner=partitioner,
    )  # fmt: skip
    # Before it is read: what is written into it from now on is seen.
    file = WatchedFile(config) if config else None
    settings = _with_cameras(start_with(config, given))
    for name, url in urls.items():
        if settings.produce.cameras[name].is_live and _shows_secrets(url):
            log.warning(
                "camera %s: its password is on the command line, where `ps` shows it to everybody;"
                " use --password-file or --password-env",
                name,
            )
    _check(settings.produce)
    with needs("produce", "producer"):
        from groundcam_producers.run import run

    stop = until_stopped()
    # The environment is read once: where processes are started it is without groundcam's variables for a moment.
    environment = variable_layers()
    reading = Reading(file, lambda: _with_cameras(load(config, given, environment))) if file else None
    if reading:
        on_signal((signal.SIGHUP,), reading.asked.set)
    parts = (settings.produce, settings.kafka, settings.http, settings.log, settings.trace)
    if not run(*parts, __version__, stop, reading):
        raise typer.Exit(1)


def _with_cameras(settings: Settings) -> Settings:
    """Raise SettingError for settings without a camera, as those of a file that is being written."""
    if not settings.produce.cameras:
        raise SettingError("produce.cameras: there is no camera; use --camera gate=rtsp://host/stream")
    return settings


def _shows_secrets(url: str) -> bool:
    """Whether a URL has a password, or a query, in which cameras take tokens."""
    parts = urlsplit(url)
    return bool(parts.password or parts.query)


def _check(settings: ProduceSettings) -> None:
    """Find missing files and passwords before anything is started. Raises SettingError, in a job.

    A producer that goes on for ever looks after its other cameras, where it has any, and tries these again.
    """
    cameras = settings.own_cameras
    problems = {name: problem for name, one in cameras.items() if (problem := _problem(one))}
    by_hand = settings.shard is None and settings.only is None
    gives_up = settings.is_job or (by_hand and len(problems) == len(cameras))
    for name, one in cameras.items():
        if one.scheme == "rtsps" and not one.tls_verify and one.tls_fingerprint is None:
            log.warning(
                "camera %s: its certificate is not verified: whoever stands in between gets its login",
                name, extra={"camera": name},
            )  # fmt: skip
    for name, problem in problems.items():
        if gives_up:
            raise SettingError(f"produce.cameras.{name}.{problem}")
        log.warning("camera %s: %s; it is tried again and again", name, problem, extra={"camera": name})


def _problem(camera: CameraSettings) -> str | None:
    url = camera.url.get_secret_value()
    if not camera.is_live and not Path(url).exists():
        return f"url: there is no file or folder {url.rpartition('@')[2]}"
    try:
        camera.full_url()
    except SettingError as error:
        return str(error)
    return None
