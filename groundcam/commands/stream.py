"""`groundcam stream`"""

import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start, until_stopped
from groundcam.durations import duration
from groundcam.testing.stream import FOR_SUBSCRIBERS, Stream
from groundcam.testing.stream import record as record_topics
from groundcam_runtime.settings import SettingError
from groundcam_schemas import Topics

app = typer.Typer(help="Keep what lies on Kafka in a file, and publish it again.", no_args_is_help=True)
NAMES = sorted(
    getattr(Topics(""), name) for name in dir(Topics) if not name.startswith("_") and name not in ("prefix", "tracks")
)


@app.command()
def record(
    file: Annotated[Path, typer.Argument(help="Where to keep it; an older file is replaced.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    topics: Annotated[
        list[str] | None,
        typer.Option(
            "--topic", metavar="NAME", help=f"Which topics, by default {', '.join(FOR_SUBSCRIBERS)}. Repeat it."
        ),
    ] = None,
    for_s: Annotated[
        float | None,
        typer.Option("--for", parser=duration(0.1), metavar="TIME", help="What comes within so long, until Ctrl-C."),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="At most so many records.")] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="What lies there, too; without --for and --count nothing else.")
    ] = False,
) -> None:
    """Write records of topics to a file, with keys, headers and times."""
    if strangers := [name for name in topics or () if name not in NAMES]:
        raise typer.BadParameter(f"--topic: there is no {strangers[0]}; there are {', '.join(NAMES)}")
    kafka = start(config, bootstrap_servers, log_level="warning").kafka
    end_s = time.monotonic() + for_s if for_s else None
    lies_there = from_beginning and for_s is None and count is None
    # What lies there has an end of its own, and Ctrl-C ends it as it ends any program.
    stop = threading.Event() if lies_there else until_stopped()

    def go_on(number: int) -> bool:
        is_over = stop.is_set() or (end_s is not None and time.monotonic() >= end_s)
        return not is_over and (count is None or number < count)

    try:
        number = record_topics(
            file, topics=topics or FOR_SUBSCRIBERS, go_on=None if lies_there else go_on,
            from_beginning=from_beginning, settings=kafka,
        )  # fmt: skip
    except OSError as error:
        raise SettingError(f"{file} cannot be written: {error.strerror}") from None
    print(f"{file}: {number} records", file=sys.stderr)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="What `record` has written.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Publish a file's records on the topics of their names, as fast as Kafka takes them.

    Topics have to exist: on a Kafka for tests, `groundcam topics ensure` creates them. Times stay as they were.
    """
    kafka = start(config, bootstrap_servers, log_level="warning").kafka
    try:
        stream = Stream.load(file)
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingError(str(error)) from None
    stream.publish(settings=kafka)
    print(f"{len(stream.records)} records are on {kafka.bootstrap_servers}", file=sys.stderr)
