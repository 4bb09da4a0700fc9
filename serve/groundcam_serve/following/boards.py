"""What workers, cameras and questions are now: three compacted topics, followed by one thread."""

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from groundcam_runtime.kafka.camera_statuses import take as take_camera
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.worker_statuses import is_alive
from groundcam_runtime.kafka.worker_statuses import take as take_worker
from groundcam_runtime.records import NS_PER_MS, Consumed
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraQuestion, CameraStatus, SchemaError, WorkerState, WorkerStatus, decode
from groundcam_schemas.identity import is_errand
from groundcam_serve.following.changes import Changes

recurring = Recurring(logging.getLogger(__name__))

POLL_S = 0.2
PAUSE_S = 1.0
END_S = 3.0
MOST_ASKED = 20
"""Questions of a camera that are remembered, and of so many cameras."""
MOST_NAMES = 10_000


@dataclass(frozen=True, slots=True)
class AskedOnce:
    """A question at the time at which it was asked; None where one was taken back."""

    question: CameraQuestion | None
    at_ns: int


class Boards:
    """Reads what there is, then keeps it up to date. Values are replaced whole, so any thread may read them."""

    def __init__(self, kafka: KafkaSettings, loop: asyncio.AbstractEventLoop) -> None:
        """Read the topics to their ends. `until` belongs to `loop`. Raises KafkaProblem."""
        self._topics = kafka.topics
        self._workers: dict[str, WorkerStatus] = {}
        self._cameras: dict[str, CameraStatus] = {}
        self._questions: dict[str, CameraQuestion] = {}
        self._asked: OrderedDict[str, tuple[AskedOnce, ...]] = OrderedDict()
        self._stopping = threading.Event()
        self._changes = Changes(loop)
        topics = self._topics
        self._reader = Reader(kafka, [topics.workers, topics.cameras, topics.prompts], start="beginning")
        try:
            for record in self._reader.to_the_end():
                self._take(record)
        except BaseException:
            self._reader.__exit__(None, None, None)
            raise
        self._thread = threading.Thread(target=self._follow, name="boards", daemon=True)
        self._thread.start()

    @property
    def workers(self) -> list[WorkerStatus]:
        """Workers that have told of themselves lately."""
        now_ns = time.time_ns()
        return [one for one in dict(self._workers).values() if is_alive(one, now_ns)]

    @property
    def ready(self) -> int:
        """How many workers are ready."""
        return sum(one.state is WorkerState.READY for one in self.workers)

    @property
    def cameras(self) -> dict[str, CameraStatus]:
        """Every camera that has told of itself."""
        return dict(sorted(self._cameras.items()))

    @property
    def questions(self) -> dict[str, CameraQuestion]:
        """What was asked over Kafka, by camera or `*`."""
        return dict(sorted(self._questions.items()))

    def asked(self, camera_id: str) -> list[AskedOnce]:
        """Return what a camera, or `*`, was asked, the newest first; as far as it lay on Kafka or was heard here."""
        return list(self._asked.get(camera_id, ()))[::-1]

    def not_ready(self) -> str | None:
        """Return why nobody would answer a request now, or None."""
        if self.ready:
            return None
        workers = self.workers
        if not workers:
            return "no worker has told of itself"
        return "; ".join(f"{one.worker_id} is {describe(one)}" for one in workers)

    async def until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Return whether something is so on the boards within this time."""
        return await self._changes.until(is_so, seconds)

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(END_S)

    def _follow(self) -> None:
        with self._reader as reader:
            while not self._stopping.is_set():
                try:
                    records = reader.poll(POLL_S)
                    for record in records:
                        self._take(record)
                    if records:
                        self._changes.tell()
                except KafkaProblem as problem:
                    recurring.warning("boards that cannot be read", "workers and cameras cannot be read: %s", problem)
                    self._stopping.wait(PAUSE_S)

    def _take(self, record: Consumed) -> None:
        topic, key, value = record.partition.topic, record.key, record.value
        if topic == self._topics.workers:
            take_worker(self._workers, key, value)
        elif is_errand((key or b"").decode("utf-8", "replace")):
            return
        elif topic == self._topics.cameras:
            take_camera(self._cameras, key, value)
        else:
            self._take_question((key or b"").decode("utf-8", "replace"), value, record.timestamp_ms * NS_PER_MS)

    def _take_question(self, name: str, value: bytes | None, at_ns: int) -> None:
        question: CameraQuestion | None = None
        try:
            self._questions[name] = question = decode(CameraQuestion, value or b"")
        except SchemaError:
            if value or self._questions.pop(name, None) is None:
                return
        asked = self._asked.pop(name, ())
        # A new one each time: others read it meanwhile.
        self._asked[name] = (*asked, AskedOnce(question, at_ns))[-MOST_ASKED:]
        if len(self._asked) > MOST_NAMES:
            self._asked.popitem(last=False)


def describe(status: WorkerStatus) -> str:
    """Return a worker's state in words, as `fetching 40 %`."""
    words = status.state.value.replace("_", " ")
    return words if status.progress is None else f"{words} {status.progress:.0%}"
