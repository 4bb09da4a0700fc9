"""Answer a question about many pictures in batches, in the order in which they came.

Only pictures of one input shape share a batch, so that those of a mixed folder wait for others of theirs, within a
bound.
"""

from collections.abc import Hashable, Iterable, Iterator

from groundcam.offline.inputs import InputError, Picture
from groundcam_schemas import Object, Question
from groundcam_worker.detectors.protocol import Detector, detect_each
from groundcam_worker.policy.answers import objects_of

Answer = tuple[Object, ...] | InputError
WAITING_BATCHES = 4


def answered(
    pictures: Iterable[Picture | InputError], detector: Detector, question: Question, batch_size: int
) -> Iterator[tuple[Picture | None, Answer]]:
    """Yield each picture with its objects, or with why there are none; None for a path that cannot be read.

    One that the detector raises for is one of those without an answer. Raises DetectorLostError.
    """
    order: list[Picture | InputError] = []
    answers: dict[int, Answer] = {}
    groups: dict[Hashable, list[Picture]] = {}
    for picture in pictures:
        taken = _shaped(picture, detector) if isinstance(picture, Picture) else picture
        if isinstance(taken, InputError):
            order.append(taken)
        else:
            whole, shape = taken
            order.append(whole)
            group = groups.setdefault(shape, [])
            group.append(whole)
            if len(group) == batch_size:
                _answer(groups, shape, detector, question, answers)
        while len(order) > WAITING_BATCHES * batch_size and groups:
            # The picture that all others wait for is in the oldest group.
            _answer(groups, next(iter(groups)), detector, question, answers)
            yield from _ready(order, answers)
        yield from _ready(order, answers)
    while groups:
        _answer(groups, next(iter(groups)), detector, question, answers)
    yield from _ready(order, answers)


def _answer(
    groups: dict[Hashable, list[Picture]],
    shape: Hashable,
    detector: Detector,
    question: Question,
    answers: dict[int, Answer],
) -> None:
    group = groups.pop(shape)
    found = detect_each(detector, [one.image for one in group], [question] * len(group))
    for picture, detections in zip(group, found, strict=True):
        answers[id(picture)] = (
            InputError(f"{picture.path} cannot be answered: {detections}")
            if isinstance(detections, Exception)
            else objects_of(detections, question, picture.size, picture.size)
        )


def _shaped(picture: Picture, detector: Detector) -> tuple[Picture, Hashable] | InputError:
    """Return a picture and what shape it becomes; whatever the detector raises for it is about this picture."""
    try:
        return picture, detector.input_shape(*picture.size)
    except Exception as error:  # noqa: BLE001
        return InputError(f"{picture.path} cannot be answered: {type(error).__name__}: {error}")


def _ready(order: list[Picture | InputError], answers: dict[int, Answer]) -> Iterator[tuple[Picture | None, Answer]]:
    """Yield from the front what has an answer."""
    while order and (isinstance(order[0], InputError) or id(order[0]) in answers):
        first = order.pop(0)
        if isinstance(first, InputError):
            yield None, first
        else:
            yield first, answers.pop(id(first))
