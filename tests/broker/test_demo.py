"""`groundcam demo` as a user runs it, with its plugs pulled, and the page."""

import json
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from conftest import Program, Start, Wait

pytestmark = pytest.mark.broker


def family(program: Program) -> list[psutil.Process]:
    """Every process that the demo has started, directly or not."""
    return psutil.Process(program.process.pid).children(recursive=True)


def one_of(processes: list[psutil.Process], *words: str) -> psutil.Process:
    """The program itself, not the guard that runs it."""
    for process in processes:
        line = process.cmdline()
        if "groundcam.devkafka.guard" not in line and all(any(part.endswith(word) for part in line) for word in words):
            return process
    raise AssertionError(f"no process of {words} among {[process.cmdline() for process in processes]}")


def left(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; a dead one that its parent has not asked about does not count."""
    _, alive = psutil.wait_procs(processes, timeout=0)
    return [process for process in alive if not _is_zombie(process)]


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def running(start: Start, wait: Wait, tmp_path: Path) -> Program:
    """A demo in the middle of it."""
    program = start(None, "demo", "--seconds", "300", "--out", tmp_path / "out")
    wait(lambda: "frame/s" in program.out or program.process.poll() is not None, 120, "first figures")
    assert program.process.poll() is None, program.out + program.log
    return program


def test_the_demo_shows_the_whole_path_and_says_how_it_went(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = start(None, "demo", "--seconds", "10", "--out", out, "--json")
    code = program.process.wait(180)
    assert code == 0, program.out + program.log
    figures: dict[str, Any] = json.loads(program.out.splitlines()[-1])
    fields = {
        "frames_published", "frames_detected", "frames_in_gaps", "dead_letters", "messages_received", "detections",
        "fps", "latency_ms", "precision", "recall", "events",
    }  # fmt: skip
    assert set(figures) == fields | {"cameras"}
    assert set(figures["latency_ms"]) == {"p50", "p95", "p99"}
    assert [one["camera"] for one in figures["cameras"]] == ["gate", "yard"]
    for one in figures["cameras"]:
        assert set(one) == fields | {"camera", "question"}
        assert one["fps"] >= 5
        assert one["recall"] >= 0.85, "gate comes over RTSP"
        assert one["events"]["objects"] == one["events"]["new"] == one["events"]["end"] == one["events"]["one_life"]
        assert one["events"]["identity_switches"] == 0
        assert one["frames_published"] <= one["frames_detected"] + one["frames_in_gaps"]
    assert sorted(path.name for path in out.iterdir() if path.suffix in {".mp4", ".png"}) == [
        "contact-sheet.png", "gate.mp4", "yard.mp4",
    ]  # fmt: skip
    import cv2

    sheet = cv2.imread(str(out / "contact-sheet.png"))
    assert sheet is not None
    assert sheet.std() > 20
    video = cv2.VideoCapture(str(out / "gate.mp4"))
    frames = 0
    while video.read()[0]:
        frames += 1
    assert frames == figures["cameras"][0]["frames_detected"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("groundcam", "work"), "the worker was ended by signal 9"),
        (("groundcam", "produce"), "the producer was ended by signal 9"),
        (("kafka.Kafka",), "Apache Kafka ended by itself"),
        (("rtsp-server",), "the RTSP server was ended by signal 9"),
    ],
    ids=["worker", "producer", "broker", "camera"],
)
@pytest.mark.long
def test_a_pulled_plug_is_told_in_a_line_and_leaves_nothing_running(
    running: Program, words: tuple[str, ...], says: str
) -> None:
    started = family(running)
    one_of(started, *words).kill()
    assert running.process.wait(60) == 1
    assert len(running.log.splitlines()) == 1, running.log
    assert says in running.log
    assert "everything else was stopped" in running.log
    assert left(started) == []


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_ctrl_c_leaves_nothing_running(running: Program, number: signal.Signals) -> None:
    started = family(running)
    assert running.stop(number, 60) == 130
    assert "stopped by you; nothing is left running" in running.out
    assert running.log == ""
    assert left(started) == []


def test_even_sigkill_leaves_nothing_running(running: Program, wait: Wait) -> None:
    started = family(running)
    running.process.kill()
    wait(lambda: not left(started), 30, "no process left")


def test_a_part_that_cannot_start_is_named(start: Start, tmp_path: Path) -> None:
    program = start(None, "demo", "--model", "nosuch", "--out", tmp_path / "out")
    assert program.process.wait(120) == 1
    assert "the worker ended with exit code 2" in program.log
    assert "nosuch" in program.log
