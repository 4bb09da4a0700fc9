"""The detector's side of the loop: pictures become batches, and batches become answers, in order."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from groundcam_worker.detectors.protocol import Detection, Detector, detect_each
from groundcam_worker.errors import FrameError, UnansweredError
from groundcam_worker.frame_in_flight import NS, Item
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.ordered_executor import OrderedExecutor
from groundcam_worker.policy.batcher import Batcher
from groundcam_worker.policy.limits import RUNNING_AND_NEXT
from groundcam_worker.quarantine.sandbox import NoSandboxError, Sandbox

Answer = tuple[Detection, ...]


class Engine:
    """Keeps the detector busy. Belongs to the loop's thread."""

    def __init__(
        self,
        detector: Detector,
        sandbox: Sandbox,
        metrics: WorkerMetrics,
        wake: threading.Event,
        *,
        batch_size: int,
        batch_wait_s: float,
        keep: Callable[[Item], bool],
    ) -> None:
        """`keep` says, just before a batch begins, whether a frame is still worth it."""
        self._detector = detector
        self._sandbox = sandbox
        self._metrics = metrics
        self._keep = keep
        self._batcher: Batcher[Item] = Batcher(batch_size, batch_wait_s)
        self._detecting: OrderedExecutor[list[Item], list[Answer | UnansweredError]] = OrderedExecutor(
            "detect", 1, wake
        )
        self._sandboxing: OrderedExecutor[Item, Answer] = OrderedExecutor("witness", 1, wake)
        self.busy_since: float | None = None
        """Since when one batch has been running (monotonic)."""

    @property
    def deadline(self) -> float | None:
        """When the next batch is ready and can begin; None while none is, or the detector has enough."""
        return self._batcher.deadline if len(self._detecting) < RUNNING_AND_NEXT else None

    def push(self, item: Item) -> None:
        """Take a decoded picture. Raises whatever the detector's processor says of its size."""
        if item.image is None:
            raise RuntimeError("an undecoded picture at the detector: this is a bug")
        height, width = item.image.shape[:2]
        shape = self._detector.input_shape(width, height)
        self._batcher.push(item, shape=shape, camera_id=item.camera, now=time.monotonic())

    def try_apart(self, item: Item) -> None:
        """Have a frame answered by a process of its own, which it may end."""
        if item.incoming is None or item.ask is None:
            raise RuntimeError("a frame without a picture or a question: this is a bug")
        item.batched_at_ns = time.time_ns()
        self._sandboxing.start(item, partial(self._sandbox.answer, item.incoming.jpeg, item.ask))

    def start(self, *, everything: bool) -> None:
        """Keep the detector busy with one batch ahead of it; `everything` waits for no more frames."""
        while len(self._detecting) < RUNNING_AND_NEXT:
            items = self._batcher.pop(now=time.monotonic())
            # While the detector has nothing to do, waiting for more frames would only cost time.
            if items is None and (everything or not self._detecting):
                items = self._batcher.pop_any()
            if items is None:
                return
            kept = [item for item in items if self._keep(item)]
            if not kept:
                continue
            now_ns = time.time_ns()
            self._metrics.batch(len(kept))
            for item in kept:
                item.batched_at_ns = now_ns
                self._metrics.stage("batch", (now_ns - item.decoded_at_ns) / NS)
            self._detecting.start(kept, partial(self._detect, kept))

    def finished(self) -> Iterator[tuple[Item, Answer | FrameError | NoSandboxError]]:
        """Yield what is answered, in the order of the batches. Raises DetectorLostError."""
        for items, batch in self._detecting.finished():
            yield from zip(items, batch.result(), strict=True)
        for item, future in self._sandboxing.finished():
            item.inferred_at_ns = time.time_ns()
            try:
                yield item, future.result()
            except (FrameError, NoSandboxError) as error:
                yield item, error

    def shutdown(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._detecting.shutdown()
        self._sandboxing.shutdown()

    def _detect(self, items: Sequence[Item]) -> list[Answer | UnansweredError]:
        """On the detector's thread."""
        images = [item.image for item in items if item.image is not None]
        asks = [item.ask for item in items if item.ask is not None]
        started = self.busy_since = time.monotonic()
        try:
            answers = detect_each(self._detector, images, asks)
        finally:
            self.busy_since = None
        seconds = time.monotonic() - started
        now_ns = time.time_ns()
        for item in items:
            item.inferred_at_ns = now_ns
            self._metrics.stage("detect", seconds)
        self._metrics.detected(seconds)
        return answers
