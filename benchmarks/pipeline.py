"""What Kafka, JPEG and Python cost: a worker end to end, with a detector that only waits.

Apache Kafka, the sender of frames, the worker and the subscriber are processes of their own on this machine. Shown are

throughput   frame/s with all frames there beforehand, against what the same detector does alone: `detect` on the same
             decoded pictures in batches, in a loop, before and after in the same run
latency      frames at half of that rate; time from the capture (which is the send) to the answer's arrival at a
             subscriber, less what the detector itself took for the batch, and where that time goes
cost         the worker's processor time for a frame, by thread and activity, at both loads
cores        how much of the processor every process used, and what other work on the machine used meanwhile; a trial
             is repeated where that was more than a quarter of a core

Kafka stamps records to a millisecond, cut off: what leads to Kafka seems half a millisecond shorter on average than
it is, what leads away from it longer.

    .venv/bin/python benchmarks/pipeline.py [--json FILE] [--rounds N]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from arguments import above_zero
from machine import machine, wait_for_quiet
from stations import Spread, added, own_waits, spread, stations
from traffic import CAMERAS, SIZE, jpegs
from trials import Trial, preloaded, steady, undisturbed
from workers import HERE, options, own_broker, worker_command

from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_schemas import Question
from groundcam_worker.detectors.fake import FakeDetector

ALONE_S = 4.0


def alone(wait_ms: float, batch: int, pictures: list[bytes]) -> float:
    """Return frame/s of the detector by itself, on decoded pictures."""
    detector, ask = FakeDetector(wait_ms / 1000), Question.of("person")
    images = [decode_jpeg(pictures[number % len(pictures)]) for number in range(batch)]
    rounds, began = 0, time.monotonic()
    while time.monotonic() < began + ALONE_S:
        detector.detect(images, [ask] * batch)
        rounds += 1
    return rounds * batch / (time.monotonic() - began)


def cost_command(wait_ms: float, batch: int, frames: int, target: Path) -> list[str]:
    """Return the command of a worker that accounts for its processor time in the middle of so many answers."""
    return [
        sys.executable, str(HERE / "cost.py"), str(frames // 5), str(frames - frames // 10), str(target),
        *options(wait_ms, batch),
    ]  # fmt: skip


def costs(servers: str, chosen: argparse.Namespace, rate: float, pictures: list[bytes]) -> dict[str, Any]:
    """Return microseconds a frame by thread and activity, at full and at half load."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for load in ("full load", "half load"):
            tried: list[tuple[Trial, Path]] = []
            frames = chosen.frames if load == "full load" else int(rate * (2 + chosen.seconds))

            def trial(load: str = load, frames: int = frames, tried: list[tuple[Trial, Path]] = tried) -> Trial:
                target = Path(folder) / f"{load} {len(tried)}"
                command = cost_command(chosen.wait_ms, chosen.batch, frames, target)
                if load == "full load":
                    done = preloaded(servers, command, frames, pictures)
                else:
                    done = steady(servers, command, rate, chosen.seconds, pictures)
                tried.append((done, target))
                return done

            counted = undisturbed(trial)
            found[load] = next(json.loads(target.read_text()) for done, target in tried if done is counted)
    return found


def measure(servers: str, chosen: argparse.Namespace, pictures: list[bytes]) -> dict[str, Any]:
    """Run every trial and return the figures."""
    command = worker_command(chosen.wait_ms, chosen.batch)
    rounds, half_load = [], []
    for number in range(chosen.rounds):
        before = alone(chosen.wait_ms, chosen.batch, pictures)
        full = undisturbed(partial(preloaded, servers, command, chosen.frames, pictures))
        wait_for_quiet()
        detector = (before + alone(chosen.wait_ms, chosen.batch, pictures)) / 2
        rounds.append((detector, full))
        print(f"round {number + 1}: worker {full.fps:.1f} frame/s, its detector alone {detector:.1f} frame/s,"
              f" {full.fps / detector:.1%}; cores {full.cores}")  # fmt: skip
        rate = before / 2
        half = undisturbed(partial(steady, servers, command, rate, chosen.seconds, pictures))
        half_load.append((rate, half))
        print(f"         added at {rate:.0f} frame/s: {added(half.arrivals, chosen.wait_ms)}; cores {half.cores}")
    rate = half_load[0][0]
    return {
        "throughput": [
            {"detector_fps": round(detector, 1), "worker_fps": round(full.fps, 1),
             "ratio": round(full.fps / detector, 3), "cores": full.cores}
            for detector, full in rounds
        ],
        "latency": [latency(trial, chosen.wait_ms, sent) for sent, trial in half_load],
        "cost_us": costs(servers, chosen, rate, pictures),
    }  # fmt: skip


def latency(trial: Trial, wait_ms: float, rate: float) -> dict[str, Any]:
    """Return the latency of one trial, in ms."""
    return {
        "load_fps": round(rate, 1),
        "added_ms": asdict(added(trial.arrivals, wait_ms)),
        "added_over_one_frame_ms": asdict(
            spread((one.arrived - one.captured) / 1e6 - wait_ms for one in trial.arrivals)
        ),
        "mean_batch": round(statistics.mean(own_waits(trial.arrivals, 1.0)), 2),
        "stations_ms": {name: asdict(value) for name, value in stations(trial.arrivals, wait_ms).items()},
        "cores": trial.cores,
    }


def show(figures: dict[str, Any]) -> None:
    """Print the tables: of the rounds, the one in the middle."""
    ratios = [one["ratio"] for one in figures["throughput"]]
    print(f"\nthroughput: {statistics.median(ratios):.1%} of the detector alone (rounds: {ratios})")
    middle = sorted(figures["latency"], key=lambda one: float(one["added_ms"]["median"]))[len(figures["latency"]) // 2]
    print(f"added latency at {middle['load_fps']} frame/s: {Spread(**middle['added_ms'])}; all rounds:"
          f" {[one['added_ms']['median'] for one in figures['latency']]}")  # fmt: skip
    for name, value in middle["stations_ms"].items():
        print(f"  {name:30s} {Spread(**value)}")
    for load, rows in figures["cost_us"].items():
        print(f"\nprocessor time of the worker at {load}, microseconds a frame")
        for thread, activity, value in rows:
            print(f"  {thread:20s} {activity:32s} {value:8.0f}")
        print(f"  {'together':53s} {sum(row[2] for row in rows):8.0f}")


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wait-ms", type=float, default=5.0, help="the detector's wait for a frame")
    parser.add_argument("--batch", type=above_zero(int), default=8)
    parser.add_argument("--frames", type=above_zero(int), default=2400)
    parser.add_argument("--seconds", type=above_zero(float), default=10.0, help="length of a latency run")
    parser.add_argument("--rounds", type=above_zero(int), default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()

    pictures = jpegs()
    print(f"{chosen.frames} frames of {SIZE[0]}x{SIZE[1]}, {len(pictures[0]) / 1000:.0f} KB each, {CAMERAS} cameras;"
          f" detector waits {chosen.wait_ms:g} ms a frame, batches of at most {chosen.batch}")  # fmt: skip
    with own_broker() as broker:
        figures = measure(broker.bootstrap_servers, chosen, pictures)
    show(figures)
    if chosen.json:
        about = {"command": " ".join(["python", *sys.argv]), "machine": machine(), "wait_ms": chosen.wait_ms,
                 "batch": chosen.batch, "frames": chosen.frames, "jpeg_bytes": len(pictures[0])}  # fmt: skip
        chosen.json.write_text(json.dumps(about | figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
