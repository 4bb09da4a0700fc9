"""Make a detector ready for the questions in force, and do without those that it cannot be made ready for."""

import logging
from collections import defaultdict
from collections.abc import Sequence

from groundcam_schemas.questions import EVERY_CAMERA
from groundcam_worker.detectors.protocol import Detector
from groundcam_worker.errors import DetectorLostError, ModelError, QuestionError, first_line
from groundcam_worker.policy.questions import ActiveQuestion, Questions

log = logging.getLogger(__name__)

MAX_PREPARED = 64
"""Different questions of single cameras from Kafka. Each may take a second, and detectors keep the text of 256."""


def warm_up(detector: Detector, questions: Questions, sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
    """Warm up for the questions in force, and for picture sizes (width, height).

    A question from Kafka that the detector fails on is removed, with a warning; the one set at the start is
    in force again. Raises QuestionError for a question that was set at the start, ModelError, DetectorLostError.
    """
    groups = _by_version(questions)
    try:
        detector.warm_up([group[0].question for group in groups.values()], sizes, batch_size)
    except (ModelError, DetectorLostError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it may be about one question
        log.info("questions cannot be prepared together, so each is prepared by itself: %s", first_line(error))
        _one_by_one(detector, questions, sizes, batch_size)


def _one_by_one(detector: Detector, questions: Questions, sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
    """Raises as `warm_up` does."""
    tried = _by_version(questions)
    for group in tried.values():
        _prepare(detector, questions, group, sizes, batch_size)
    # Where a question was removed, the one that was set at the start is in force again.
    for version, group in _by_version(questions).items():
        if version not in tried and not group[0].from_kafka:
            _prepare(detector, questions, group, sizes, batch_size)


def _prepare(
    detector: Detector,
    questions: Questions,
    group: Sequence[ActiveQuestion],
    sizes: Sequence[tuple[int, int]],
    batch_size: int,
) -> None:
    """Warm up for questions that are equal. Raises as `warm_up` does."""
    try:
        detector.warm_up([group[0].question], sizes, batch_size)
    except (ModelError, DetectorLostError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about this question
        _remove(questions, group, error)


def _remove(questions: Questions, group: Sequence[ActiveQuestion], error: Exception) -> None:
    """Raises QuestionError where a question was set at the start."""
    for active in group:
        who = "every camera" if active.camera_id == EVERY_CAMERA else f"the camera {active.camera_id}"
        if not active.from_kafka:
            raise QuestionError(f"the question for {who} cannot be asked: {first_line(error)}") from error
        log.warning("the question for %s is forgotten, it cannot be asked: %s", who, first_line(error))
        questions.remove(active.camera_id)


def _by_version(questions: Questions) -> dict[str, list[ActiveQuestion]]:
    """Return equal questions together: those from the start and for every camera, and as many others as are kept."""
    groups: defaultdict[str, list[ActiveQuestion]] = defaultdict(list)
    others = 0
    for active in questions.all():
        if active.from_kafka and active.camera_id != EVERY_CAMERA and active.ref.version not in groups:
            others += 1
            if others > MAX_PREPARED:
                continue
        groups[active.ref.version].append(active)
    return groups
