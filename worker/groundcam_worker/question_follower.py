"""Follow the prompts topic: questions change while the worker runs, and take effect with the next batch."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial

from groundcam_runtime.kafka.camera_statuses import camera_statuses
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraQuestion, Question, SchemaError, decode
from groundcam_schemas.limits import check_camera_id
from groundcam_schemas.questions import EVERY_CAMERA
from groundcam_worker.errors import QuestionError, first_line
from groundcam_worker.policy.questions import Questions
from groundcam_worker.time_limiter import OverdueError, TimeLimiter

log = logging.getLogger(__name__)

Judged = Callable[[str, str, str | None], None]
POLL_S = 0.2
PAUSE_S = 1.0
"""After an error of the reader's."""
CHECK_S = 5.0
"""The longest question, 500 classes of 256 letters, is tokenised in a fraction of a second."""
MAX_STUCK_CHECKS = 4
NAMED_CLASSES = 10
"""In the log; a question may have 500."""
MAX_SIZES = 8
"""Each size that is warmed up takes seconds, on a CPU minutes."""


def _camera_of(key: bytes) -> str:
    """Return a camera's id or `*`. Raises ValueError."""
    text = key.decode()
    return text if text == EVERY_CAMERA else check_camera_id(text)


def camera_sizes(settings: KafkaSettings) -> set[tuple[int, int]]:
    """Return the (width, height) of the pictures that most cameras have reported, at most MAX_SIZES of them.

    None without the topic.
    """
    try:
        statuses = camera_statuses(settings)
    except KafkaProblem as problem:
        # A hint, and no more: without it new shapes are warmed up when they come.
        log.info("the cameras' sizes are not known: %s", problem)
        return set()
    newest = {status.camera_id: (status.width, status.height) for status in statuses if status.width and status.height}
    return {size for size, _ in Counter(newest.values()).most_common(MAX_SIZES)}


class QuestionFollower:
    """Reads every question in force, then keeps them up to date on a thread of its own.

    A question that cannot be asked, that makes the check raise or keeps it busy, or for which there is no room,
    changes nothing: the question before it stays in force, and the next record is read.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        questions: Questions,
        check: Callable[[Question], None],
        check_s: float = CHECK_S,
        judged: Judged = lambda _camera_id, _version, _refused: None,
    ) -> None:
        """Read what is there. `check` raises QuestionError for what cannot be asked. Raises KafkaProblem.

        `judged` hears of each question by its camera and version whether it is in force (None), or why not.
        """
        self._judged = judged
        self._questions = questions
        self._recurring = Recurring(log)
        self._check = check
        self._limiter = TimeLimiter("question-check", check_s, MAX_STUCK_CHECKS)
        self._is_full = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="prompts", daemon=True)
        with ExitStack() as stack:
            self._reader = stack.enter_context(Reader(settings, [settings.topics.prompts], start="beginning"))
            for record in self._reader.to_the_end():
                self._apply(record)
            self._close_reader = stack.pop_all()

    def start(self) -> None:
        """Begin to follow. Until then the questions belong to the caller's thread, and afterwards to this one."""
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        if self._thread.ident is None:
            self._close_reader.close()
        else:
            self._thread.join(2.0)

    def _follow(self) -> None:
        with self._close_reader:
            while not self._stopping.is_set():
                try:
                    records = self._reader.poll(POLL_S)
                except KafkaProblem as problem:
                    log.warning("questions cannot be read: %s", problem)
                    self._stopping.wait(PAUSE_S)
                except Exception:
                    log.exception("questions cannot be read")
                    self._stopping.wait(PAUSE_S)
                else:
                    for record in records:
                        self._apply(record)

    def _apply(self, record: Consumed) -> None:
        """A bad question changes nothing: the one before it stays in force."""
        try:
            camera_id = _camera_of(record.key or b"")
        except ValueError:
            self._recurring.warning(
                "questions for nobody",
                "a question for nobody is ignored: its key is neither a camera's id nor *",
                topic=record.partition.topic, partition=record.partition.number, offset=record.offset,
            )  # fmt: skip
            return
        try:
            self._take(camera_id, record.value)
        except (SchemaError, QuestionError, OverdueError) as error:
            self._ignored(camera_id, record, error, str(error))
        except Exception as error:
            self._ignored(camera_id, record, error, f"{type(error).__name__}: {first_line(error)}")
            log.debug("the question for %s", camera_id, exc_info=True)

    def _ignored(self, camera_id: str, record: Consumed, error: Exception, why: str) -> None:
        version = ""
        with suppress(SchemaError):
            version = decode(CameraQuestion, record.value or b"").version
        self._judged(camera_id, version, why)
        self._recurring.warning(
            f"questions with {type(error).__name__}", "a question for %s is ignored: %s", camera_id, why,
            camera=camera_id, topic=record.partition.topic, partition=record.partition.number, offset=record.offset,
        )  # fmt: skip

    def _take(self, camera_id: str, value: bytes | None) -> None:
        """Raises SchemaError, QuestionError, OverdueError, and whatever the check raises."""
        if not value:
            if self._questions.remove(camera_id):
                self._is_full = False
                log.info("the question for %s was taken back", camera_id, extra={"camera": camera_id})
            return
        question = decode(CameraQuestion, value)
        if question.camera_id != camera_id:
            raise QuestionError(f"it is for {question.camera_id}, but its key is {camera_id}")
        if not self._questions.has_room(question):
            self._say_full(camera_id)
            self._judged(camera_id, question.version, "there are too many questions of single cameras")
            return
        self._limiter.call(partial(self._check, question))
        is_news = not self._questions.has(question)
        self._questions.set(question)
        self._judged(camera_id, question.version, None)
        if is_news:
            log.info(
                "%s is asked now: %s (version %s)", camera_id, _brief(question.labels), question.version,
                extra={"camera": camera_id},
            )  # fmt: skip

    def _say_full(self, camera_id: str) -> None:
        if not self._is_full:
            self._is_full = True
            log.warning(
                "a question for %s is ignored, as others will be from now on: there are too many questions of single"
                " cameras on the prompts topic; take back those of cameras that are gone", camera_id,
            )  # fmt: skip


def _brief(labels: Sequence[str]) -> str:
    more = len(labels) - NAMED_CLASSES
    return ", ".join(labels[:NAMED_CLASSES]) + (f" and {more} more" if more > 0 else "")
