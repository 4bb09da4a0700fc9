"""Rows of the table that the fault tests print at their end."""

import os
import statistics
from collections.abc import Callable, Iterator

import pytest

from kills import Row
from table import PROPERTY

FULL = "GROUNDCAM_TEST_FAULTS"


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
    """Whether every fault is run as often as docs/promises.md says; `make test-faults` sets it."""
    return bool(os.environ.get(FULL))


def cells(row: Row) -> tuple[str, ...]:
    recovery = row.recovery_s
    took = f"{statistics.median(recovery):.1f} / {max(recovery):.1f}" if recovery else "-"
    numbers = (row.faults, row.frames, row.once, row.repeated, row.in_gaps, row.dead_lettered, row.missing)
    return row.fault, *(f"{number:,}" for number in numbers), took
