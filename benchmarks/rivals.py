"""The worker beside the same job on Quix Streams and on FastStream: same broker, same frames, in turns, in one run.

Every program batches at most 8 frames, reads JPEGs in two threads, waits as long for the detector,
publishes the same message, and commits offsets only when Kafka has acknowledged the answers. What each guarantees
stands in `rivals/quix_streams.py` and `rivals/fast_stream.py`; both sit on librdkafka, which is written in C. Shown are
frame/s with all frames there beforehand, with a detector that waits and with one that does not, and the added latency
at a steady rate. groundcam's worker waits for no batch to fill up while its detector is idle; the others, which do,
are put to the latency trial with each of two waits, and the better one counts.

    make benchmark-rivals [ARGS="--rounds 3 --json FILE"]
"""

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from arguments import above_zero
from machine import machine
from stations import Spread, added, own_waits
from traffic import jpegs
from trials import Trial, preloaded, steady, undisturbed
from workers import HERE, own_broker, worker_command

import groundcam_runtime
import groundcam_schemas
import groundcam_worker

BATCH = 8
BATCH_WAITS_MS = (10.0, 1.0)
PYTHON = HERE.parent / ".venv-rivals" / "bin" / "python"
NAMES = ("groundcam", "Quix Streams", "FastStream")
SCRIPTS = {"Quix Streams": "quix_streams.py", "FastStream": "fast_stream.py"}
PACKAGES = (groundcam_schemas, groundcam_runtime, groundcam_worker)
OURS = ":".join(str(Path(str(package.__file__)).parents[1]) for package in PACKAGES)
"""What `rivals/job.py` needs of ours, and nothing else of it."""


def command_of(name: str, wait_ms: float, batch_wait_ms: float) -> tuple[list[str], dict[str, str]]:
    """Return a program's command and variables."""
    if name == "groundcam":
        return worker_command(wait_ms, BATCH), {}
    variables = {"PYTHONPATH": OURS, "RIVALS_BATCH_WAIT_MS": f"{batch_wait_ms:g}"}
    return [str(PYTHON), "-W", "ignore", str(HERE / "rivals" / SCRIPTS[name]), str(wait_ms)], variables


def measure(servers: str, name: str, chosen: argparse.Namespace, pictures: list[bytes]) -> dict[str, Any]:
    """Put one program to every trial."""
    row: dict[str, Any] = {}
    for title, wait_ms in (("fps_waiting", chosen.wait_ms), ("fps_not_waiting", 0.0)):
        command, variables = command_of(name, wait_ms, max(BATCH_WAITS_MS))
        full = undisturbed(partial(preloaded, servers, command, chosen.frames, pictures, variables))
        row |= {title: round(full.fps, 1), f"cores_{title}": full.cores}
    tried: list[tuple[float, float, Trial]] = []
    for batch_wait_ms in BATCH_WAITS_MS if name in SCRIPTS else (0.0,):
        command, variables = command_of(name, chosen.wait_ms, batch_wait_ms)
        half = undisturbed(partial(steady, servers, command, chosen.rate, chosen.seconds, pictures, variables))
        tried.append((float(added(half.arrivals, chosen.wait_ms).median), batch_wait_ms, half))
    _, batch_wait_ms, half = min(tried, key=lambda one: one[0])
    batch = statistics.mean(own_waits(half.arrivals, 1.0))
    return row | {
        "added_ms": asdict(added(half.arrivals, chosen.wait_ms)), "batch_wait_ms": batch_wait_ms,
        "added_median_ms_by_batch_wait_ms": {waited: median for median, waited, _ in tried},
        "mean_batch": round(batch, 2), "cores_at_rate": half.cores,
    }  # fmt: skip


def versions() -> dict[str, str]:
    """Return the rivals' versions."""
    packages = ("quixstreams", "faststream", "confluent-kafka")
    code = f"from importlib.metadata import version; print(*map(version, {packages}))"
    told = subprocess.run([str(PYTHON), "-c", code], check=True, capture_output=True, text=True).stdout.split()
    return dict(zip(packages, told, strict=True))


def main() -> None:
    """Measure all three, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wait-ms", type=float, default=5.0, help="the detector's wait for a frame")
    parser.add_argument("--rate", type=above_zero(float), default=100.0, help="frame/s of the latency trial")
    parser.add_argument("--frames", type=above_zero(int), default=2000)
    parser.add_argument("--seconds", type=above_zero(float), default=8.0)
    parser.add_argument("--rounds", type=above_zero(int), default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    if not PYTHON.exists():
        sys.exit("the rivals are not installed: make benchmark-rivals")

    pictures = jpegs()
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    with own_broker() as broker:
        for number in range(chosen.rounds):
            for name in NAMES[number % len(NAMES) :] + NAMES[: number % len(NAMES)]:
                row = measure(broker.bootstrap_servers, name, chosen, pictures)
                rounds[name].append(row)
                print(f"{name:14s} {row['fps_waiting']:6.1f} frame/s, {row['fps_not_waiting']:6.1f} without a wait;"
                      f" added {Spread(**row['added_ms'])}; cores {row['cores_at_rate']}", flush=True)  # fmt: skip
    print("\nmedians of all rounds")
    for name, rows in rounds.items():
        waiting, ceiling = (statistics.median(row[key] for row in rows) for key in ("fps_waiting", "fps_not_waiting"))
        latency = statistics.median(row["added_ms"]["median"] for row in rows)
        print(f"{name:14s} {waiting:6.1f} frame/s, {ceiling:6.1f} without a wait, added latency {latency:5.1f} ms")
    if chosen.json:
        about = {"command": " ".join(["python", *sys.argv]), "machine": machine(), "versions": versions(),
                 "rate_fps": chosen.rate, "wait_ms": chosen.wait_ms, "batch": BATCH,
                 "frames": chosen.frames}  # fmt: skip
        chosen.json.write_text(json.dumps(about | {"rounds": rounds}, indent=2) + "\n")


if __name__ == "__main__":
    main()
