"""Lengths of time as commands take them: `90`, `90s`, `1.5m`, `2h`, `3d` or `500ms`. Pure."""

import re
from collections.abc import Callable

import typer

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_in(text: str) -> float:
    """Read a length of time; a bare number is seconds. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|[smhd])?", text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is no length of time like 30s, 2m or 500ms")
    return float(match[1]) * SECONDS[match[2] or "s"]


def duration(least_s: float = 0.0, most_s: float | None = None) -> Callable[[str | float], float]:
    """Return what reads an option, from `least_s` to `most_s`, in seconds."""

    def read(given: str | float) -> float:
        try:
            seconds = seconds_in(given) if isinstance(given, str) else float(given)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        if seconds < least_s or (most_s is not None and seconds > most_s):
            upto = f" to {most_s:g} s" if most_s is not None else " s up"
            raise typer.BadParameter(f"{given} is not from {least_s:g}{upto}")
        return seconds

    return read
