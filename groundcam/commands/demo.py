"""`groundcam demo`"""

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from groundcam.commands.options import start, until_stopped
from groundcam.devkafka.broker import BrokerError
from groundcam.durations import duration
from groundcam.extras import needs

INTERRUPTED = 130


def demo(
    seconds: Annotated[
        float,
        typer.Option(
            parser=duration(1, 480),
            metavar="TIME",
            help="How long to watch.",
            show_default="20s",
        ),
    ] = 20,
    fps: Annotated[float, typer.Option(min=6, max=16, help="Frames a second of each camera.")] = 8,
    stay: Annotated[bool, typer.Option("--stay", help="Watch until Ctrl-C instead; then finish as usual.")] = False,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For the videos, the contact sheet and the logs.")] = Path(
        "demo-out"
    ),
    model: Annotated[str, typer.Option(help="demo, or any other that knows coloured shapes.")] = "demo",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object, as last line.")
    ] = False,
) -> None:
    """Show the whole path on this machine: two cameras, Kafka, a worker with a real model, the console."""
    start(None, log_level="error")
    with needs("demo", "demo"):
        from rich.console import Console

        from groundcam.demo.board import board
        from groundcam.demo.run import Stopped, run
        from groundcam.errors import PartError

    # What its client says of a broker that goes away, the demo says better.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    stop = until_stopped()
    console = Console()
    try:
        with board(console) as shown:
            outcome = run(shown, stop, seconds=None if stay else seconds, fps=fps, out=out, model=model)
    except Stopped:
        _say_stopped()
        raise typer.Exit(INTERRUPTED) from None
    except (BrokerError, PartError) as error:
        if stop.is_set():
            _say_stopped()
            raise typer.Exit(INTERRUPTED) from None
        raise PartError(f"{error}; everything else was stopped") from None
    print(text(outcome.figures))
    for path in outcome.files:
        print(f"  {path}")
    for fault in outcome.faults:
        print(f"not as promised: {fault}")
    if not outcome.faults:
        print("every frame is accounted for")
    if as_json:
        print(json.dumps(outcome.figures), flush=True)
    if outcome.faults:
        raise typer.Exit(1)


def _say_stopped() -> None:
    print("groundcam: stopped by you; nothing is left running")


def text(figures: dict[str, Any]) -> str:
    """Return the summary for people."""
    lines = []
    for one in figures["cameras"]:
        latency = one["latency_ms"]
        lines.append(
            f"{one['camera']}: {one['frames_detected']} of {one['frames_published']} frames answered,"
            f" {one['frames_in_gaps']} in gaps, {one['fps']} frame/s, {one['detections']} objects,"
            f" latency {_ms(latency['p50'])} (95 %: {_ms(latency['p95'])}),"
            f" precision {_part(one['precision'])}, recall {_part(one['recall'])}"
        )
        lines.append(_events(one["events"]))
    return "\n".join([*lines, "look at:"])


def _events(figures: dict[str, Any]) -> str:
    zones, crossed = figures["zone_entries"], figures["line_crossings"]
    return (
        f"    events: {figures['objects']} objects, {figures['new']} new, {figures['end']} ended,"
        f" {figures['identity_switches']} identity switches;"
        f" {_right(zones)} stays in zones, {_right(crossed)} crossings of lines,"
        f" dwell within {figures['dwell_error_s']:.2f} s"
    )


def _right(figures: dict[str, Any]) -> str:
    wrong = figures["told"] - figures["right"]
    return f"{figures['right']} of {figures['known']}{f' (and {wrong} wrong)' if wrong else ''}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _part(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
