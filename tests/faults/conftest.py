"""Rows of the table that the fault tests print at their end."""

import json
import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kills import Row

FULL = "GROUNDCAM_TEST_FAULTS"
RESULTS = "GROUNDCAM_TEST_FAULTS_RESULTS"
PROPERTY = "fault"
COLUMNS = ("fault", "faults", "frames", "answered once", "repeated", "in gaps", "dead-lettered", "missing",
           "recovery s, median / longest")  # fmt: skip


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Iterator[Callable[[Row], Row]]:
    """Add a row to the table, as it stands when the test ends."""
    rows: list[Row] = []

    def add(row: Row) -> Row:
        rows.append(row)
        return row

    yield add
    for row in rows:
        record_property(PROPERTY, cells(row))


@pytest.fixture
def full() -> bool:
    """Whether every fault is run as often as the README says; `make test-faults` sets it."""
    return bool(os.environ.get(FULL))


def cells(row: Row) -> tuple[str, ...]:
    recovery = row.recovery_s
    took = f"{statistics.median(recovery):.1f} / {max(recovery):.1f}" if recovery else "-"
    numbers = (row.faults, row.frames, row.once, row.repeated, row.in_gaps, row.dead_lettered, row.missing)
    return row.fault, *(f"{number:,}" for number in numbers), took


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for outcome in ("passed", "failed", "error", "") for one in terminalreporter.stats.get(outcome, ())]
    rows = [
        tuple(value)
        for one in reports
        if one.when == "teardown"
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
