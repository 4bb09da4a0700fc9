"""Runs jobs: a video in a bounded folder, a producer of every frame, and the question that goes before it."""

import asyncio
import logging
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.send_now import send_now
from groundcam_runtime.settings import KafkaSettings
from groundcam_runtime.verdicts import Outcome, outcome
from groundcam_schemas import CameraQuestion, Detections, Gap, Question
from groundcam_schemas.identity import JOB
from groundcam_serve.following.boards import Boards
from groundcam_serve.jobs.store import Job, JobState, JobStore
from groundcam_serve.settings import ServeSettings

log = logging.getLogger(__name__)

MOST_JOBS = 100
AT_ONCE = 2
"""Films that are decoded; others wait for their turn."""
VERDICT_S = 5.0
STALL_S = 120.0
"""A job has failed once nothing is said of any frame for so long: no worker is at work."""
LONGEST_STALL_S = 1800.0
"""And once nothing is said of its own: while others are answered its frames may wait for their turn."""


@dataclass(slots=True)
class Film:
    """A job's film in the temporary folder."""

    path: Path
    size: int = 0
    """Bytes of it that are there."""


class Producing(Protocol):
    """A producer of one film."""

    def wait(self) -> tuple[int | None, str]:
        """Wait for its end; return how many frames are on Kafka, or None and why it failed."""

    def stop(self) -> None:
        """End it."""


StartProducer = Callable[[str, Path, float | None], Producing]
"""Called with a camera id, a film, and frames a second (None: every one)."""


