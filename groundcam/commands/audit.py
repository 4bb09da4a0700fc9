"""`groundcam audit`"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from groundcam.audit import RunReport, totals
from groundcam.audit import audit as audit_topics
from groundcam.commands.options import BootstrapServers, Config, start
from groundcam_runtime.printable import printable

COLUMNS = ("published", "detected", "dead_lettered", "in_gaps", "repeated", "missing")
WIDEST_NAME = 40
"""A key may be of any length, and each row is as wide as the widest."""


def audit(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each run, and one for all.")] = False,
) -> None:
    """Read the topics and account for every frame; exit code 1 if one is missing, or could not be judged."""
    settings = start(config, bootstrap_servers)
    reports = audit_topics(settings.kafka)
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
    return "\n".join(lines)


def _names(report: RunReport) -> tuple[str, str]:
    return _cut(report.camera_id), _cut(report.run_id)


def _cut(name: str) -> str:
    """Return a name that neither widens the table nor steers the terminal, whoever has written it."""
    return printable(name if len(name) <= WIDEST_NAME else f"{name[: WIDEST_NAME - 3]}...")
