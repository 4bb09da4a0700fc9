"""Pictures are decoded, and frames' own questions checked, on a few threads and within a deadline.

Native code on a thread cannot be stopped. What takes longer than its deadline is given up; its thread ends by itself
when the call returns, and a new pool takes over everything that had not begun.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from groundcam_runtime.recurring import Recurring
from groundcam_worker.detectors.protocol import Detector
from groundcam_worker.errors import (
    BadPictureError,
    DetectorLostError,
    FrameError,
    OutOfMemoryError,
    QuestionError,
    UnaskableError,
)
from groundcam_worker.frames import Admitted
from groundcam_worker.loop.batches import Outcome, Prepared
from groundcam_worker.loop.events import DecodeDone
from groundcam_worker.pictures import decode_frame

recurring = Recurring(logging.getLogger(__name__))

LOOK_EVERY_S = 0.25
"""For what takes too long."""
MOST_ABANDONED = 16
"""Threads that still decode what was given up; each ends when its call returns, and keeps its picture until then."""
DEADLINE_S = 10.0
"""An 8K picture takes a tenth of a second; a machine at fifty times its load is allowed for."""


@dataclass(eq=False, slots=True)
class _Task:
    admitted: Admitted
    future: Future[Prepared] | None = None
    began_at: float | None = field(default=None)


class Decoding:
    """Belongs to the loop's thread, which `wake` wakes when something is finished."""

    def __init__(
        self,
        prepare: Callable[[Admitted], Prepared],
        threads: int,
        wake: Callable[[], None],
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._prepare = prepare
        self._threads = threads
        self._wake = wake
        self._deadline_s = deadline_s
        self._pool = self._new_pool()
        self._tasks: dict[_Task, None] = {}
        self._done: deque[_Task] = deque()
        self._abandoned: list[Future[Prepared]] = []
        self._look_at = 0.0

    def begin(self, admitted: Admitted) -> None:
        """Decode a frame's picture; `finished` returns the outcome."""
        task = _Task(admitted)
        self._tasks[task] = None
        self._submit(task)

    def finished(self, now: float) -> list[DecodeDone]:
        """Return what is done, or has taken too long. Raises DetectorLostError when too many calls do not return."""
        outcomes = []
        while self._done:
            task = self._done.popleft()
            # One that was given up, or was cancelled to go into another pool, counts no more.
            if task in self._tasks and task.future is not None and task.future.done() and not task.future.cancelled():
                del self._tasks[task]
                outcomes.append(DecodeDone(task.admitted, _outcome(task.future)))
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            outcomes += self._give_up(now)
        return outcomes

    def _give_up(self, now: float) -> list[DecodeDone]:
        late = [
            task
            for task in self._tasks
            if task.began_at is not None
            and now - task.began_at > self._deadline_s
            and not (task.future is not None and task.future.done())
        ]
        if not late:
            return []
        for task in late:
            del self._tasks[task]
        running = [*self._abandoned, *(task.future for task in late)]
        self._abandoned = [one for one in running if one is not None and not one.done()]
        self._replace_pool()
        why = f"it was not decoded, with its question, within {self._deadline_s:g} s"
        return [DecodeDone(task.admitted, BadPictureError(why)) for task in late]

    def shutdown(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, task: _Task) -> None:
        task.future = self._pool.submit(self._run, task)
        task.future.add_done_callback(lambda _future: self._ended(task))

    def _ended(self, task: _Task) -> None:
        """On the pool's thread, or wherever the task was cancelled."""
        self._done.append(task)
        self._wake()

    def _run(self, task: _Task) -> Prepared:
        task.began_at = time.monotonic()
        return self._prepare(task.admitted)

    def _replace_pool(self) -> None:
        recurring.warning(
            "pictures that take too long",
            "a picture takes too long to be decoded: its thread is left behind, others go on",
        )
        if len(self._abandoned) > MOST_ABANDONED:
            raise DetectorLostError(f"{len(self._abandoned)} pictures that were given up are still being decoded")
        old, self._pool = self._pool, self._new_pool()
        for task in self._tasks:
            if task.future is not None and task.future.cancel():
                self._submit(task)
        old.shutdown(wait=False)

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="decode")


def preparation(detector: Detector, max_pixels: int) -> Callable[[Admitted], Prepared]:
    """Return what makes a frame ready for the detector."""

    def prepare(admitted: Admitted) -> Prepared:
        content = admitted.frame.content
        if content.question is not None:
            detector.check(content.question)
        image = decode_frame(content.data, max_pixels, content.header, size=content.picture_size)
        return Prepared(image, detector.input_shape(*content.picture_size), detector.cost(admitted.question))

    return prepare


def _outcome(future: Future[Prepared]) -> Outcome:
    try:
        return future.result()
    except FrameError as error:
        return error
    except QuestionError as error:
        return UnaskableError(f"its question cannot be asked: {error}")
    except MemoryError:
        return OutOfMemoryError("the machine has too little memory for its picture")
    except Exception as error:  # noqa: BLE001 - a processor may raise anything for a picture one pixel high
        return BadPictureError(f"{type(error).__name__}: {error}")
