"""Is the worker of this checkout slower than that of another one? Both in turns, on one broker and the same frames.

Three things are compared: frame/s with a detector that waits, as `pipeline.py` has it; frame/s with one of 0 ms, which
is the loop's own ceiling; and at a steady rate the added latency. What counts is the ratio in each round: other work on
the machine hurts both.

    git worktree add /elsewhere COMMIT
    .venv/bin/python benchmarks/pair.py /elsewhere [--json FILE] [--rounds N]
"""

import argparse
import json
import statistics
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from arguments import above_zero
from machine import machine
from stations import added
from traffic import jpegs
from trials import preloaded, steady, undisturbed
from workers import options, own_broker, worker_command

ROOMS = ("schemas", "runtime", "producers", "worker", "events", "serve", ".")


def other_command(checkout: Path, wait_ms: float, batch: int) -> list[str]:
    """Return the command of another checkout's worker, with this one's installed packages."""
    path = ":".join(str(checkout / room) for room in ROOMS)
    return [
        "env",
        "-C",
        str(checkout),
        f"PYTHONPATH={path}",
        sys.executable,
        "-m",
        "groundcam",
        *options(wait_ms, batch),
    ]


def main() -> None:
    """Measure both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout of another commit")
    parser.add_argument("--wait-ms", type=float, default=5.0, help="the detector's wait at the steady rate")
    parser.add_argument("--rate", type=above_zero(float), default=100.0)
    parser.add_argument("--batch", type=above_zero(int), default=8)
    parser.add_argument("--frames", type=above_zero(int), default=2400)
    parser.add_argument("--seconds", type=above_zero(float), default=8.0)
    parser.add_argument("--rounds", type=above_zero(int), default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()

    other = chosen.other.resolve()
    commands = {"this": worker_command, "other": partial(other_command, other)}
    pictures = jpegs()
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    with own_broker() as broker:
        servers = broker.bootstrap_servers
        for number in range(chosen.rounds):
            for name in sorted(commands, reverse=number % 2 == 1):  # neither is always the first
                command = commands[name]
                full = undisturbed(partial(preloaded, servers, command(0, chosen.batch), chosen.frames, pictures))
                waiting = command(chosen.wait_ms, chosen.batch)
                busy = undisturbed(partial(preloaded, servers, waiting, chosen.frames, pictures))
                half = undisturbed(partial(steady, servers, waiting, chosen.rate, chosen.seconds, pictures))
                spread = added(half.arrivals, chosen.wait_ms)
                print(f"{name:5s} {busy.fps:6.1f} frame/s, ceiling {full.fps:6.1f}, cores {full.cores};"
                      f" at {chosen.rate:g} frame/s added {spread}, cores {half.cores}", flush=True)  # fmt: skip
                figures[name].append({"fps": round(busy.fps, 1), "ceiling_fps": round(full.fps, 1), "cores": full.cores,
                                      "added_ms": asdict(spread), "cores_at_rate": half.cores})  # fmt: skip
    ratios = {}
    for what in ("fps", "ceiling_fps"):
        each = [mine[what] / theirs[what] for mine, theirs in zip(figures["this"], figures["other"], strict=True)]
        ratios[what] = [round(one, 3) for one in each]
        print(f"this / other, {what}: {', '.join(f'{one:.3f}' for one in each)}; median {statistics.median(each):.3f}")
    if chosen.json:
        about = {"command": " ".join(["python", *sys.argv]), "machine": machine(), "rate_fps": chosen.rate,
                 "wait_ms": chosen.wait_ms, "batch": chosen.batch, "frames": chosen.frames}  # fmt: skip
        chosen.json.write_text(json.dumps(about | {"ratios": ratios, "rounds": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