class JobRunner:
    """Belongs to the event loop, but for `take`, which any thread may call."""

    def __init__(self, kafka: KafkaSettings, boards: Boards, start: StartProducer, settings: ServeSettings) -> None:
        """`start` decodes a film."""
        self._kafka, self._boards, self._start = kafka, boards, start
        self._most_bytes = settings.max_jobs_bytes
        self.store = JobStore(MOST_JOBS, settings.max_waiting_bytes, settings.keep_jobs_s)
        self._folder = tempfile.TemporaryDirectory(prefix="groundcam-jobs-")
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._heard_s = time.monotonic()
        """When an answer came last, whosever it was."""
        self.bytes = 0
        """Of films that lie there, or come."""

    def has_room(self, size: int) -> bool:
        """Whether so many bytes may lie there besides the others; a first film may always."""
        return not self.bytes or self.bytes + size <= self._most_bytes

    def new_film(self) -> tuple[str, Film]:
        """Return a new job's id, and its film, of which nothing is there yet."""
        job_id = secrets.token_hex(8)
        return job_id, Film(Path(self._folder.name) / job_id)

    def grow(self, film: Film, size: int) -> bool:
        """Count bytes of a film that came, where there is room for them: who announces many keeps nobody out."""
        if self.bytes > film.size and not self.has_room(size):
            return False
        film.size += size
        self.bytes += size
        return True

    def release(self, film: Film) -> None:
        """A film is needed no more."""
        film.path.unlink(missing_ok=True)
        self.bytes -= film.size

    def begin(self, job: Job, film: Film, question: Question, fps: float | None) -> bool:
        """Begin a job with a film that is there; False where too many are at work."""
        if not self.store.add(job, time.monotonic()):
            return False
        self._changed[job.id] = asyncio.Event()
        task = self._tasks[job.id] = asyncio.create_task(self._run(job, film.path, question, fps))
        # Also of one that was ended before its first step.
        task.add_done_callback(lambda _task: self._ended(job, film))
        return True

    def cancel(self, job: Job) -> None:
        """End a job, and forget it."""
        self.store.end(job, JobState.CANCELLED, time.monotonic())
        if task := self._tasks.get(job.id):
            task.cancel()
        self.store.forget(job)

    def take(self, answer: Detections | Gap) -> None:
        """Take an answer, or a gap; any thread may call it."""
        self._heard_s = time.monotonic()
        if answer.camera_id.startswith(JOB):
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._took, answer)

    async def close(self) -> None:
        """End every job."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._folder.cleanup()

    def _took(self, answer: Detections | Gap) -> None:
        job = self.store.take(answer, time.monotonic())
        if job is not None and job.id in self._changed:
            self._changed[job.id].set()

    def _ended(self, job: Job, film: Film) -> None:
        self.release(film)
        self._tasks.pop(job.id, None)
        self._changed.pop(job.id, None)

    async def _run(self, job: Job, path: Path, question: Question, fps: float | None) -> None:
        try:
            await self._answer(job, path, question, fps)
        except KafkaProblem as problem:
            self.store.end(job, JobState.FAILED, time.monotonic(), str(problem))
        except Exception:
            log.exception("the job %s", job.id)
            self.store.end(job, JobState.FAILED, time.monotonic(), "it failed; the log says why")
        finally:
            with suppress(KafkaProblem):
                await _whole(self._take_back, job)

    async def _answer(self, job: Job, path: Path, question: Question, fps: float | None) -> None:
        async with self._turns:
            if refused := await self._ask(job, question):
                self.store.end(job, JobState.FAILED, time.monotonic(), f"question: {refused}")
                return
            job.frames = await self._decode(job, path, fps)
        if job.frames is not None:
            await self._until_answered(job)

    async def _decode(self, job: Job, path: Path, fps: float | None) -> int | None:
        """Return how many frames are on Kafka; None where the job has failed."""
        if not job.state.is_through:
            job.state = JobState.DECODING
        begun: list[Producing] = []
        try:
            await _whole(lambda: begun.append(self._start(job.camera_id, path, fps)))
            frames, why = await asyncio.to_thread(begun[0].wait)
        finally:
            for producing in begun:
                await _whole(producing.stop)
        if frames is None:
            self.store.end(job, JobState.FAILED, time.monotonic(), why)
        elif not job.state.is_through:
            job.state = JobState.ANSWERING
        return frames

    async def _until_answered(self, job: Job) -> None:
        changed, moved_s = self._changed[job.id], time.monotonic()
        while not (job.is_answered or job.state.is_through):
            changed.clear()
            try:
                await asyncio.wait_for(changed.wait(), STALL_S)
                moved_s = time.monotonic()
            except TimeoutError:
                now_s = time.monotonic()
                if now_s - max(self._heard_s, moved_s) < STALL_S and now_s - moved_s < LONGEST_STALL_S:
                    continue
                why = f"nothing was said of {(job.frames or 0) - len(job.seen)} frames for {now_s - moved_s:.0f} s"
                self.store.end(job, JobState.FAILED, time.monotonic(), why)
        self.store.end(job, JobState.DONE, time.monotonic())

    async def _ask(self, job: Job, question: Question) -> str | None:
        """Put the question on Kafka, and return why all workers refuse it, if they do. Raises KafkaProblem."""
        now_ns = time.time_ns()
        message = CameraQuestion(**dict(question), camera_id=job.camera_id, set_by=job.owner, set_at_ns=now_ns)
        await _whole(self._put, job, message)
        await self._boards.until(lambda: self._verdict(job, message).is_known, VERDICT_S)
        found = self._verdict(job, message)
        return found.refuses[0][1] if found.refuses and not found.takes else None

    def _verdict(self, job: Job, message: CameraQuestion) -> Outcome:
        return outcome(self._boards.workers, job.camera_id, message.version, {}, time.time_ns())

    def _put(self, job: Job, message: CameraQuestion) -> None:
        record = Record.of(self._kafka.topics.prompts, message, job.camera_id)
        send_now(self._kafka, [record], "the question")

    def _take_back(self, job: Job) -> None:
        """Leave neither a question nor a camera's state, which its producer has told of."""
        topics = self._kafka.topics
        nothing = [Record.of(topic, None, job.camera_id) for topic in (topics.prompts, topics.cameras)]
        send_now(self._kafka, nothing, "the end of the job")


async def _whole(call: Callable[..., None], *arguments: Any) -> None:
    """Do something on a thread to its end, also where the job is cancelled meanwhile: what undoes it comes after it."""
    doing = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError as again:
            cancelled = again
    if cancelled is not None:
        doing.exception()  # it is known, and matters no more
        raise cancelled
    doing.result()
