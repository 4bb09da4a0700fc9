"""What the demo shows while it runs: a live table in a terminal, plain lines elsewhere."""

from collections.abc import Mapping
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from groundcam.demo.tally import CameraTally, quantile
from groundcam_runtime.printable import printable

LINE_EVERY_S = 5.0
COLUMNS = ("camera", "state", "frames", "objects found", "frame/s", "latency p50", "p95")


class Board(Protocol):
    """Shows what is going on."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def show(self, tallies: Mapping[str, CameraTally], now_ns: int) -> None:
        """Show the figures of this moment."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


def board(console: Console) -> Board:
    """Return the board that fits where the output goes."""
    return LiveBoard(console) if console.is_terminal else LineBoard(console)


class LiveBoard:
    """A table that changes in its place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8, transient=False)

    def say(self, text: str) -> None:
        """Print above the table."""
        self._live.console.print(text, highlight=False, markup=False)

    def show(self, tallies: Mapping[str, CameraTally], now_ns: int) -> None:
        """Redraw the table."""
        table = Table(title="what a subscriber receives", title_justify="left", expand=False)
        for column in COLUMNS:
            table.add_column(column, justify="left" if column in COLUMNS[:2] + COLUMNS[3:4] else "right")
        for camera, tally in tallies.items():
            table.add_row(*cells(camera, tally, now_ns))
        self._live.update(table)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()


class LineBoard:
    """A line for each camera, every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_ns: int | None = None

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, tallies: Mapping[str, CameraTally], now_ns: int) -> None:
        """Print the figures, now and then."""
        if self._last_ns is None:
            self._last_ns = now_ns
        if now_ns - self._last_ns < LINE_EVERY_S * 1e9:
            return
        self._last_ns = now_ns
        for camera, tally in tallies.items():
            _, state, frames, objects, rate, p50, p95 = cells(camera, tally, now_ns)
            self.say(f"{camera}: {state}, {frames} frames, {rate} frame/s, latency {p50} (95 %: {p95}): {objects}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to take down."""


def cells(camera: str, tally: CameraTally, now_ns: int) -> tuple[str, ...]:
    """Return a row of the table."""
    recent = tally.latencies_s[-200:]
    found = ", ".join(f"{number} {printable(label)}" for label, number in sorted(tally.labels.items()))
    return (
        camera,
        tally.state,
        str(tally.frames),
        found or "none yet",
        f"{tally.rate_now(now_ns):.1f}",
        _ms(quantile(recent, 0.5)),
        _ms(quantile(recent, 0.95)),
    )


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
