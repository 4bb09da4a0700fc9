"""The detector's thread: the next batch is begun before the one that runs is finished."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from groundcam_worker.detectors.protocol import Detector, answer_apart, checked
from groundcam_worker.errors import DetectorLostError
from groundcam_worker.loop.batches import Batch, Result
from groundcam_worker.loop.events import BatchDone
from groundcam_worker.policy.limits import RUNNING_AND_NEXT

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A batch on the device, or the error that it met on its way there."""

    batch: Batch
    at: float
    handle: Any
    error: Exception | None = None


class Inference:
    """`begin` and `finished` belong to the loop's thread, the detector to one of its own."""

    def __init__(self, detector: Detector, wake: Callable[[], None]) -> None:
        self._detector = detector
        self._wake = wake
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._done: deque[BatchDone | BaseException] = deque()
        self._thread: threading.Thread | None = None
        self.busy_since: float | None = None
        """Since when one batch has been running (monotonic)."""

    def begin(self, batch: Batch) -> None:
        """Hand over a batch; `finished` returns its results, in the order of the batches."""
        self._batches.put(batch)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="detect", daemon=True)
            self._thread.start()

    def finished(self) -> list[BatchDone]:
        """Return what is answered. Raises DetectorLostError."""
        done = []
        while self._done:
            one = self._done.popleft()
            if isinstance(one, BaseException):
                raise one
            done.append(one)
        return done

    def shutdown(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._batches.put(None)

    # What follows runs on the detector's thread.

    def _run(self) -> None:
        begun: deque[_Begun] = deque()
        try:
            while True:
                try:
                    # With nothing on the device, wait; else take another batch if one is there.
                    batch = self._batches.get(block=not begun) if len(begun) < RUNNING_AND_NEXT else None
                except Empty:
                    batch = None
                else:
                    if batch is None and len(begun) < RUNNING_AND_NEXT:
                        return
                if batch is not None:
                    begun.append(self._begin(batch))
                else:
                    self._finish(begun.popleft())
        except BaseException as error:  # noqa: BLE001 - it is raised again on the loop's thread
            self._done.append(error)
            self._wake()

    def _begin(self, batch: Batch) -> _Begun:
        now = time.monotonic()
        if self.busy_since is None:
            self.busy_since = now
        try:
            handle = self._detector.begin([job.image for job in batch.jobs], [job.question for job in batch.jobs])
        except DetectorLostError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about these pictures
            return _Begun(batch, now, None, error)
        return _Begun(batch, now, handle)

    def _finish(self, begun: _Begun) -> None:
        started = self.busy_since = time.monotonic()
        results = self._results(begun)
        self.busy_since = None
        seconds = time.monotonic() - max(begun.at, started)
        self._done.append(BatchDone(begun.batch, results, time.time_ns(), seconds))
        self._wake()

    def _results(self, begun: _Begun) -> Sequence[Result]:
        error = begun.error
        if error is None:
            try:
                return checked(self._detector.finish(begun.handle), len(begun.batch.jobs))
            except DetectorLostError:
                raise
            except Exception as failed:  # noqa: BLE001 - whatever it is, it is about these pictures
                error = failed
        jobs = begun.batch.jobs
        return answer_apart(self._detector, [job.image for job in jobs], [job.question for job in jobs], error)
