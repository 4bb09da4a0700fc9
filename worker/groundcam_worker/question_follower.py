"""Follow the prompts topic: questions change while the worker runs, and take effect with the next batch."""

import logging
import threading
from collections.abc import Callable

from groundcam_runtime.kafka.camera_statuses import camera_statuses
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraQuestion, Question, SchemaError, decode
from groundcam_schemas.limits import check_camera_id
from groundcam_schemas.questions import EVERY_CAMERA
from groundcam_worker.errors import QuestionError
from groundcam_worker.policy.questions import Questions

log = logging.getLogger(__name__)

POLL_S = 0.2


def _camera_of(key: bytes) -> str:
    """Return a camera's id or `*`. Raises ValueError."""
    text = key.decode()
    return text if text == EVERY_CAMERA else check_camera_id(text)


def camera_sizes(settings: KafkaSettings) -> set[tuple[int, int]]:
    """Return the (width, height) of the pictures of every camera that has told of itself; none without the topic."""
    try:
        told = camera_statuses(settings)
    except KafkaProblem as problem:
        # A hint, and no more: without it new shapes are warmed up when they come.
        log.info("the cameras' sizes are not known: %s", problem)
        return set()
    return {(status.width, status.height) for status in told if status.width and status.height}


class QuestionFollower:
    """Reads every question that holds now, then keeps them up to date on a thread of its own."""

    def __init__(self, settings: KafkaSettings, questions: Questions, check: Callable[[Question], None]) -> None:
        """Read what is there. `check` raises QuestionError for what cannot be asked. Raises KafkaProblem."""
        self._questions = questions
        self._check = check
        self._stopping = threading.Event()
        self._reader = Reader(settings, [settings.topics.prompts], start="beginning")
        for record in self._reader.to_the_end():
            self._apply(record)
        self._thread = threading.Thread(target=self._follow, name="prompts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(2.0)

    def _follow(self) -> None:
        with self._reader:
            while not self._stopping.is_set():
                try:
                    for record in self._reader.poll(POLL_S):
                        self._apply(record)
                except KafkaProblem as problem:
                    log.warning("questions cannot be read: %s", problem)
                    self._stopping.wait(1.0)
                except Exception:
                    log.exception("a message on the prompts topic is ignored")

    def _apply(self, record: Consumed) -> None:
        """A bad question changes nothing: the one that held before still holds."""
        try:
            camera_id = _camera_of(record.key or b"")
        except ValueError:
            log.warning("a question for nobody is ignored: its key is neither a camera's id nor *")
            return
        if not record.value:
            self._questions.forget(camera_id)
            log.info("the question for %s was taken back", camera_id)
            return
        try:
            question = decode(CameraQuestion, record.value)
            if question.camera_id != camera_id:
                raise QuestionError(f"it is for {question.camera_id}, but its key is {camera_id}")
            self._check(question)
        except (SchemaError, QuestionError) as error:
            log.warning("a question for %s is ignored: %s", camera_id, error)
            return
        self._questions.tell(question)
        log.info("%s is asked now: %s (version %s)", camera_id, ", ".join(question.labels), question.version)
