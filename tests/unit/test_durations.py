"""Lengths of time, as commands take them."""

import pytest
import typer

from groundcam.durations import duration, seconds_in


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("0.5", 0.5), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("3d", 259_200), ("500ms", 0.5), (" 7s ", 7)],
)
def test_a_length_of_time_is_a_number_with_or_without_a_unit(text: str, seconds: float) -> None:
    assert seconds_in(text) == pytest.approx(seconds)
    assert duration()(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "-1", "-1s", "1 s", "1e3", "inf", "nan", "1w", "1m30s", "٣s", "9" * 13, "0x10"]
)
def test_anything_else_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no length of time like 30s, 2m or 500ms"):
        duration()(text)


def test_what_is_out_of_range_is_told_with_the_range() -> None:
    read = duration(1, 480)
    assert read(20) == 20
    for given in ("0.5s", "9m", 481):
        with pytest.raises(typer.BadParameter, match=r"is not from 1 to 480 s$"):
            read(given)
    with pytest.raises(typer.BadParameter, match=r"is not from 5 s up$"):
        duration(5)("1s")
