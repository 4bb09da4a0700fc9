"""The table that the fault tests print at the end of a run, also where they ran in several processes."""

import json
import os
from pathlib import Path

import pytest

RESULTS = "GROUNDCAM_TEST_FAULTS_RESULTS"
PROPERTY = "fault"
COLUMNS = ("fault", "faults", "frames", "answered once", "repeated", "in gaps", "dead-lettered", "missing",
           "recovery s, median / longest")  # fmt: skip


def show(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests have reported, and write it to a file if one is named."""
    reports = [one for outcome in ("passed", "failed", "error", "") for one in terminalreporter.stats.get(outcome, ())]
    rows = [
        tuple(value)
        for one in reports
        if getattr(one, "when", "") == "teardown"
        for name, value in one.user_properties
        if name == PROPERTY
    ]
    if not rows:
        return
    table = [COLUMNS, *rows]
    terminalreporter.section("faults, as the auditor judges them from the topics alone")
    widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
    for row in table:
        terminalreporter.write_line("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    if path := os.environ.get(RESULTS):
        Path(path).write_text(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2) + "\n")
