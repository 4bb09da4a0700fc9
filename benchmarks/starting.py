"""How long many cameras on one machine take until all of them are online, and what their processes take then.

Cameras loop a film of their own rate, each in a process of its own as always; nobody answers. Kafka runs beside them.

    .venv/bin/python benchmarks/starting.py [--cameras 200 --fps 5 --size 320x180 --json FILE]
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import yaml
from arguments import above_zero, sides
from machine import machine, wait_for_quiet
from sizing import clip, counters
from traffic import new_run
from workers import own_broker, require_running, running

from groundcam.devkafka.broker import free_port

MIB = 1024 * 1024


def online(port: int) -> int | None:
    """Return how many cameras are online, or None while the producer does not answer."""
    try:
        page = yaml.safe_load(urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=30))
    except OSError:
        return None
    return sum(one["state"] == "online" for one in page["cameras"].values())


def memory(process: psutil.Process) -> dict[str, float]:
    """Return the memory of a process with its children in MiB: shared pages are counted once, over all of them."""
    whole = [one.memory_full_info() for one in [process, *process.children(recursive=True)]]
    return {
        "all_mib": round(sum(one.pss for one in whole) / MIB),
        "own_of_a_camera_mib": round(sorted(one.uss for one in whole)[len(whole) // 2] / MIB, 1),
    }


def main() -> None:
    """Start them once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=above_zero(int), default=200)
    parser.add_argument("--fps", type=above_zero(int), default=5, help="of the film, and published")
    parser.add_argument("--size", type=sides, default=(320, 180), help="of the film")
    parser.add_argument("--patience-s", type=above_zero(float), default=600.0)
    parser.add_argument("--seconds", type=above_zero(float), default=60.0, help="watched once all are online")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    width, height = chosen.size

    with tempfile.TemporaryDirectory() as folder, own_broker() as broker:
        film = clip(Path(folder), (width, height), fps=chosen.fps)
        port = free_port()
        produce = [sys.executable, "-m", "groundcam", "produce", "--loop", "--fps", str(chosen.fps), "--log-level",
                   "error", "--http-port", str(port)]  # fmt: skip
        for number in range(chosen.cameras):
            produce += ["--camera", f"cam{number:03d}={film}"]
        wait_for_quiet()
        with running(new_run(broker.bootstrap_servers), produce) as producer:
            began, reached, ready = time.monotonic(), -1, list[tuple[float, int]]()
            while reached < chosen.cameras and time.monotonic() - began < chosen.patience_s:
                require_running(producer)
                now = online(port)
                if now is not None and now > reached:
                    reached = now
                    ready.append((round(time.monotonic() - began, 1), now))
                    print(f"{ready[-1][0]:6.1f} s: {now} online", flush=True)
                time.sleep(1)
            if reached < chosen.cameras:
                sys.exit(f"after {chosen.patience_s:.0f} s {reached} of {chosen.cameras} cameras are online")
            before = counters(port)
            time.sleep(chosen.seconds)
            after = counters(port)
            measured: dict[str, Any] = {
                "online_after_s": ready,
                "online_at_the_end": online(port),
                "processes_restarted": after.get("groundcam_camera_process_restarts_total", 0.0),
                "frames_dropped": after.get("groundcam_frames_dropped_total", 0.0),
                "frames_per_s": round(
                    (after["groundcam_frames_published_total"] - before["groundcam_frames_published_total"])
                    / chosen.seconds
                ),
                **memory(psutil.Process(producer.pid)),
            }
    for name, value in measured.items():
        if name != "online_after_s":
            print(f"{name:22s} {value}")
    if chosen.json:
        about = {"command": " ".join(["python", *sys.argv]), "machine": machine()}
        chosen.json.write_text(json.dumps(about | {"measured": measured}, indent=2) + "\n")


if __name__ == "__main__":
    main()
