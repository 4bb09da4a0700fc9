"""Which mutants count: those whose death says something."""

import pytest

from mutants.left_out import File

SOURCE = """\
from dataclasses import dataclass

Number = tuple[int, ...] | whole.Number | None


@dataclass(frozen=True, slots=True)
class Room:
    size: int | None = 3


def check(size: int | None, most: int, *, log) -> int | None:
    if size is not None and size < most:
        raise ValueError(f"{size} of {most + 1} is too small, by {most - size}")
    log.warning(f"at {most * 2}")
    name = f"{most * 2}"
    return -most | 4
"""
ARITHMETIC, COMPARISON, UNARY = (
    "core/ReplaceBinaryOperator",
    "core/ReplaceComparisonOperator",
    "core/ReplaceUnaryOperator",
)


def reason(operator: str, before: str, after: str, line: str) -> str | None:
    """Why the mutant that changes `before` into `after` in a line is left out."""
    lines = SOURCE.splitlines(keepends=True)
    (number,) = (number for number, one in enumerate(lines) if line in one)
    column = lines[number].index(before, lines[number].index(line))
    lines[number] = lines[number][:column] + after + lines[number][column + len(before) :]
    return File(SOURCE).reason(operator, (number + 1, column), "".join(lines))


@pytest.mark.parametrize(
    ("operator", "before", "after", "line", "why"),
    [
        (f"{ARITHMETIC}_BitOr_BitAnd", "|", "&", "Number =", "annotation"),
        (f"{ARITHMETIC}_BitOr_BitAnd", "|", "&", "size: int | None = 3", "annotation"),
        (f"{ARITHMETIC}_BitOr_BitAnd", "|", "&", "size: int | None, most", "annotation"),
        (f"{ARITHMETIC}_BitOr_BitAnd", "|", "&", "-> int | None", "annotation"),
        (f"{ARITHMETIC}_Add_Sub", "+", "-", "raise ValueError", "text"),
        (f"{ARITHMETIC}_Mul_FloorDiv", "*", "//", "log.warning", "text"),
        (f"{ARITHMETIC}_Mul_Pow", "*", "**", "name =", "another replacement"),
        (f"{UNARY}_USub_Invert", "-", "~", "return -most", "taken away"),
        (f"{COMPARISON}_Lt_Is", "<", "is", "size < most", "interpreter"),
        ("core/ReplaceTrueWithFalse", "True", "False", "slots=True", "memory"),
        (f"{ARITHMETIC}_Mul_FloorDiv", "*", "//", "*, log", "no Python"),
        ("core/NumberReplacer", "3", " 3", "size: int | None = 3", "same program"),
    ],
)
def test_what_says_nothing_is_left_out(operator: str, before: str, after: str, line: str, why: str) -> None:
    assert why in (reason(operator, before, after, line) or "counts")


@pytest.mark.parametrize(
    ("operator", "before", "after", "line"),
    [
        ("core/NumberReplacer", "3", "4", "size: int | None = 3"),
        ("core/ReplaceTrueWithFalse", "True", "False", "frozen=True"),
        (f"{COMPARISON}_Lt_LtE", "<", "<=", "size < most"),
        (f"{COMPARISON}_IsNot_Is", "is not", "is", "size is not None"),
        (f"{ARITHMETIC}_Mul_FloorDiv", "*", "//", "name ="),
        (f"{ARITHMETIC}_BitOr_BitAnd", "|", "&", "return -most"),
        (f"{UNARY}_Delete_USub", "-", "", "return -most"),
    ],
)
def test_what_a_test_could_notice_counts(operator: str, before: str, after: str, line: str) -> None:
    assert reason(operator, before, after, line) is None
