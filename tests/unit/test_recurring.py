"""Lines that may come a million times: the first are written, the others counted."""

import logging

import pytest

from groundcam_runtime.recurring import EVERY_S, FIRST_LINES, MOST_KINDS, Kinds, Recurring


def test_the_first_lines_of_a_kind_are_written_and_the_others_counted() -> None:
    kinds = Kinds()
    written = [kinds.is_due("bad", now) for now in range(50)]
    assert written == [True] * FIRST_LINES + [False] * (50 - FIRST_LINES)
    assert kinds.ended(EVERY_S - 1) == []
    assert kinds.ended(EVERY_S) == [("bad", 50 - FIRST_LINES)]
    assert kinds.ended(EVERY_S) == []
    assert kinds.is_due("bad", EVERY_S)


def test_a_few_lines_need_no_sum() -> None:
    kinds = Kinds()
    assert all(kinds.is_due("bad", 0.0) for _ in range(FIRST_LINES))
    assert kinds.ended(EVERY_S) == []


def test_kinds_are_counted_apart_up_to_a_bound() -> None:
    kinds = Kinds()
    written = sum(kinds.is_due(f"kind {number}", 0.0) for number in range(100_000))
    assert written == MOST_KINDS + FIRST_LINES
    assert kinds.ended(EVERY_S) == [("of other kinds", 100_000 - written)]


def test_a_hundred_thousand_lines_are_a_few_and_a_sum(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    recurring = Recurring(logging.getLogger("recurring"), lambda: now)
    for number in range(100_000):
        recurring.warning("bad", "message %d is bad", number, topic="frames", offset=number)

    def lines() -> list[logging.LogRecord]:
        """Ours: threads of other tests of this process may still say something."""
        return [record for record in caplog.records if record.name == "recurring"]

    assert [line.getMessage() for line in lines()] == [f"message {n} is bad" for n in range(FIRST_LINES)]
    assert lines()[1].__dict__["offset"] == 1
    now = EVERY_S
    recurring.sum_up()
    assert lines()[-1].getMessage() == "99997 more like this were counted and not written (bad)"
