"""A system at work for half an hour, with a fault every half a minute: the auditor judges, and nothing grows."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
import yaml
from vitals import Vitals

from changing_cameras import film
from conftest import SEED, Program, Start, Wait, make_topics
from footage import RtspServer, frame, jpeg, publisher
from groundcam.audit import audit, totals
from groundcam.devkafka.broker import EmbeddedBroker
from groundcam_runtime.kafka.admin import Admin
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import encode
from kills import PARTITIONS, SHORT, Row, java_of

pytestmark = [pytest.mark.faults, pytest.mark.long]

MINUTES = float(os.environ.get("GROUNDCAM_TEST_FAULTS_MINUTES", "30"))
EVERY_S = 30.0
FPS = 5
MOST_PARTITIONS = PARTITIONS + 4
STEPS_S = (-3600, -300, -30, -4, 0, 4, 30, 300, 3600)
WORK = ("work", "--model", "fake:5ms", "--question", "person")


class SteppingClock:
    """A camera of somebody else's, whose clock is wrong, and differently so from time to time."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka, self._stopping = kafka, threading.Event()
        self.off_s = 0.0
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        data = jpeg(1, 160, 96)
        with publisher(self._kafka) as out:
            seq = 0
            while not self._stopping.wait(1 / FPS):
                one = frame("stepping", seq, data)
                stamp = one.captured_at_ns + int(self.off_s * 1e9)
                value = encode(one.model_copy(update={"captured_at_ns": stamp}))
                out.send(Record(self._kafka.topics.frames, value, "stepping", 0))
                out.poll()
                seq += 1
            out.flush(60)

    @contextmanager
    def running(self) -> Iterator["SteppingClock"]:
        """Publish until the block ends."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._thread.join()


class System:
    """Cameras, a producer, two workers, a tracker and a subscriber, with all that can be done to them."""

    def __init__(self, kafka: KafkaSettings, broker: EmbeddedBroker, folder: Path, start: Start) -> None:
        self._kafka, self._broker, self._start = kafka, broker, start
        (folder / "films").mkdir()
        clip = film(folder / "films" / "film.mp4")
        self.rtsp = RtspServer(clip.parent)
        self.rtsp.start()
        cameras = {f"rtsp{number}": {"url": f"{self.rtsp.url}/{clip.name}"} for number in range(4)}
        cameras |= {f"file{number}": {"url": str(clip), "loop": True} for number in range(4)}
        config = folder / "groundcam.yaml"
        config.write_text(yaml.safe_dump({"produce": {"cameras": cameras, "fps": FPS}}))
        self.producer = start(kafka, "produce", "--config", config, GROUNDCAM_PRODUCE__TIMEOUT_S="3")
        self.tracker = start(kafka, "track", "--no-pictures", "--instance-id", "t1", **SHORT)
        self.subscriber = start(kafka, "watch", "--json")
        self.steady, self._killed = self._worker("w1"), self._worker("w2")
        self.clock = SteppingClock(kafka)
        self._partitions = PARTITIONS
        self.done: Counter[str] = Counter()

    def _worker(self, name: str) -> Program:
        return self._start(self._kafka, *WORK, "--instance-id", name, "--group", self._kafka.topic_prefix, **SHORT)

    def fault(self, chance: random.Random) -> None:
        """Do one thing to it."""
        faults = [self.kill_a_worker, self.kill_a_child, self.freeze_the_broker, self.end_the_rtsp_server,
                  self.step_the_clock]  # fmt: skip
        if self._partitions < MOST_PARTITIONS:
            faults.append(self.add_a_partition)
        chosen = chance.choice(faults)
        self.done[chosen.__name__.replace("_", " ")] += 1
        chosen(chance)

    def kill_a_worker(self, _chance: random.Random) -> None:
        self._killed.stop(signal.SIGKILL)
        self._killed = self._worker("w2")

    def kill_a_child(self, chance: random.Random) -> None:
        chance.choice(psutil.Process(self.producer.process.pid).children(recursive=True)).kill()

    def freeze_the_broker(self, chance: random.Random) -> None:
        java = java_of(self._broker)
        os.kill(java, signal.SIGSTOP)
        threading.Event().wait(chance.uniform(4, 14))
        os.kill(java, signal.SIGCONT)

    def end_the_rtsp_server(self, chance: random.Random) -> None:
        self.rtsp.end(signal.SIGKILL)
        threading.Event().wait(chance.uniform(0, 10))
        self.rtsp.start()

    def step_the_clock(self, chance: random.Random) -> None:
        self.clock.off_s = chance.choice(STEPS_S)

    def add_a_partition(self, _chance: random.Random) -> None:
        self._partitions += 1
        topics = self._kafka.topics
        with closing(Admin(self._kafka)) as admin:
            admin.grow(dict.fromkeys((topics.frames, topics.detections), self._partitions))

    def steady_programs(self) -> dict[str, Program]:
        """Those that nobody kills."""
        return {
            "producer": self.producer,
            "worker": self.steady,
            "tracker": self.tracker,
            "subscriber": self.subscriber,
        }

    def stop(self, wait: Wait) -> None:
        """Stop the cameras, wait for every answer, and stop the rest; all of them end in order."""
        assert self.producer.stop() == 0, self.producer.log[-3000:]
        wait(lambda: totals(audit(self._kafka)).missing == 0, 120, "every answer")
        for program in (self.steady, self._killed, self.tracker):
            assert program.stop() == 0, program.log[-3000:]
        assert self.subscriber.stop(signal.SIGINT) in (0, 130), self.subscriber.log[-3000:]


def test_a_fault_every_half_a_minute_for_half_an_hour_loses_no_frame_and_nothing_grows(
    tmp_path: Path, start: Start, wait: Wait, report: Callable[[Row], Row]
) -> None:
    chance = random.Random(SEED)
    with EmbeddedBroker() as broker:
        kafka = make_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
        system = System(kafka, broker, tmp_path, start)
        try:
            with system.clock.running():
                wait(lambda: totals(audit(kafka)).detected > 50, 60, "the first answers")
                vitals = Vitals(2, **{name: one.process.pid for name, one in system.steady_programs().items()})
                end = time.monotonic() + MINUTES * 60
                fault_at = time.monotonic() + EVERY_S / 2
                while time.monotonic() < end:
                    if time.monotonic() > fault_at:
                        system.fault(chance)
                        fault_at += EVERY_S
                    for name, program in system.steady_programs().items():
                        assert program.process.poll() is None, f"{name} ended:\n{program.log[-3000:]}"
                    vitals.sample()
                    threading.Event().wait(0.5)
            system.stop(wait)
        finally:
            system.rtsp.end()
        faults = ", ".join(f"{count} times {what}" for what, count in sorted(system.done.items()))
        row = report(Row(f"every {EVERY_S:.0f} s one of: {faults}", system.done.total()).judge(kafka))
    held = list(vitals.held())
    print(faults, *held, sep="\n")
    assert (row.missing, row.conflicting, row.dead_lettered) == (0, 0, 0)
    assert [one for one in held if one.grew] == []
