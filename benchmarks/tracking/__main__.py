"""Measure trackers; see the package's docstring."""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tracking
from tracking import films, real, traffic, ways
from tracking.figures import figures, track

RATES = {"s": (1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 25.0), "r": (2.0, 3.0, 5.0, 8.0, 25.0)}
SEEDS = {"s": (20, 21, 22, 23), "r": (20, 21, 22, 23, 24)}
VERSIONS = ("trackers", "supervision", "trackeval", "numpy", "scipy")
COLUMNS = ("frame/s", "tracker", "HOTA", "IDF1", "MOTA", "switches", "tracks", "objects", "ms a frame")
TITLES = {"s": "harness s, invented traffic", "r": "harness r, TUD-Stadtmitte and TUD-Campus"}
Films = Callable[[int, float], list[films.Film]]


def seeds(text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as 0-3 or 20,22."""
    parts = [part.partition("-") for part in text.split(",")]
    found = tuple(number for low, _, high in parts for number in range(int(low), int(high or low) + 1))
    if not found:
        raise ValueError(text)
    return found


def rates(text: str) -> tuple[float, ...]:
    """Return frames a second, all above 0."""
    found = tuple(float(part) for part in text.split(","))
    if min(found) <= 0:
        raise ValueError(text)
    return found


def trackers(text: str) -> tuple[str, ...]:
    """Return known trackers."""
    found = tuple(text.split(","))
    if unknown := [name for name in found if name not in ways.NAMES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(ways.NAMES)}")
    return found


def makers(names: Sequence[str]) -> dict[str, Callable[[float], ways.Step]]:
    """Return the trackers that there are; the others are told on stderr."""
    found = {}
    for name in names:
        try:
            found[name] = ways.maker(name)
        except ways.MissingError as missing:
            print(f"{name} is left out: {missing}", file=sys.stderr, flush=True)
    return found


def rows(chosen: argparse.Namespace) -> Iterable[dict[str, Any]]:
    """Measure every tracker on the same films, rate by rate."""
    if not (found := makers(chosen.trackers)):
        return
    for harness in "sr" if chosen.harness == "both" else chosen.harness:
        make = _films(harness, chosen)
        for rate in chosen.rates or RATES[harness]:
            shown = [film for seed in chosen.seeds or SEEDS[harness] for film in make(seed, rate)]
            if chosen.one_label:
                shown = [_one_label(film) for film in shown]
            for name, maker in found.items():
                began = time.monotonic()
                got = figures([track(film, maker(film.rate)) for film in shown])
                row = {"harness": harness, "rate": round(shown[0].rate, 2), "tracker": name, **got}
                print(
                    f"{harness}, {row['rate']:g} frame/s, {name}: HOTA {row['hota']:.1f}, IDF1 {row['idf1']:.1f}, "
                    f"{time.monotonic() - began:.1f} s",
                    file=sys.stderr, flush=True,
                )  # fmt: skip
                yield row


def _films(harness: str, chosen: argparse.Namespace) -> Films:
    if harness == "s":
        return lambda seed, rate: [traffic.film(seed, rate, chosen.seconds)]
    marked = real.tracks(chosen.wheel)
    return lambda seed, rate: real.films(marked, seed, rate)


def _one_label(film: films.Film) -> films.Film:
    return replace(film, looks=[replace(look, labels=("object",) * len(look.labels)) for look in film.looks])


def table(measured: Sequence[dict[str, Any]]) -> str:
    """Return the rows as tables in Markdown, one for each harness."""
    lines: list[str] = []
    for harness in dict.fromkeys(row["harness"] for row in measured):
        lines += ["", TITLES[harness], "", f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
        for row in (row for row in measured if row["harness"] == harness):
            shares = (f"{row[name]:.1f}" for name in ("hota", "idf1", "mota"))
            counts = (str(row[name]) for name in ("switches", "tracks", "objects"))
            cells = (f"{row['rate']:g}", row["tracker"], *shares, *counts, f"{row['ms_a_frame']:.2f}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine() -> str:
    """Return the processor's name and the number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, platform.machine())}, {os.cpu_count()} cores"


def main() -> int:
    """Measure, print, and write JSON if asked to; exit code 1 where no tracker could be run."""
    parser = argparse.ArgumentParser(
        "python -m tracking", description=tracking.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--harness", choices=("s", "r", "both"), default="both")
    parser.add_argument("--rates", type=rates, help="frames a second, such as 2,5; else those of each harness")
    parser.add_argument("--seeds", type=seeds, help="such as 0-3; else 20-23 for harness s and 20-24 for r")
    parser.add_argument("--trackers", type=trackers, default=ways.NAMES, help=",".join(ways.NAMES))
    parser.add_argument("--seconds", type=float, default=traffic.SECONDS, help="length of harness s's films")
    parser.add_argument("--one-label", action="store_true", help="give every box the same label")
    parser.add_argument("--wheel", type=Path, default=real.WHEEL, help="the wheel of motmetrics 1.4.0")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    began, measured = time.monotonic(), list(rows(chosen))
    about = {
        "command": " ".join(["python -m tracking", *sys.argv[1:]]), "machine": machine(),
        "python": platform.python_version(), "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
        "settings": ways.SETTINGS, "seconds": round(time.monotonic() - began, 1),
        "seeds": {name: chosen.seeds or default for name, default in SEEDS.items()},
    }  # fmt: skip
    print(f"{about['machine']}, {about['seconds']:.0f} s{table(measured)}")
    if chosen.json:
        chosen.json.write_text(json.dumps(about | {"rows": measured}, indent=1) + "\n")
    return 0 if measured else 1


if __name__ == "__main__":
    sys.exit(main())
