"""`groundcam topics`"""

from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start
from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted

app = typer.Typer(help="The topics on Kafka.", no_args_is_help=True)


@app.command("ensure")
def ensure(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    partitions: Annotated[
        int,
        typer.Option(min=1, max=10_000, help="Partitions of frames and detections: at least one per worker."),
    ] = 4,
    replication: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="Copies of each partition.", show_default="the broker's own"),
    ] = None,
    max_message_bytes: Annotated[
        int, typer.Option(min=64 * 1024, max=16 * MIB, help="Largest frame that Kafka takes.")
    ] = 4 * MIB,
) -> None:
    """Create the topics that are missing, and say what is wrong with those that are there."""
    settings = start(config, bootstrap_servers)
    admin = TopicAdmin(settings.kafka)
    try:
        for line in admin.ensure(wanted(settings.kafka.topics, partitions, max_message_bytes), replication):
            print(line)
    finally:
        admin.close()


@app.callback()
def _group() -> None:
    """Keep `ensure` a command of its own, as there will be others."""
