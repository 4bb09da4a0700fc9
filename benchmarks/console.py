"""What the console takes: a wall of 16 cameras in a real browser for minutes, then many viewers at once.

Cameras are configured beside those that are shown, a fake detector answers, Kafka is real (`make benchmark-console`).
Needs Debian's chromium.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import psutil
from arguments import above_zero
from machine import machine
from workers import own_broker

from groundcam.demo import parts
from groundcam.demo.scene import SCENES
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted
from groundcam_runtime.pictures.drawing import jpeg, stretched
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, Frame, encode
from websockets import frame_of, said, upgrade

SIZE = (960, 544)
PICTURES = 48
EVERY_S = 5.0
CHROMIUM = shutil.which("chromium")
NUMBERS = (
    "() => [...document.querySelectorAll('.tile canvas.picture')].reduce((sum, one) => sum + +one.dataset.number, 0)"
)
AGES = """() => [...document.querySelectorAll('.tile canvas.picture')].map(one => one.dataset.at)
  .filter(Boolean).map(at => Date.now() - Number(at))"""


class Cameras:
    """Frames of many cameras, from one thread."""

    def __init__(self, kafka: KafkaSettings, names: list[str], fps: float) -> None:
        self._kafka, self._names, self._fps = kafka, names, fps
        self._stop = threading.Event()
        scene = SCENES[0]
        self._pictures = [jpeg(stretched(scene.picture(n / 4), SIZE)) for n in range(PICTURES)]
        self.picture_bytes = round(statistics.mean(map(len, self._pictures)))
        self.late_s = 0.0
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        topics, (width, height) = self._kafka.topics, SIZE
        out = Publisher(self._kafka, max_waiting_bytes=200 * MIB, max_record_bytes=4 * MIB)
        for name in self._names:
            status = CameraStatus(camera_id=name, state=CameraState.ONLINE, since_ns=time.time_ns(), url="bench")
            out.send(Record(topics.cameras, encode(status), name))
        pause, began, number = threading.Event(), time.monotonic(), 0
        while not self._stop.is_set():
            seq, index = divmod(number, len(self._names))
            due = began + (seq + index / len(self._names)) / self._fps
            ahead = due - time.monotonic()
            self.late_s = max(self.late_s, -ahead)
            if ahead > 0:
                pause.wait(ahead)
            name = self._names[index]
            frame = Frame(
                camera_id=name, run_id="bench", seq=seq, captured_at_ns=time.time_ns(), width=width, height=height,
                source_width=width, source_height=height, data=self._pictures[(seq + index) % PICTURES],
            )  # fmt: skip
            out.send(Record(topics.frames, encode(frame), name, index % 4))
            out.poll()
            number += 1
        out.close()


@contextmanager
def page(address: str) -> Iterator[Any]:
    os.environ["PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD"] = "1"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"],
        )
        made = browser.new_page(viewport={"width": 1920, "height": 1080})
        made.goto(address)
        made.locator(".tile .counts .found").first.wait_for(timeout=120_000)
        yield made
        browser.close()


def watched(page: Any, process: psutil.Process, seconds: float) -> dict[str, Any]:
    """The wall for a while: heap, memory, processor, ages."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.wait_for_timeout(10_000)
    heaps, sizes, ages = [], [], []
    cpu, began = process.cpu_times(), time.monotonic()
    drawn = sum(
        page.evaluate("() => [...document.querySelectorAll('.tile canvas.picture')].map(one => +one.dataset.number)")
    )
    look_at = began
    while time.monotonic() - began < seconds:
        ages += page.evaluate(AGES)
        if time.monotonic() >= look_at:
            look_at += EVERY_S
            session.send("HeapProfiler.collectGarbage")
            figures = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
            heaps.append(figures["JSHeapUsedSize"] / MIB)
            sizes.append(process.memory_info().rss / MIB)
        page.wait_for_timeout(250)
    took, used = time.monotonic() - began, process.cpu_times()
    after = sum(
        page.evaluate("() => [...document.querySelectorAll('.tile canvas.picture')].map(one => +one.dataset.number)")
    )
    ages.sort()
    return {
        "seconds": round(took),
        "looks_per_s": round((after - drawn) / took, 1),
        "age_ms": {"p50": ages[len(ages) // 2], "p95": ages[int(len(ages) * 0.95)], "most": ages[-1]},
        "ages": len(ages),
        "heap_mib": quarters(heaps),
        "console_mib": quarters(sizes),
        "console_cores": round((used.user + used.system - cpu.user - cpu.system) / took, 3),
    }  # fmt: skip


def quarters(values: list[float]) -> dict[str, float]:
    """The medians of the first and of the last quarter: the same where nothing grows."""
    part = max(1, len(values) // 4)
    return {
        "first quarter": round(statistics.median(values[:part]), 2),
        "last quarter": round(statistics.median(values[-part:]), 2),
    }


def viewers(port: int, process: psutil.Process, cameras: list[str], count: int, seconds: float) -> dict[str, Any]:
    """Many who look at the same cameras at once, and take each picture at once."""
    totals, stop = [0] * count, threading.Event()
    counts = [0] * count

    def look(number: int, connection: socket.socket) -> None:
        with connection, suppress(OSError, EOFError):
            connection.sendall(said({"watch": {name: {"width": 480} for name in cameras}}))
            while not stop.is_set():
                _, content = frame_of(connection)
                totals[number] += len(content)
                counts[number] += 1
                header = json.loads(content[4 : 4 + int.from_bytes(content[:4], "little")])
                connection.sendall(said({"drawn": header["camera"]}))

    threads = [threading.Thread(target=look, args=(n, upgrade(port)[0]), daemon=True) for n in range(count)]
    for one in threads:
        one.start()
    time.sleep(5)
    cpu, before, pictures, began = process.cpu_times(), sum(totals), sum(counts), time.monotonic()
    time.sleep(seconds)
    took, used = time.monotonic() - began, process.cpu_times()
    sent, shown = sum(totals) - before, sum(counts) - pictures
    stop.set()
    return {
        "viewers": count,
        "mbit_per_s_each": round(sent * 8 / took / count / 1e6, 2),
        "pictures_per_s_each": round(shown / took / count, 1),
        "console_cores": round((used.user + used.system - cpu.user - cpu.system) / took, 3),
        "console_mib": round(process.memory_info().rss / MIB, 1),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=above_zero(float), default=2, help="of the wall in a browser")
    arguments.add_argument("--cameras", type=above_zero(int), default=64)
    arguments.add_argument("--shown", type=above_zero(int), default=16)
    arguments.add_argument("--fps", type=above_zero(float), default=2)
    arguments.add_argument("--viewers", type=above_zero(int), default=20)
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    if CHROMIUM is None:
        sys.exit("there is no chromium (apt-get install chromium)")
    names = [f"cam-{number:02d}" for number in range(given.cameras)]
    shown = names[: given.shown]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(own_broker())
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        admin = TopicAdmin(kafka)
        admin.ensure(wanted(kafka.topics, 4, 4 * MIB), None)
        admin.close()
        running = [
            parts.groundcam("worker", kafka, folder / "w.log", "work", "--model", "fake:1ms", "--question", "person")
        ]
        stack.callback(parts.stop_all, running)
        console, address, there = parts.console(kafka, folder / "c.log")
        running.append(console)
        parts.wait_until(lambda: parts.is_ready(there), lambda: None, "the console")
        # Below the guard, which has the same arguments behind its own.
        process = next(
            one
            for one in psutil.Process().children(recursive=True)
            if one.cmdline()[1:4] == ["-m", "groundcam", "console"]
        )
        cameras = Cameras(kafka, names, given.fps)
        stack.callback(cameras.close)
        idle = process.cpu_times()
        time.sleep(20)
        now = process.cpu_times()
        print("the console alone, nobody looks", flush=True)
        found: dict[str, Any] = {
            "command": " ".join(["python", *sys.argv]), "machine": machine(),
            "cameras": given.cameras, "shown": given.shown, "fps": given.fps,
            "picture": f"{SIZE[0]}x{SIZE[1]}", "picture_bytes": cameras.picture_bytes,
            "nobody_looks": {"console_cores": round((now.user + now.system - idle.user - idle.system) / 20, 3)},
        }  # fmt: skip
        with page(f"{address}#/?wall={','.join(shown)}") as opened:
            found["wall"] = watched(opened, process, given.minutes * 60)
            opened.screenshot(path=folder / "wall.png")
        print(json.dumps(found, indent=1), flush=True)
        port = int(address.split(":")[2].split("/")[0])
        found["many"] = [viewers(port, process, shown, count, 20) for count in (1, given.viewers)]
        found["frames_late_s"] = round(cameras.late_s, 2)
    print(json.dumps(found, indent=2))
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
