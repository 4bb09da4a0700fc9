"""`groundcam audit`"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from groundcam.audit import RunReport, totals
from groundcam.audit import audit as audit_topics
from groundcam.commands.options import BootstrapServers, Config, start

COLUMNS = ("published", "detected", "dead_lettered", "in_gaps", "repeated", "missing")


def audit(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each run, and one for all.")] = False,
) -> None:
    """Read the topics and account for every frame; exit code 1 if one is missing."""
    settings = start(config, bootstrap_servers)
    reports = audit_topics(settings.kafka)
    total = totals(reports)
    if as_json:
        for one in [*reports, total]:
            print(json.dumps(asdict(one)))
    else:
        print(table([*reports, total]))
    if total.missing or total.conflicting_ids:
        raise typer.Exit(1)


def table(reports: list[RunReport]) -> str:
    """Return a table for people."""
    rows = [("camera", "run", *(name.replace("_", " ") for name in COLUMNS))]
    rows += [(one.camera_id, one.run_id, *(str(getattr(one, name)) for name in COLUMNS)) for one in reports]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    for one in reports:
        if one.missing_seqs:
            more = " and more" if one.missing > len(one.missing_seqs) else ""
            lines.append(f"missing of {one.camera_id} {one.run_id}: {', '.join(map(str, one.missing_seqs))}{more}")
        if one.conflicting_ids and one.camera_id != "total":
            lines.append(f"repeats with another id of {one.camera_id} {one.run_id}: {one.conflicting_ids}")
    return "\n".join(lines)
