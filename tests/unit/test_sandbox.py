"""A process of its own for a frame that has ended one: whom its end is blamed on."""

import multiprocessing.connection
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from footage import jpeg
from groundcam_schemas import ClassSpec, Question
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.quarantine.sandbox import EXIT_IDLE, Sandbox

QUESTION = Question(classes=(ClassSpec(phrase="person"),))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(partial(FakeDetector), 10**6)
    yield made
    made.close()


def test_a_process_that_ended_while_it_had_no_frame_is_blamed_on_none(sandbox: Sandbox) -> None:
    """As by the kernel, which takes a second model for what memory is short by."""
    picture = jpeg(1, 64, 48)
    first = sandbox.answer(picture, (64, 48), QUESTION)
    before = sandbox._process
    assert before is not None
    os.kill(before.pid or 0, signal.SIGKILL)
    before.join(20)
    assert sandbox.answer(picture, (64, 48), QUESTION) == first
    assert sandbox._process is not before


def test_a_process_that_is_given_nothing_ends_and_another_takes_the_next_frame() -> None:
    """A second model takes no memory for as long as the worker lives."""
    sandbox = Sandbox(partial(FakeDetector), 10**6, idle_s=0.05)
    first = sandbox.answer(jpeg(1, 64, 48), (64, 48), QUESTION)
    process = sandbox._process
    assert process is not None
    assert multiprocessing.connection.wait([process.sentinel], 20)
    process.join(20)
    assert process.exitcode == EXIT_IDLE
    assert sandbox.answer(jpeg(1, 64, 48), (64, 48), QUESTION) == first
    sandbox.close()


def end_as_idle(note: Path, _seconds: float) -> None:
    """End the process the first time, as one does whose time is up just when a frame comes."""
    if not note.exists():
        note.touch()
        os._exit(EXIT_IDLE)


def test_a_frame_that_comes_just_as_the_process_ends_is_not_blamed(tmp_path: Path) -> None:
    sandbox = Sandbox(partial(FakeDetector, sleep=partial(end_as_idle, tmp_path / "ended")), 10**6)
    (found,) = sandbox.answer(jpeg(1, 64, 48), (64, 48), QUESTION)
    assert found.class_id == 0
    assert (tmp_path / "ended").exists()
    sandbox.close()
