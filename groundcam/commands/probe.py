"""`groundcam probe`"""

from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start, until_stopped
from groundcam.probe import probe as probe_partitions
from groundcam_runtime.question_text import parse_question


def probe(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=1, max=3600, metavar="SECONDS", help="How long to wait for answers.")
    ] = 60,
    question: Annotated[str, typer.Option(help="What to ask about the picture that is sent.")] = "red circle",
) -> None:
    """Send a picture to each partition and wait for its answer; exit code 1 when one is not answered.

    The picture, a red circle and a blue square, is sent as camera `groundcam-probe` with a question of its own.
    """
    settings = start(config, bootstrap_servers, log_level="warning")
    _, asked = parse_question(question)
    stop = until_stopped()
    answered, failed = 0, 0
    for one in probe_partitions(settings.kafka, asked, timeout_s, go_on=lambda: not stop.is_set()):
        print(one, flush=True)
        answered, failed = answered + one.is_answered, failed + (not one.is_answered)
    if failed:
        print(f"{failed} of {answered + failed} partitions have nobody who answers in time")
        raise typer.Exit(1)
    print(f"all {answered} partitions are answered")
