"""`groundcam probe`"""

from pathlib import Path
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start, until_stopped
from groundcam.durations import duration
from groundcam.http_probe import NotServedError, Service, probe_service
from groundcam.probe import probe as probe_partitions
from groundcam_runtime.question_text import parse_question
from groundcam_runtime.settings import KafkaSettings, SettingError
from groundcam_schemas import Question


def probe(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    timeout_s: Annotated[
        float,
        typer.Option(
            "--timeout",
            parser=duration(1, 3600),
            metavar="TIME",
            help="How long to wait for answers.",
            show_default="60s",
        ),
    ] = 60,
    question: Annotated[str, typer.Option(help="What to ask about the picture that is sent.")] = "red circle",
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Ask the HTTP service there, as https://groundcam.example:8000, not Kafka."),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="File with the service's key for us.")
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The very certificate (PEM) that the service has to show, whatever its names."
        ),
    ] = None,
) -> None:
    """Send a picture to each partition and wait for its answer; exit code 1 when one is not answered.

    The picture, a red circle and a blue square, is sent as camera `groundcam-probe` with a question of its own. With
    --url it goes to the HTTP service instead.
    """
    settings = start(config, bootstrap_servers, log_level="warning")
    _, asked = parse_question(question)
    if url is None and (key_file or certificate):
        raise SettingError("--key and --certificate are of use with --url only")
    if url is None:
        _probe_kafka(settings.kafka, asked, timeout_s)
        return
    stop = until_stopped()
    try:
        print(probe_service(Service(url, _key_in(key_file), certificate), question, timeout_s, wait=stop.wait))
    except NotServedError as error:
        print(error)
        raise typer.Exit(1) from None


def _probe_kafka(kafka: KafkaSettings, asked: Question, timeout_s: float) -> None:
    stop = until_stopped()
    answered, failed = 0, 0
    for one in probe_partitions(kafka, asked, timeout_s, go_on=lambda: not stop.is_set()):
        print(one, flush=True)
        answered, failed = answered + one.is_answered, failed + (not one.is_answered)
    if failed:
        print(f"{failed} of {answered + failed} partitions have nobody who answers in time")
        raise typer.Exit(1)
    print(f"all {answered} partitions are answered")


def _key_in(path: Path | None) -> str | None:
    """Return the key in a file. Raises SettingError, whose sentence shows nothing of it."""
    if path is None:
        return None
    try:
        key = path.read_text("ascii").strip()
    except OSError as error:
        raise SettingError(f"--key: {path}: {error.strerror}") from None
    except ValueError:
        key = ""
    if not key or any(not " " < character <= "~" for character in key):
        raise SettingError(f"--key: {path} holds no key")
    return key
