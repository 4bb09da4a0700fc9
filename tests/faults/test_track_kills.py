"""Trackers that are killed again and again while partitions change hands: the events are those of a run without."""

import itertools
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import environment
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Gap
from kills import Row, ends_within, tail
from tracked import Expected, OpenObjects, send, set_zones, street, told

pytestmark = [pytest.mark.faults, pytest.mark.long]

SHORT = {"GROUNDCAM_TRACK__SESSION_TIMEOUT_S": "6", "GROUNDCAM_TRACK__CHECKPOINT_S": "0.3"}
FPS = 5
A_LIFE_S = 12.0
"""Of film, for each kill."""
LOOK_EVERY = 3
"""Kills, after which what is open is compared."""


class Count:
    """Counts events as a subscriber sees them, on a thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._reader = Reader(settings, [settings.topics.events], start="beginning")
        self._stopping = threading.Event()
        self.count = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._reader:
            while not self._stopping.is_set():
                self.count += len(self._reader.poll(0.05))

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()


class Member:
    """A tracker that comes back whenever it was ended."""

    def __init__(self, settings: KafkaSettings, log: Path, *options: str) -> None:
        self._settings, self._log, self._options = settings, log, options
        self.process = self.begin()

    def begin(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "groundcam", "track", "--no-pictures", "--from-beginning", *self._options],
                stderr=errors, env=environment(self._settings) | SHORT,
            )  # fmt: skip
        return self.process

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        code = self.process.wait(30)
        # One that has just begun does not know how to stop yet.
        assert code == -number or (number == signal.SIGTERM and code == 0), tail(self._log)


def cameras_film(cameras: list[str], seconds: float, seed: int) -> Iterator[Detections | Gap]:
    streets = [street(name, seconds, FPS, seed) for name in cameras]
    return (one for some in itertools.zip_longest(*streets) for one in some if one is not None)


def storm(settings: KafkaSettings, folder: Path, kills: int, seed: int, *, transactional: bool = False) -> Row:
    """Kill one of two trackers so many times, at random numbers of events; one of them has a name of its own.

    Besides, some end in order. With transactions both have, and an ended one comes back by its name: nothing else ends
    what it left open.
    """
    rng = random.Random(seed)
    cameras = [f"cam{number}" for number in range(6)]
    set_zones(settings, cameras)
    film = cameras_film(cameras, 1.3 * kills * A_LIFE_S + 120, seed)
    log = folder / f"trackers-{seed}.log"
    counted = Count(settings)
    mode = ("--transactional",) if transactional else ()
    named = Member(settings, log, "--instance-id", "t1", *mode)
    unnamed = Member(settings, log, *(("--instance-id", "t2", *mode) if transactional else ()))
    row = Row("SIGKILL of one of two trackers at random events" + ", transactional" * transactional, kills)
    a_life, killed = int(A_LIFE_S * FPS * len(cameras)), 0
    readers = ExitStack()
    wanted, objects = readers.enter_context(Expected(settings)), readers.enter_context(OpenObjects(settings))
    try:
        for life in itertools.count():
            if killed == kills:
                break
            send(settings, itertools.islice(film, a_life))
            aim = counted.count + rng.randint(1, 40)
            ends_within(lambda at=aim: counted.count >= at, 20)
            # The one without a name is missed for a session, and its partitions go to the other.
            one = unnamed if rng.random() < 0.25 else named
            how = signal.SIGTERM if one is unnamed and rng.random() < 0.5 else signal.SIGKILL
            killed += how is signal.SIGKILL
            one.end(how)
            one.begin()
            if life % LOOK_EVERY == LOOK_EVERY - 1:
                _as_expected(wanted, objects, cameras, log, f"seed {seed}, life {life}")
        send(settings, itertools.islice(film, a_life))
        events = _as_expected(wanted, objects, cameras, log, f"seed {seed}, the end")
        for member in (named, unnamed):
            member.end(signal.SIGTERM)
    finally:
        counted.close()
        readers.close()
        for member in (named, unnamed):
            member.process.kill()
            member.process.wait()
    found = told(settings)
    row.frames = sum(map(len, events.values()))
    row.repeated, row.conflicting = found.repeated, found.different
    for name in cameras:
        have = set(found.events[name])
        row.missing += sum(value not in have for value in events[name])
        row.once += sum(value in have for value in events[name])
        assert found.events[name] == events[name], f"seed {seed}: the events of {name} are others, or in another order"
    return row


def _as_expected(
    wanted: Expected, objects: OpenObjects, cameras: list[str], log: Path, when: str
) -> dict[str, list[bytes]]:
    """Wait until what is open is what should be."""
    by_now = wanted.by_now()
    right = {name: by_now.open(name) for name in cameras}
    if not ends_within(lambda: objects.now() == right, 60):
        wrong = {
            name: (objects.now().get(name), right[name]) for name in cameras if objects.now().get(name) != right[name]
        }
        pytest.fail(f"{when}: what is open, and what should be, by camera: {wrong}\n{tail(log)}")
    return by_now.events


@pytest.mark.parametrize("group", range(4))
def test_events_are_the_same_however_often_trackers_are_killed(
    kafka: KafkaSettings, tmp_path: Path, report: Callable[[Row], Row], group: int
) -> None:
    row = report(storm(kafka, tmp_path, 250, seed=group))
    assert (row.missing, row.conflicting) == (0, 0)


@pytest.mark.parametrize("group", range(2))
def test_with_transactions_every_event_is_there_once_however_often_trackers_are_killed(
    kafka: KafkaSettings, tmp_path: Path, report: Callable[[Row], Row], group: int
) -> None:
    row = report(storm(kafka, tmp_path, 50, seed=10 + group, transactional=True))
    assert (row.missing, row.conflicting, row.repeated) == (0, 0, 0)
