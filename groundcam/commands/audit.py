"""`groundcam audit`"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from groundcam.audit import RunReport, totals
from groundcam.audit import audit as audit_topics
from groundcam.commands.options import BootstrapServers, Config, start
from groundcam.durations import duration
from groundcam.since import since_ms
from groundcam_runtime.printable import printable

COLUMNS = ("published", "detected", "dead_lettered", "in_gaps", "repeated", "in_flight", "missing")
WIDEST_NAME = 40
"""A key may be of any length, and each row is as wide as the widest."""


def audit(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    grace_s: Annotated[
        float,
        typer.Option(
            parser=duration(0, 86_400),
            metavar="TIME",
            help="What lies on Kafka for less, and is not answered yet, is in flight and not missing.",
            show_default="10s",
        ),
    ] = 10,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only frames since then: 90s, 15m, 2h, 3d, or an ISO time."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each run, and one for all.")] = False,
) -> None:
    """Read the topics and account for every frame.

    A frame's age is that of its record, by Kafka's time where the topic has append time, else by the sender's. Exit
    codes: 0 when every frame is accounted for or in flight; 1 when one is missing, answers contradict each other, or
    something could not be judged; 2 for a bad option or setting; 3 when Kafka refuses or does not answer.
    """
    begin_ms = _begin_ms(since)
    settings = start(config, bootstrap_servers)
    reports = audit_topics(settings.kafka, grace_s=grace_s, since_ms=begin_ms)
    total = totals(reports)
    if as_json:
        for one in [*reports, total]:
            print(json.dumps(asdict(one)))
    else:
        print(table([*reports, total]))
    if total.missing or total.conflicting_ids or total.not_judged:
        raise typer.Exit(1)


def table(reports: list[RunReport]) -> str:
    """Return a table for people."""
    rows = [("camera", "run", *(name.replace("_", " ") for name in COLUMNS))]
    rows += [(*_names(one), *(str(getattr(one, name)) for name in COLUMNS)) for one in reports]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    for one in reports:
        whose = " ".join(_names(one))
        if one.missing_seqs:
            more = " and more" if one.missing > len(one.missing_seqs) else ""
            lines.append(f"missing of {whose}: {', '.join(map(str, one.missing_seqs))}{more}")
        if one.conflicting_ids and one.camera_id != "total":
            lines.append(f"repeats with another id of {whose}: {one.conflicting_ids}")
        if one.not_judged and one.camera_id != "total":
            lines.append(
                f"records of further runs that are not judged, since there are too many names: {one.not_judged}"
            )
    return "\n".join([*lines, *_expired(reports[-1])])


def _expired(total: RunReport) -> Iterator[str]:
    """Say what Kafka has deleted by its retention, which is no loss by itself."""
    if total.expired:
        yield f"expired on Kafka, and judged by what was said of them: {total.expired} frames"
    if total.missing_expired:
        yield (
            f"of the missing, {total.missing_expired} are older than all frames of their run that are left:"
            " Kafka may have deleted them before anybody read them"
        )
    if total.begun_later:
        yield f"judged from the oldest answer on that is left, since others have expired: {total.begun_later} runs"


def _begin_ms(since: str | None) -> int | None:
    try:
        return since_ms(since, time.time()) if since else None
    except ValueError as error:
        raise typer.BadParameter(f"--since: {error}") from None


def _names(report: RunReport) -> tuple[str, str]:
    return _cut(report.camera_id), _cut(report.run_id)


def _cut(name: str) -> str:
    """Return a name that neither widens the table nor steers the terminal, whoever has written it."""
    return printable(name if len(name) <= WIDEST_NAME else f"{name[: WIDEST_NAME - 3]}...")
