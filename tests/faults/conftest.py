"""Rows of the table that the fault tests print at their end."""

import json
import os
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from kills import Row

FULL = "GROUNDCAM_TEST_FAULTS"
RESULTS = "GROUNDCAM_TEST_FAULTS_RESULTS"
ROWS: list[Row] = []
COLUMNS = ("fault", "faults", "frames", "answered once", "repeated", "in gaps", "dead-lettered", "missing",
           "recovery s, median / longest")  # fmt: skip


@pytest.fixture
def report() -> Callable[[Row], Row]:
    """Add a row to the table."""

    def add(row: Row) -> Row:
        ROWS.append(row)
        return row

    return add


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
    if not ROWS:
        return
    table = [COLUMNS, *map(cells, ROWS)]
    terminalreporter.section("faults, as the auditor judges them from the topics alone")
    widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
    for row in table:
        terminalreporter.write_line("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    if path := os.environ.get(RESULTS):
        Path(path).write_text(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in table[1:]], indent=2) + "\n")
