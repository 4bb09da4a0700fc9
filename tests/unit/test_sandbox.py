"""A process of its own for a frame that has ended one: whom its end is blamed on."""

import os
import signal
from collections.abc import Iterator
from functools import partial

import pytest

from footage import jpeg
from groundcam_schemas import ClassSpec, Question
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.quarantine.sandbox import Sandbox

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
