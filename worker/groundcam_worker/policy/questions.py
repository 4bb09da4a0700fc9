"""Which question is in force for which camera. Pure.

Precedence: a frame's own question, the camera's, the default. One from Kafka overrides one from the command line,
camera by camera.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from groundcam_schemas import CameraQuestion, Question, QuestionRef
from groundcam_schemas.questions import EVERY_CAMERA
from groundcam_worker.errors import QuestionError

MAX_CAMERAS = 10_000
"""That have a question of their own over Kafka: a name costs nothing to invent, and this is more than one group of
workers could watch."""
MAX_CLASSES_IN_ALL = 50_000
"""Of these questions together: some 30 MB where phrases are short, 100 MB at the worst."""


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

    def has(self, question: CameraQuestion) -> bool:
        """Whether just this is the question from Kafka for its camera."""
        active = self._from_kafka.get(question.camera_id)
        return active is not None and active.ref.version == question.version

    def remove(self, camera_id: str) -> bool:
        """Remove the question from Kafka for a camera (or `*`): the one from the start is in force again.

        Returns whether there was one.
        """
        removed = self._from_kafka.pop(camera_id, None)
        self._classes -= _counted(removed)
        return removed is not None

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
