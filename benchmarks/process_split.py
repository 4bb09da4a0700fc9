"""Does polling and decoding in a process of their own pay? The worker as it is, with threads, against a prototype.

Both answer the same frames on the same broker, in turns: with a detector of 0 ms (the loop's own ceiling), and at a
steady rate with one that waits (the added latency). What the prototype does stands in `split_worker.py`.

    .venv/bin/python benchmarks/process_split.py [--json FILE] [--rounds N]
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
from workers import HERE, options, own_broker, worker_command


def commands(wait_ms: float, batch: int) -> dict[str, list[str]]:
    """Return the two workers' commands."""
    return {
        "threads": worker_command(wait_ms, batch),
        "two processes": [sys.executable, str(HERE / "split_worker.py"), *options(wait_ms, batch)],
    }


def main() -> None:
    """Measure both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wait-ms", type=float, default=5.0, help="the detector's wait at the steady rate")
    parser.add_argument("--rate", type=above_zero(float), default=100.0)
    parser.add_argument("--batch", type=above_zero(int), default=8)
    parser.add_argument("--frames", type=above_zero(int), default=2400)
    parser.add_argument("--seconds", type=above_zero(float), default=8.0)
    parser.add_argument("--rounds", type=above_zero(int), default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()

    pictures = jpegs()
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in commands(0, 1)}
    with own_broker() as broker:
        servers = broker.bootstrap_servers
        for _ in range(chosen.rounds):
            for name, rows in figures.items():
                ceiling = commands(0, chosen.batch)[name]
                full = undisturbed(partial(preloaded, servers, ceiling, chosen.frames, pictures))
                waiting = commands(chosen.wait_ms, chosen.batch)[name]
                half = undisturbed(partial(steady, servers, waiting, chosen.rate, chosen.seconds, pictures))
                spread = added(half.arrivals, chosen.wait_ms)
                print(f"{name:14s} {full.fps:6.1f} frame/s, cores {full.cores}; at {chosen.rate:g} frame/s added"
                      f" {spread}, cores {half.cores}", flush=True)  # fmt: skip
                rows.append({"fps": round(full.fps, 1), "cores": full.cores, "added_ms": asdict(spread),
                             "cores_at_rate": half.cores})  # fmt: skip
    for name, rounds in figures.items():
        print(f"{name}: median {statistics.median(one['fps'] for one in rounds)} frame/s,"
              f" added {statistics.median(one['added_ms']['median'] for one in rounds)} ms")  # fmt: skip
    if chosen.json:
        about = {"command": " ".join(["python", *sys.argv]), "machine": machine(), "rate_fps": chosen.rate,
                 "wait_ms": chosen.wait_ms, "batch": chosen.batch, "frames": chosen.frames}  # fmt: skip
        chosen.json.write_text(json.dumps(about | {"rounds": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
