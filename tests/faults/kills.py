"""End a worker again and again at chosen points, feed it meanwhile, and let the auditor judge."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from conftest import environment
from footage import frame, jpeg, publisher
from groundcam.audit import audit, totals
from groundcam.devkafka.broker import EmbeddedBroker
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import encode

POINTS = ("poll", "inference", "produce", "flush", "commit")
CAMERAS = 8
PARTITIONS = 4
WORK = ("work", "--model", "fake:2ms", "--question", "person", "--instance-id", "w1")
FRAMES_A_LIFE = 24
LONGEST_LIFE_S = 60.0
HUNGRY_S = 5.0
JOINED = "waiting for frames"
SILENCE_S = 20.0
SHORT = {"GROUNDCAM_WORK__SESSION_TIMEOUT_S": "6", "GROUNDCAM_WORK__DRAIN_TIMEOUT_S": "5"}


@dataclass
class Row:
    """What a fault did."""

    fault: str
    faults: int
    frames: int = 0
    once: int = 0
    repeated: int = 0
    in_gaps: int = 0
    dead_lettered: int = 0
    missing: int = 0
    conflicting: int = 0
    recovery_s: list[float] = field(default_factory=list)

    def judge(self, settings: KafkaSettings) -> "Row":
        """Ask the auditor."""
        total = totals(audit(settings))
        self.frames = total.detected + total.dead_lettered + total.in_gaps + total.missing
        self.repeated, self.in_gaps, self.dead_lettered = total.repeated, total.in_gaps, total.dead_lettered
        self.once = total.detected
        self.missing, self.conflicting = total.missing, total.conflicting_ids
        return self


class Answers:
    """Counts answers as a subscriber sees them, on a thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._reader = Reader(settings, [settings.topics.detections], start="beginning")
        self._stopping = threading.Event()
        self.last_at = 0.0
        self.first_after: float | None = None
        self.count = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._reader:
            while not self._stopping.is_set():
                for _record in self._reader.poll(0.1):
                    self.count += 1
                    self.last_at = time.monotonic()
                    self.first_after = self.first_after or self.last_at

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()


class Feed:
    """Puts frames on the recordings topic, of which every one counts."""

    def __init__(self, settings: KafkaSettings, busiest: int) -> None:
        """Of `busiest` frames of cam0 comes one of each other camera."""
        self._settings = settings
        self._data = jpeg(1, 64, 48)
        self._cameras = [0] * (busiest - 1) + list(range(CAMERAS))
        self._seqs = [0] * CAMERAS

    @property
    def total(self) -> int:
        return sum(self._seqs)

    def more(self, frames: int) -> None:
        with publisher(self._settings) as out:
            for _ in range(max(1, frames // len(self._cameras))):
                for number in self._cameras:
                    value = encode(frame(f"cam{number}", self._seqs[number], self._data))
                    self._seqs[number] += 1
                    record = Record(self._settings.topics.recordings, value, f"cam{number}", number % PARTITIONS)
                    out.send(record)
            out.flush(60)
            assert not out.unfinished


def worker(settings: KafkaSettings, log: Path, *options: str, **variables: str) -> "subprocess.Popen[bytes]":
    """Start a worker that may signal itself."""
    paths = {"PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONFAULTHANDLER": "1"}
    known = environment(settings) | paths | SHORT | variables
    with log.open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "killed_worker", *WORK, "--group", settings.topic_prefix, *options],
            stderr=errors,
            env=known,
        )


def ends_within(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.02)
    return True


def kill_many(
    settings: KafkaSettings,
    folder: Path,
    times: int,
    *options: str,
    seed: int,
    name: str = "SIGKILL",
    points: tuple[str, ...] = POINTS,
    busiest: int = 1,
    **variables: str,
) -> Row:
    """End a worker so many times at random points; then let one live until everything is answered."""
    rng, feed, answers = random.Random(seed), Feed(settings, busiest), Answers(settings)
    row = Row(f"{name} at random points", times)
    log = folder / "workers.log"
    ended_at: float | None = None
    try:
        for life in range(times):
            point = rng.choice(points)
            times_passed = rng.randint(1, 20 if point in ("poll", "produce") else 6)
            feed.more(FRAMES_A_LIFE)
            answers.first_after = None
            process = worker(settings, log, *options, FAULT=f"{point}:{times_passed}:{name}", **variables)
            deadline = time.monotonic() + LONGEST_LIFE_S
            while not ends_within(lambda one=process: one.poll() is not None, HUNGRY_S):
                if time.monotonic() < deadline:
                    feed.more(FRAMES_A_LIFE)  # batches were larger than the point's turn assumes
                    continue
                process.send_signal(signal.SIGABRT)  # it writes down what each of its threads does
                process.wait()
                raise AssertionError(f"seed {seed}: life {life} ({point}:{times_passed}) goes on\n{tail(log)}")
            expected = -signal.SIGKILL if name == "SIGKILL" else 0
            assert process.returncode == expected, f"seed {seed}: life {life}: {process.returncode}\n{tail(log)}"
            if ended_at is not None and answers.first_after is not None:
                row.recovery_s.append(answers.first_after - ended_at)
            ended_at = time.monotonic()
        answers.first_after = None
        lives = log.read_text().count(JOINED)
        last = worker(settings, log, *options, **variables)
        assert ends_within(lambda: log.read_text().count(JOINED) > lives, LONGEST_LIFE_S), tail(log)
        total = feed.total
        heard = time.monotonic()
        # Until everything is answered; or, where something is lost, until nothing comes any more.
        ends_within(
            lambda: (
                (answers.count >= total and totals(audit(settings)).missing == 0)
                or time.monotonic() - max(heard, answers.last_at) > SILENCE_S
            ),
            180,
        )
        last.send_signal(signal.SIGTERM)
        assert last.wait(30) == 0, tail(log)
    finally:
        answers.close()
    return row.judge(settings)


def java_of(broker: EmbeddedBroker, node: int = 0) -> int:
    """The process of a broker, which may be told to stand still."""
    guard = broker._processes[node].pid
    return int(subprocess.run(["pgrep", "-P", str(guard)], capture_output=True, text=True, check=True).stdout)


def tail(log: Path) -> str:
    return log.read_text()[-8000:]
