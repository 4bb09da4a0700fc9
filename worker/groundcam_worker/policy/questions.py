"""Which question holds for which camera, and how people write questions. Pure.

A frame's own question beats the camera's, which beats the default. What came over Kafka beats the command line,
camera by camera.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from groundcam_schemas import CameraQuestion, Question, QuestionRef
from groundcam_schemas.questions import EVERY_CAMERA, ClassSpec
from groundcam_worker.errors import QuestionError

MAX_CAMERAS = 10_000
"""That have a question of their own over Kafka: a name costs nothing to invent, and this is more than one group of
workers could watch."""
MAX_CLASSES_IN_ALL = 50_000
"""Of these questions together: some 20 MB where phrases are short, 60 MB at the worst."""

_FOR_CAMERA = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*=\s*(.*)$", re.DOTALL)
_WITH_THRESHOLD = re.compile(r"^(.*\S)\s*:\s*(\d+(?:\.\d+)?|\.\d+)\s*$", re.DOTALL)
_SEPARATORS = re.compile(r"\s*,\s*|\s*\.(?:\s+|$)")


def parse_classes(text: str) -> tuple[ClassSpec, ...]:
    """Read `person, forklift:0.4` or the model's own form `person . forklift .`, in lower case.

    A number behind a colon is the class's own box threshold. Raises QuestionError for an empty question or class,
    one with a full stop or question mark in it (the model takes both as ends), one that is there twice, or a
    threshold that is none.
    """
    stripped = text.strip()
    parts = _SEPARATORS.split(stripped)
    if parts and not parts[-1]:
        parts.pop()
    if not parts:
        raise QuestionError("a question needs at least one class")
    classes = tuple(_class(part) for part in parts)
    known: set[str] = set()
    for position, phrase in enumerate((one.phrase for one in classes), 1):
        if not phrase.strip():
            raise QuestionError(f"class {position} of the question {stripped!r} is empty")
        if "." in phrase or "?" in phrase:
            raise QuestionError(f"the class {phrase!r} has a full stop or question mark in it")
        if phrase in known:
            raise QuestionError(f"the class {phrase!r} is listed twice")
        known.add(phrase)
    return classes


def _class(text: str) -> ClassSpec:
    match = _WITH_THRESHOLD.match(text)
    phrase, threshold = match.groups() if match else (text, None)
    if threshold is not None and float(threshold) > 1:
        raise QuestionError(f"the threshold {threshold} of the class {phrase.strip()!r} is more than 1")
    # An empty phrase is told by its place in the question, which is not known here.
    return ClassSpec.model_construct(
        phrase=" ".join(phrase.lower().split()), box_threshold=None if threshold is None else float(threshold)
    )


def parse_question(text: str, **options: float | None) -> tuple[str, Question]:
    """Read `person, dog` (for every camera, `*`) or `gate=person, dog`.

    Options are fields of Ask; those that are None are left at their defaults. Raises QuestionError.
    """
    match = _FOR_CAMERA.match(text)
    camera_id, classes = match.groups() if match else (EVERY_CAMERA, text)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        ask = Question.model_validate({"classes": [one.model_dump() for one in parse_classes(classes)], **given})
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        raise QuestionError(f"the question {text!r}: {first['msg']}") from None
    return camera_id, ask


@dataclass(frozen=True, slots=True)
class Holding:
    """A question that holds, and whose it is."""

    camera_id: str
    """Or `*`."""
    question: Question
    from_kafka: bool
    ref: QuestionRef


class Questions:
    """The questions that hold now."""

    def __init__(self, initial: Iterable[tuple[str, Question]] = ()) -> None:
        """Take (camera id or `*`, question) pairs. Raises QuestionError for two of one camera."""
        self._initial: dict[str, Holding] = {}
        self._told: dict[str, Holding] = {}
        self._classes = 0
        for camera_id, ask in initial:
            if camera_id in self._initial:
                who = "every camera" if camera_id == EVERY_CAMERA else f"the camera {camera_id}"
                raise QuestionError(f"there are two questions for {who}")
            self._initial[camera_id] = _holding(camera_id, ask, from_kafka=False)

    def has_room(self, question: CameraQuestion) -> bool:
        """Whether a question that came over Kafka can be kept. The one for every camera always can."""
        if question.camera_id == EVERY_CAMERA:
            return True
        replaced = self._told.get(question.camera_id)
        cameras = len(self._told) - (EVERY_CAMERA in self._told) - (replaced is not None) + 1
        classes = self._classes - _counted(replaced) + len(question.classes)
        return cameras <= MAX_CAMERAS and classes <= MAX_CLASSES_IN_ALL

    def tell(self, question: CameraQuestion) -> bool:
        """Take a question that came over Kafka, and return True, where there is room for it."""
        if not self.has_room(question):
            return False
        held = _holding(question.camera_id, question, from_kafka=True)
        self._classes += _counted(held) - _counted(self._told.get(question.camera_id))
        self._told[question.camera_id] = held
        return True

    def forget(self, camera_id: str) -> None:
        """Take back what came over Kafka for a camera (or `*`): what was set at the start holds again."""
        self._classes -= _counted(self._told.pop(camera_id, None))

    def all(self) -> list[Holding]:
        """Return every question that holds for some camera."""
        return list({**self._initial, **self._told}.values())

    def for_frame(self, camera_id: str, own: Question | None) -> tuple[QuestionRef, Question] | None:
        """Return the question for a frame, or None where nobody has asked one."""
        if own is not None:
            return _ref("frame", own), own
        for name in (camera_id, EVERY_CAMERA):
            for known in (self._told, self._initial):
                if held := known.get(name):
                    return held.ref, held.question
        return None


def _counted(held: Holding | None) -> int:
    """Return the classes of a question that there may be no room for."""
    return 0 if held is None or held.camera_id == EVERY_CAMERA else len(held.question.classes)


def _holding(camera_id: str, question: Question, *, from_kafka: bool) -> Holding:
    return Holding(camera_id, question, from_kafka, _ref(camera_id, question))


def _ref(name: str, ask: Question) -> QuestionRef:
    return QuestionRef(id=name, version=ask.version, classes=ask.labels)
