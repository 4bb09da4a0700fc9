"""A worker starts without the questions from Kafka that its detector cannot be made ready for."""

import logging
from collections.abc import Sequence

import pytest

from groundcam_schemas import CameraQuestion, Question
from groundcam_worker import warm_up as starting
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.errors import DetectorLostError, ModelError, QuestionError
from groundcam_worker.policy.questions import Questions
from groundcam_worker.warm_up import warm_up


class Choosy(FakeDetector):
    """Remembers what it was warmed up for; raises for classes that are named after an error."""

    errors = (QuestionError, RuntimeError, ModelError, DetectorLostError)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[tuple[str, ...]]] = []

    def warm_up(self, asks: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        self.calls.append([ask.labels for ask in asks])
        assert (sizes, batch_size) == ([(64, 48)], 4)
        for ask in asks:
            for error in self.errors:
                if error.__name__ in ask.labels:
                    raise error(f"on {ask.labels[0]}")


def prepared(questions: Questions) -> list[list[tuple[str, ...]]]:
    detector = Choosy()
    warm_up(detector, questions, [(64, 48)], 4)
    return detector.calls


def asking(*initial: tuple[str, str], **told: str) -> Questions:
    questions = Questions([(camera, Question.of(phrase)) for camera, phrase in initial])
    for camera, phrase in told.items():
        questions.set(CameraQuestion(**dict(Question.of(phrase)), camera_id="*" if camera == "every" else camera))
    return questions


def held(questions: Questions) -> dict[str, str]:
    return {one.camera_id: one.question.labels[0] for one in questions.all()}


def test_questions_are_prepared_together_and_equal_ones_once() -> None:
    questions = asking(("*", "dog"), ("gate", "dog"), yard="cat", door="cat", hall="dog")
    assert prepared(questions) == [[("dog",), ("cat",)]]


@pytest.mark.parametrize("error", ["QuestionError", "RuntimeError"])
def test_a_question_that_fails_is_forgotten_and_its_neighbours_stay(
    error: str, caplog: pytest.LogCaptureFixture
) -> None:
    questions = asking(("*", "dog"), ("gate", "cow"), gate=error, yard="cat", door=error)
    calls = prepared(questions)
    assert held(questions) == {"*": "dog", "gate": "cow", "yard": "cat"}
    assert calls[1:] == [[("dog",)], [(error,)], [("cat",)], [("cow",)]], "what holds again is prepared, too"
    assert [one.message for one in caplog.records if one.levelno == logging.WARNING] == [
        f"the question for the camera {name} is forgotten, it cannot be asked: on {error}" for name in ("gate", "door")
    ]


def test_a_question_for_every_camera_may_be_forgotten() -> None:
    questions = asking(("*", "dog"), every="RuntimeError")
    prepared(questions)
    assert held(questions) == {"*": "dog"}


@pytest.mark.parametrize("error", ["QuestionError", "RuntimeError"])
@pytest.mark.parametrize("camera", ["*", "gate"])
def test_a_question_that_was_set_at_the_start_is_an_error(error: str, camera: str) -> None:
    who = "every camera" if camera == "*" else "the camera gate"
    with pytest.raises(QuestionError, match=f"the question for {who} cannot be asked: on {error}"):
        prepared(asking((camera, error), yard="cat"))


def test_one_that_holds_again_is_an_error_as_well() -> None:
    with pytest.raises(QuestionError, match="on RuntimeError"):
        prepared(asking(("gate", "RuntimeError"), gate="QuestionError"))


@pytest.mark.parametrize("error", [ModelError, DetectorLostError])
def test_a_detector_that_cannot_be_used_condemns_no_question(error: type[Exception]) -> None:
    questions, detector = asking(yard=error.__name__), Choosy()
    with pytest.raises(error):
        warm_up(detector, questions, [(64, 48)], 4)
    assert held(questions) == {"yard": error.__name__}
    assert len(detector.calls) == 1, "there is nothing to find out"
    questions = asking(door="RuntimeError", yard=error.__name__)
    with pytest.raises(error):
        prepared(questions)


def test_so_many_questions_of_single_cameras_are_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may take a second: somebody who invents cameras must not keep a worker from starting."""
    monkeypatch.setattr(starting, "MAX_PREPARED", 2)
    told = {f"cam{number}": f"class {number}" for number in range(5)}
    (calls,) = prepared(asking(("*", "dog"), ("gate", "cow"), **told, every="cat"))
    assert calls == [("cat",), ("cow",), ("class 0",), ("class 1",)]
