"""Brokers that go away, stand still, or have no room on their disk; the auditor judges."""

import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from conftest import Program, Start, Wait, make_topics
from footage import frame, jpeg, preload, publisher
from groundcam.audit import audit, totals
from groundcam.devkafka.broker import EmbeddedBroker, free_port
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import encode
from kills import SHORT, Row, java_of

pytestmark = pytest.mark.faults

WORK = ("work", "--model", "fake:5ms", "--question", "person", "--max-age-s", "0", "--instance-id", "w1")
MIB = 1024 * 1024


def health(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def detected(settings: KafkaSettings) -> int:
    return totals(audit(settings)).detected


def memory(program: Program) -> int:
    return int(psutil.Process(program.process.pid).memory_info().rss)


def test_all_brokers_gone_for_minutes_end_nothing(
    start: Start, wait: Wait, full: bool, report: Callable[[Row], Row]
) -> None:
    """Not ready, but alive; nothing grows; work goes on within seconds, under other leaders."""
    away_s = 120 if full else 20
    with EmbeddedBroker(nodes=3) as broker:
        kafka = make_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
        port = free_port()
        worker = start(kafka, *WORK, "--http-port", str(port), **SHORT)
        preload(kafka, cameras=8, frames=200)
        wait(lambda: detected(kafka) > 100, 90, "first answers")
        before = memory(worker)
        for node in range(3):
            broker.kill_node(node)
        gone_at = time.monotonic()
        wait(lambda: health(port, "/readyz")[0] == 503, 30, "not ready")
        assert "Kafka has not answered" in health(port, "/readyz")[1]
        wait(lambda: time.monotonic() - gone_at > away_s, away_s + 10)
        assert health(port, "/healthz")[0] == 200
        assert worker.process.poll() is None, worker.log
        assert memory(worker) - before < 64 * MIB
        for node in (2, 1, 0):
            broker.start_node(node)
        for node in range(3):
            broker.wait_for_node(node)
        back_at = time.monotonic()
        counted = [0]

        def goes_on() -> bool:
            counted[0] = detected(kafka)
            return counted[0] == 1600

        wait(goes_on, 120, "all answers")
        row = report(Row(f"all three brokers away for {away_s} s", 1).judge(kafka))
        row.recovery_s.append(time.monotonic() - back_at)
        wait(lambda: health(port, "/readyz")[0] == 200, 30, "ready again")
        assert worker.stop() == 0
        assert (row.missing, row.conflicting, row.dead_lettered) == (0, 0, 0)


def test_a_broker_that_stands_still_in_a_transaction_ends_the_worker_and_repeats_nothing(
    start: Start, wait: Wait
) -> None:
    """kafka-python would wait for ever, also when the broker is back."""
    with EmbeddedBroker() as broker:
        kafka = make_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
        preload(kafka, cameras=8, frames=200)
        java = java_of(broker)
        worker = start(kafka, *WORK, "--transactional", module="killed_worker", FREEZE=str(java), **SHORT)
        try:
            assert worker.process.wait(90) == 1, worker.log
        finally:
            os.kill(java, signal.SIGCONT)
        assert "transaction" in worker.log.splitlines()[-1], worker.log
        again = start(kafka, *WORK, "--transactional", **SHORT)
        wait(lambda: detected(kafka) == 1600, 120, "all answers")
        assert again.stop() == 0
        total = totals(audit(kafka))
        assert (total.repeated, total.missing, total.conflicting_ids) == (0, 0, 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("a small file system cannot be mounted here: that needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.long
def test_a_full_disk_of_the_broker_loses_no_frame(
    small_disk: Path, start: Start, wait: Wait, report: Callable[[Row], Row]
) -> None:
    """The broker gives up its log and ends; once there is room again it is started, and work goes on."""
    small = {"log.index.size.max.bytes": "65536", "log.cleaner.dedupe.buffer.size": "2097152"}
    with EmbeddedBroker(folder=small_disk, properties=small) as broker:
        kafka = make_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
        preload(kafka, cameras=8, frames=50)
        worker = start(kafka, *WORK, **SHORT)
        wait(lambda: detected(kafka) == 400, 60, "first answers")
        ballast = small_disk / "ballast"
        data, full_at = jpeg(), time.monotonic()
        with ballast.open("wb") as file:
            room = os.statvfs(small_disk)
            file.write(b"\0" * max(0, room.f_bavail * room.f_frsize - 300_000))
        with publisher(kafka) as out:
            pause = threading.Event()
            for seq in range(50, 150):
                for number in range(8):
                    value = encode(frame(f"cam{number}", seq, data))
                    out.send(Record(kafka.topics.frames, value, f"cam{number}", number % 4))
                out.poll()
            wait(lambda: broker.died() is not None or time.monotonic() - full_at > 60, 70, "the broker's end")
            assert broker.died() is not None, "the disk was never full"
            ballast.unlink()
            broker.start_node(0)
            broker.wait_for_node(0)
            back_at = time.monotonic()
            while out.unfinished and time.monotonic() - back_at < 90:
                out.poll()
                pause.wait(0.05)
            assert not out.unfinished
        wait(lambda: totals(audit(kafka)).missing == 0 and detected(kafka) == 1200, 120, "all answers")
        row = report(Row("the broker's disk is full", 1).judge(kafka))
        row.recovery_s.append(time.monotonic() - back_at)
        assert worker.stop() == 0
        assert (row.missing, row.conflicting, row.dead_lettered) == (0, 0, 0)
