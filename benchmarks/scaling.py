"""How answered frame/s grow with the workers in one group, and why frames go where `place` says, not Kafka's hash.

16 cameras are placed on 8 partitions, all frames lie on Kafka beforehand, and the detector waits 40 ms a frame, so that
waiting, not this machine, is the limit. Frame/s come from the answers alone, in a steady state: from when the group has
been still for three seconds until everything is answered, so that a worker with more partitions than others holds it
up. Shown beside it, how many cameras each partition gets from `place` and from Kafka's own hash of the key (murmur2).

    .venv/bin/python benchmarks/scaling.py [--json FILE]
"""

import argparse
import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import kafka
import kafka.errors
from arguments import above_zero
from arrivals import Arrival, subscribed
from kafka.partitioner.default import murmur2
from machine import CpuMeter, broker_pid, machine, wait_for_quiet
from traffic import jpegs, new_run, preload
from trials import DISTURBED_CORES
from workers import group_of, own_broker, require_running, running, worker_command

from groundcam_producers.placement import place
from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.settings import KafkaSettings

CAMERAS = [f"cam{number:02d}" for number in range(16)]
PARTITIONS = 8
PATIENCE_S = 60.0
STILL_S = 3.0
SHORTEST_NS = 6_000_000_000


def hashed(camera: str, partitions: int) -> int:
    """Return the partition that Kafka's clients choose for a key."""
    return int((murmur2(camera.encode()) & 0x7FFFFFFF) % partitions)


def spreads() -> dict[str, dict[str, list[int]]]:
    """Return the number of cameras on each partition, by both ways."""
    found = {}
    for partitions in (4, 8):
        placed = Counter(place(CAMERAS, partitions).values())
        keyed = Counter(hashed(camera, partitions) for camera in CAMERAS)
        found[f"{partitions} partitions"] = {
            "place": [placed[number] for number in range(partitions)],
            "murmur2": [keyed[number] for number in range(partitions)],
        }
    return found


def await_shares(settings: KafkaSettings, workers: int) -> list[set[int]]:
    """Return the partitions of every worker, once nothing has moved for some seconds."""
    admin: Any = connect(settings, kafka.KafkaAdminClient)
    group = group_of(settings)
    began = since = time.monotonic()
    shares: list[set[int]] = []
    while len(shares) < workers or sum(map(len, shares)) < PARTITIONS or time.monotonic() - since < STILL_S:
        if time.monotonic() - began > PATIENCE_S:
            sys.exit(f"after {PATIENCE_S:.0f} s the workers' shares of {PARTITIONS} partitions are {shares}")
        time.sleep(0.2)
        try:
            described = admin.describe_groups([group])[group]
        except kafka.errors.CoordinatorNotAvailableError:
            continue  # nobody has joined yet
        now = [_share(member, settings.topics.frames) for member in described["members"]]
        if now != shares:
            shares, since = now, time.monotonic()
    admin.close()
    return shares


def _share(member: Any, topic: str) -> set[int]:
    """Return a member's partitions of a topic; it has no assignment while the group is being shared out."""
    assigned = (member["member_assignment"] or {}).get("assigned_partitions", [])
    return {partition for one in assigned if one["topic"] == topic for partition in one["partitions"]}


def steady_fps(arrivals: list[Arrival], begin_ns: int) -> float:
    """Return frame/s until everything is answered: a worker that has more to do than the others holds that up.

    Frames of one batch carry one time, so those of the first batch do not count.
    """
    stamps = sorted(one.inferred for one in arrivals if begin_ns <= one.inferred)
    if not stamps or stamps[-1] - stamps[0] < SHORTEST_NS:
        sys.exit("there was too little to do once the group had settled: raise --seconds")
    return sum(stamp > stamps[0] for stamp in stamps) / (stamps[-1] - stamps[0]) * 1e9


def measure(servers: str, workers: int, frames: int, wait_ms: float, batch: int, pictures: list[bytes]) -> Any:
    """Return the figures of so many workers on so many frames."""
    settings = new_run(servers, PARTITIONS)
    places = place(CAMERAS, PARTITIONS)
    preload(settings, places, frames, pictures)
    wait_for_quiet()
    with subscribed(settings, frames) as subscriber, ExitStack() as stack:
        command = worker_command(wait_ms, batch)
        processes = [stack.enter_context(running(settings, command)) for _ in range(workers)]
        shares = await_shares(settings, workers)
        begin_ns = time.time_ns()
        if not subscriber.first(30.0):
            sys.exit("no worker has answered anything")
        pids = {f"worker {number}": process.pid for number, process in enumerate(processes)}
        meter = CpuMeter({"broker": broker_pid(), **pids})
        while (arrivals := subscriber.wait(0.5)) is None:
            for process in processes:
                require_running(process)
        cores = meter.cores()
    fps = steady_fps(arrivals, begin_ns)
    share = sorted(map(len, shares))
    return {"workers": workers, "fps": round(fps, 2), "partitions_of_each": share, "frames": frames, "cores": cores}


def main() -> None:
    """Measure one worker and four, and print the spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wait-ms", type=above_zero(float), default=40.0, help="the detector's wait for a frame")
    parser.add_argument("--batch", type=above_zero(int), default=8)
    parser.add_argument("--workers", type=above_zero(int), default=4)
    parser.add_argument("--seconds", type=above_zero(float), default=30.0, help="about so long each run takes")
    parser.add_argument(
        "--tries", type=above_zero(int), default=3, help="runs that other work disturbed are repeated so often"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()

    spread = spreads()
    for where, ways in spread.items():
        for way, cameras in ways.items():
            print(f"16 cameras over {where} by {way:8s} {cameras}, largest {max(cameras)}")
    pictures, runs = jpegs(), []
    with own_broker() as broker:
        for workers in (1, chosen.workers):
            frames = int(chosen.seconds * workers * 1000 / chosen.wait_ms) // 16 * 16
            tried: list[Any] = []
            while len(tried) < chosen.tries and not any(_is_calm(run) for run in tried):
                tried.append(measure(broker.bootstrap_servers, workers, frames, chosen.wait_ms, chosen.batch, pictures))
                print(f"{workers} workers: {tried[-1]}", flush=True)
            runs.append(min(tried, key=lambda run: float(run["cores"]["everything else"])))
    ratio = runs[1]["fps"] / runs[0]["fps"]
    print(f"{chosen.workers} workers answer {ratio:.2f} times as many frames a second as one")
    if chosen.json:
        about = {"command": " ".join(["python", *sys.argv]), "machine": machine(), "wait_ms": chosen.wait_ms,
                 "batch": chosen.batch, "cameras": len(CAMERAS), "partitions": PARTITIONS}  # fmt: skip
        figures = {"runs": runs, "ratio": round(ratio, 3), "cameras_per_partition": spread}
        chosen.json.write_text(json.dumps(about | figures, indent=2) + "\n")


def _is_calm(run: Any) -> bool:
    return float(run["cores"]["everything else"]) <= DISTURBED_CORES


if __name__ == "__main__":
    main()
