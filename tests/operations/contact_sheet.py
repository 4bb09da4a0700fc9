"""Every panel of a dashboard in one picture, drawn from Prometheus' answers: to look at, without a Grafana."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, COLUMNS = 560, 300, 3
LEFT, TOP, RIGHT, BOTTOM = 62, 26, 10, 62
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")
MOST_IN_LEGEND = 9
STEP_S = 1.5
"""Points that are farther apart have a hole between them."""
FONT = ImageFont.load_default(12)

Line = tuple[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Plot:
    """One panel's lines, and the time of its fault."""

    title: str
    unit: str
    lines: Sequence[Line]
    shaded: tuple[float, float] | None


def draw(plots: Sequence[Plot], start: float, end: float, path: Path) -> None:
    rows = -(-len(plots) // COLUMNS)
    sheet = Image.new("RGB", (WIDTH * COLUMNS, HEIGHT * rows), "white")
    for number, plot in enumerate(plots):
        cell = _Cell(plot, start, end).picture
        sheet.paste(cell, (WIDTH * (number % COLUMNS), HEIGHT * (number // COLUMNS)))
    sheet.save(path)


class _Cell:
    """One panel's picture, and where values lie in it."""

    def __init__(self, plot: Plot, start: float, end: float) -> None:
        self.picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
        self._pen = ImageDraw.Draw(self.picture)
        self._start, self._end = start, end
        values = [value for _, points in plot.lines for _, value in points if math.isfinite(value)]
        self._low, self._high = min([0.0, *values]), max([*values, 1e-9])
        self._frame(plot)
        for number, (name, points) in enumerate(plot.lines):
            self._line(points, COLOURS[number % len(COLOURS)])
            self._name(number, name)
        if not values:
            self._pen.text((WIDTH // 2 - 30, HEIGHT // 2 - 20), "no data", fill="#d62728", font=FONT)

    def _x(self, at: float) -> float:
        return LEFT + (at - self._start) / (self._end - self._start) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self._low) / (self._high - self._low) * (HEIGHT - TOP - BOTTOM)

    def _frame(self, plot: Plot) -> None:
        pen, floor = self._pen, HEIGHT - BOTTOM
        if plot.shaded:
            pen.rectangle((self._x(plot.shaded[0]), TOP, self._x(plot.shaded[1]), floor), fill="#f3efe0")
        for step in range(5):
            value = self._low + (self._high - self._low) * step / 4
            pen.line((LEFT, self._y(value), WIDTH - RIGHT, self._y(value)), fill="#dddddd")
            pen.text((4, self._y(value) - 7), f"{value:.3g}", fill="#555555", font=FONT)
        for second in range(0, int(self._end - self._start), 60):
            pen.text((self._x(self._start + second), floor + 3), f"{second}s", fill="#999999", font=FONT)
        pen.text((6, 6), f"{plot.title} [{plot.unit}]", fill="black", font=FONT)

    def _line(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        previous: tuple[float, float] | None = None
        for at, value in points:
            if not math.isfinite(value):
                previous = None
                continue
            here = self._x(at), self._y(value)
            if previous is not None and at - previous[0] <= STEP_S:
                self._pen.line((self._x(previous[0]), self._y(previous[1]), *here), fill=colour, width=2)
            else:
                self._pen.rectangle((here[0] - 1, here[1] - 1, here[0] + 1, here[1] + 1), fill=colour)
            previous = at, value

    def _name(self, number: int, name: str) -> None:
        if number < MOST_IN_LEGEND:
            place = LEFT - 50 + number % 3 * 178, HEIGHT - BOTTOM + 18 + number // 3 * 14
            self._pen.text(place, f"- {name[:26]}", fill=COLOURS[number % len(COLOURS)], font=FONT)
