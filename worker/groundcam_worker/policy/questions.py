"""Which question is in force for which camera, and how people write questions. Pure.

Precedence: a frame's own question, the camera's, the default. One from Kafka overrides one from the command line,
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
"""Of these questions together: some 30 MB where phrases are short, 100 MB at the worst."""

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
    # An empty phrase is reported with its position in the question, which is not known here.
    return ClassSpec.model_construct(
        phrase=" ".join(phrase.lower().split()), box_threshold=None if threshold is None else float(threshold)
    )


def parse_question(text: str, **options: float | None) -> tuple[str, Question]:
    """Read `person, dog` (for every camera, `*`) or `gate=person, dog`.

    Options are fields of Question; those that are None are left at their defaults. Raises QuestionError.
    """
    match = _FOR_CAMERA.match(text)
    camera_id, classes = match.groups() if match else (EVERY_CAMERA, text)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        question = Question.model_validate({"classes": [one.model_dump() for one in parse_classes(classes)], **given})
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        raise QuestionError(f"the question {text!r}: {first['msg'].removeprefix('Value error, ')}") from None
    return camera_id, question


@dataclass(frozen=True, slots=True)
class ActiveQuestion:
    """A question in force, and the camera that it is for."""

    camera_id: str
    """Or `*`."""
    question: Question
    from_kafka: bool
    ref: QuestionRef


class Questions:
    """The questions in force."""

    def __init__(self, initial: Iterable[tuple[str, Question]] = ()) -> None:
        """Take (camera id or `*`, question) pairs. Raises QuestionError for two of one camera."""
        self._initial: dict[str, ActiveQuestion] = {}
        self._from_kafka: dict[str, ActiveQuestion] = {}
        self._classes = 0
        for camera_id, question in initial:
            if camera_id in self._initial:
                who = "every camera" if camera_id == EVERY_CAMERA else f"the camera {camera_id}"
                raise QuestionError(f"there are two questions for {who}")
            self._initial[camera_id] = _active(camera_id, question, from_kafka=False)

    def has_room(self, question: CameraQuestion) -> bool:
        """Whether a question that came over Kafka can be kept. The one for every camera always can."""
        if question.camera_id == EVERY_CAMERA:
            return True
        replaced = self._from_kafka.get(question.camera_id)
        cameras = len(self._from_kafka) - (EVERY_CAMERA in self._from_kafka) - (replaced is not None) + 1
        classes = self._classes - _counted(replaced) + len(question.classes)
        return cameras <= MAX_CAMERAS and classes <= MAX_CLASSES_IN_ALL

    def set(self, question: CameraQuestion) -> bool:
        """Put a question from Kafka in force, and return True, where there is room for it."""
        if not self.has_room(question):
            return False
        active = _active(question.camera_id, question, from_kafka=True)
        self._classes += _counted(active) - _counted(self._from_kafka.get(question.camera_id))
        self._from_kafka[question.camera_id] = active
        return True

    def remove(self, camera_id: str) -> None:
        """Remove the question from Kafka for a camera (or `*`): the one from the start is in force again."""
        self._classes -= _counted(self._from_kafka.pop(camera_id, None))

    def all(self) -> list[ActiveQuestion]:
        """Return every question in force for some camera."""
        return list({**self._initial, **self._from_kafka}.values())

    def for_frame(self, camera_id: str, own: Question | None) -> tuple[QuestionRef, Question] | None:
        """Return the question for a frame, or None where there is none."""
        if own is not None:
            return _ref("frame", own), own
        for name in (camera_id, EVERY_CAMERA):
            for known in (self._from_kafka, self._initial):
                if active := known.get(name):
                    return active.ref, active.question
        return None


def _counted(active: ActiveQuestion | None) -> int:
    """Return the classes of a question that there may be no room for."""
    return 0 if active is None or active.camera_id == EVERY_CAMERA else len(active.question.classes)


def _active(camera_id: str, question: Question, *, from_kafka: bool) -> ActiveQuestion:
    return ActiveQuestion(camera_id, question, from_kafka, _ref(camera_id, question))


def _ref(name: str, question: Question) -> QuestionRef:
    return QuestionRef(id=name, version=question.version, classes=question.labels)
