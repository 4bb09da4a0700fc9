"""Jobs become batches, with one running at the detector and one ahead of it. Pure.

A job is a picture and a question, from a camera's frame or from anybody else.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Question
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.errors import FrameError, OutOfMemoryError
from groundcam_worker.policy.batcher import Batcher
from groundcam_worker.policy.limits import RUNNING_AND_NEXT


class Prepared(NamedTuple):
    """A decoded picture, its input shape, and how many passes of the model its question takes."""

    image: Image
    shape: Hashable
    cost: int = 1


Detections = tuple[Detection, ...]
Result = Detections | FrameError | OutOfMemoryError
"""Of the detector."""
Outcome = Prepared | FrameError | OutOfMemoryError
"""Of decoding."""


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """A picture and a question for the detector, from a camera's frame or from anybody else."""

    image: Image
    question: Question
    shape: Hashable
    """The detector's input shape: pictures of one shape may share a batch."""
    cost: int
    """How many passes of the model its question takes."""
    lane: Hashable
    """Jobs of one lane are begun in order."""
    is_wanted: Callable[[], bool]
    """Called just before its batch begins."""
    origin: object
    """Where the answer goes."""


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Jobs of one input shape."""

    jobs: tuple[Job, ...]
    at_ns: int
    """When it was handed to the detector."""


class Batches:
    """Jobs that wait for a batch, and batches that are at the detector."""

    def __init__(self, batch_size: int, batch_wait_s: float) -> None:
        self._batch_size = batch_size
        self._batcher: Batcher[Job] = Batcher(batch_size, batch_wait_s)
        self._running: list[Batch] = []

    @property
    def deadline(self) -> float | None:
        """When the next batch is ready and can begin; None while none is, or the detector has enough."""
        return self._batcher.deadline if len(self._running) < RUNNING_AND_NEXT else None

    @property
    def jobs(self) -> list[Job]:
        """Everything that waits or runs."""
        return [*self._batcher.items, *(job for batch in self._running for job in batch.jobs)]

    @property
    def running(self) -> int:
        """How many batches are at the detector."""
        return len(self._running)

    def push(self, job: Job, now_s: float) -> None:
        """Let a job wait for others of its shape and cost: cheap questions do not wait for a dear one's many passes.

        A batch of dear ones is smaller, so that it holds up the detector no longer than need be.
        """
        most = max(1, self._batch_size // max(1, job.cost))
        self._batcher.push(job, shape=(job.shape, job.cost), lane=job.lane, now=now_s, max_items=most)

    def begin(self, now_s: float, now_ns: int, *, draining: bool) -> Iterator[tuple[Batch | None, list[Job]]]:
        """Yield the batches that begin now, and the jobs that are not wanted any more.

        An idle detector waits for no more jobs, nor does one that is `draining`.
        """
        while len(self._running) < RUNNING_AND_NEXT:
            jobs = self._batcher.pop(now=now_s)
            if jobs is None and (draining or not self._running):
                jobs = self._batcher.pop_any()
            if jobs is None:
                return
            wanted = {id(job) for job in jobs if job.is_wanted()}
            batch = Batch(tuple(job for job in jobs if id(job) in wanted), now_ns) if wanted else None
            if batch:
                self._running.append(batch)
            yield batch, [job for job in jobs if id(job) not in wanted]

    def done(self, batch: Batch) -> None:
        """A batch has come back."""
        self._running.remove(batch)
