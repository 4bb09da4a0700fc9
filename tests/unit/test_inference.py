"""The detector's thread, and the pool that decodes: what they do when something takes long or fails."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from groundcam_schemas import Question
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.errors import (
    BadPictureError,
    DetectorLostError,
    OutOfMemoryError,
    QuestionError,
    UnansweredError,
)
from groundcam_worker.loop.batches import Batch, Job, Prepared
from groundcam_worker.loop.decoding import Decoding
from groundcam_worker.loop.events import BatchDone, DecodeDone
from groundcam_worker.loop.inference import Inference

IMAGE = np.zeros((8, 8, 3), np.uint8)
PATIENCE_S = 10.0


class Bell:
    """Something to wait for."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def __call__(self) -> None:
        self._rung.set()

    def collect(self, take: Callable[[], list[Any]], count: int) -> list[Any]:
        """Wait until so much has come."""
        found: list[Any] = []
        while len(found) < count:
            self._rung.clear()
            found += take()
            assert len(found) >= count or self._rung.wait(PATIENCE_S), "nothing came"
        return found


def batch(*questions: str) -> Batch:
    jobs = [Job(IMAGE, Question.of(one), "shape", 1, one, lambda: True, one) for one in questions]
    return Batch(tuple(jobs), 0)


class Overlapping(FakeDetector):
    """Writes down what is asked of it, and finishes when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.both_begun = threading.Event()

    def begin(self, images: Any, questions: Any) -> Any:
        self.calls.append(f"begin {questions[0].labels[0]}")
        if len(self.calls) == 2:
            self.both_begun.set()
        return images, questions

    def finish(self, begun: Any) -> Any:
        self.both_begun.wait(PATIENCE_S)
        self.calls.append(f"finish {begun[1][0].labels[0]}")
        return self.detect(*begun)


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def inference(bell: Bell) -> Iterator[Callable[[FakeDetector], Inference]]:
    made: list[Inference] = []

    def make(detector: FakeDetector) -> Inference:
        made.append(Inference(detector, bell))
        return made[-1]

    yield make
    for one in made:
        one.shutdown()


def test_the_next_batch_begins_before_the_one_that_runs_is_finished(bell: Bell, inference: Any) -> None:
    detector = Overlapping()
    one = inference(detector)
    first, second = batch("a"), batch("b")
    one._batches.put(first)  # both are there before the thread looks, as under load
    one.begin(second)
    done: list[BatchDone] = bell.collect(one.finished, 2)
    assert [each.batch for each in done] == [first, second]
    assert detector.calls == ["begin a", "begin b", "finish a", "finish b"]


def test_a_batch_that_fails_is_halved_until_the_picture_that_fails_is_alone(bell: Bell, inference: Any) -> None:
    class Picky(FakeDetector):
        def detect(self, images: Any, questions: Any) -> Any:
            if any(one.labels[0] == "bad" for one in questions):
                raise RuntimeError("no")
            return super().detect(images, questions)

    one = inference(Picky())
    one.begin(batch("a", "bad", "b"))
    (done,) = bell.collect(one.finished, 1)
    assert [type(result) for result in done.results] == [tuple, UnansweredError, tuple]


@pytest.mark.parametrize("error", [MemoryError(), OutOfMemoryError("short")])
def test_memory_that_is_short_is_no_fault_of_the_picture(bell: Bell, inference: Any, error: Exception) -> None:
    class Short(FakeDetector):
        def detect(self, images: Any, questions: Any) -> Any:
            raise error

    one = inference(Short())
    one.begin(batch("a", "b"))
    (done,) = bell.collect(one.finished, 1)
    assert all(isinstance(result, OutOfMemoryError) for result in done.results)


def test_a_lost_device_is_raised_where_the_loop_asks(bell: Bell, inference: Any) -> None:
    class Lost(FakeDetector):
        def begin(self, images: Any, questions: Any) -> Any:
            raise DetectorLostError("gone")

    one = inference(Lost())
    one.begin(batch("a"))
    with pytest.raises(DetectorLostError, match="gone"):
        bell.collect(one.finished, 1)


def test_too_few_results_are_a_lost_detector_and_no_wrong_answers(bell: Bell, inference: Any) -> None:
    class Short(FakeDetector):
        def finish(self, begun: Any) -> tuple[tuple[Detection, ...], ...]:
            return ()

    one = inference(Short())
    one.begin(batch("a"))
    with pytest.raises(DetectorLostError, match="0 results for 1 images"):
        bell.collect(one.finished, 1)


def test_pictures_that_take_too_long_are_given_up_and_the_others_go_on(bell: Bell) -> None:
    """More of them than there are threads: each is alone to blame."""
    release = threading.Event()
    began = threading.Semaphore(0)

    def prepare(name: Any) -> Any:
        if str(name).startswith("slow"):
            began.release()
            release.wait(PATIENCE_S)
        return Prepared(IMAGE, str(name))

    decoding = Decoding(prepare, 2, bell, deadline_s=5.0)
    try:
        for name in ("slow-1", "slow-2", "slow-3", "quick"):
            decoding.begin(name)  # type: ignore[arg-type]
        late = 1e9  # a clock by which all that began is late
        done: list[DecodeDone] = []
        for begun in (2, 1):
            for _ in range(begun):
                assert began.acquire(timeout=PATIENCE_S)
            late += 1.0
            done += decoding.finished(late)
        if len(done) < 4:
            done += bell.collect(lambda: decoding.finished(0.0), 4 - len(done))
        outcomes = {str(one.admitted): one.outcome for one in done}
        assert {name for name, outcome in outcomes.items() if isinstance(outcome, BadPictureError)} == {
            "slow-1", "slow-2", "slow-3"
        }  # fmt: skip
        assert not isinstance(outcomes["quick"], Exception)
    finally:
        release.set()
        decoding.shutdown()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadPictureError("no"), BadPictureError),
        (QuestionError("no"), UnansweredError),
        (MemoryError(), OutOfMemoryError),
        (ValueError("mean must have 1 elements"), BadPictureError),
    ],
)
def test_what_is_wrong_with_a_picture_or_its_question_is_its_own_outcome(
    bell: Bell, error: Exception, kind: type[Exception]
) -> None:
    def prepare(_admitted: Any) -> Any:
        raise error

    decoding = Decoding(prepare, 1, bell)
    decoding.begin("frame")  # type: ignore[arg-type]
    (done,) = bell.collect(lambda: decoding.finished(0.0), 1)
    assert isinstance(done.outcome, kind)
    decoding.shutdown()
