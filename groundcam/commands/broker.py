"""`groundcam broker`"""

from pathlib import Path
from typing import Annotated

import typer

from groundcam.commands.options import until_stopped
from groundcam.devkafka.broker import BrokerError, EmbeddedBroker


def broker(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")] = 9092,
    nodes: Annotated[int, typer.Option(help="1, or 3 for a cluster with replication.")] = 1,
    folder: Annotated[
        Path | None, typer.Option("--data", help="Keep the data here.", show_default="removed at the end")
    ] = None,
) -> None:
    """Run an Apache Kafka on loopback for first steps, from pip packages. Never for production."""
    if nodes not in (1, 3):
        raise typer.BadParameter("--nodes is 1 or 3")
    stop = until_stopped()
    with EmbeddedBroker(nodes=nodes, port=port or None, folder=folder, say=print) as running:
        print(f"Apache Kafka answers on {running.bootstrap_servers}; Ctrl-C stops it", flush=True)
        while not stop.wait(0.5):
            if (lines := running.died()) is not None:
                raise BrokerError(f"Apache Kafka ended by itself; the end of its log: {lines}")
    print("stopped")
