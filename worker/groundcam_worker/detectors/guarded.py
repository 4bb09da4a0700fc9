"""A detector that survives what its device does: halves what does not fit, and recognises a lost device."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Model, Question
from groundcam_worker.detectors.batch_ceiling import BatchCeiling
from groundcam_worker.detectors.devices import is_lost, is_out_of_memory
from groundcam_worker.detectors.protocol import Detection, Detector, DetectorHooks
from groundcam_worker.errors import DetectorLostError, ModelError, OutOfMemoryError, first_line

log = logging.getLogger(__name__)


class GuardedDetector:
    """Wraps a detector on torch. `detect` belongs to one thread; `check` and `cost` may be called from any."""

    def __init__(
        self,
        detector: Detector,
        free: Callable[[], None],
        hooks: DetectorHooks | None = None,
        release: Callable[[], bool] = lambda: False,
    ) -> None:
        """`free` gives back memory that is kept for later; `release` what only makes it faster, if there is any."""
        self._detector = detector
        self._free, self._release = free, release
        self._hooks = hooks or DetectorHooks()
        self._ceilings: defaultdict[Hashable, BatchCeiling] = defaultdict(BatchCeiling)
        """By input shape: what is too much of one is little of another."""

    @property
    def model(self) -> Model:
        """Who answers."""
        return self._detector.model

    @property
    def device(self) -> str:
        """What it runs on."""
        return self._detector.device

    @property
    def device_name(self) -> str:
        """What that is called."""
        return self._detector.device_name

    @property
    def precision(self) -> str:
        """What products are computed in."""
        return self._detector.precision

    def input_shape(self, width: int, height: int) -> tuple[int, int]:
        """As the detector has it."""
        return self._detector.input_shape(width, height)

    def check(self, question: Question) -> None:
        """Raise QuestionError for a question that this detector cannot take."""
        self._detector.check(question)

    def cost(self, question: Question) -> int:
        """As the detector has it."""
        return self._detector.cost(question)

    def ceiling(self, width: int, height: int) -> BatchCeiling:
        """Return how many pictures of a size fit at once."""
        return self._ceilings[self.input_shape(width, height)]

    def warm_up(self, questions: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """As the detector has it, one input shape after the other, with the largest batch of it that fits.

        Raises QuestionError, DetectorLostError, and ModelError where not even one picture fits.
        """
        # Largest first: what is smaller shares its memory.
        by_shape = {self.input_shape(*size): size for size in sizes}
        for shape in sorted(by_shape, key=math.prod, reverse=True):
            self._warm_up(questions, by_shape[shape], batch_size)
        if not by_shape:
            self._detector.warm_up(questions, sizes, batch_size)

    def _warm_up(self, questions: Sequence[Question], size: tuple[int, int], batch_size: int) -> None:
        ceiling, has_released = self.ceiling(*size), False
        while True:
            count = ceiling.allow(batch_size)
            try:
                self._detector.warm_up(questions, [size], count)
            except RuntimeError as error:
                self._judge(error)
                why = error.with_traceback(None)
            else:
                return
            # Outside of the handler, whose traceback would keep the failed batch's tensors alive.
            self._free()
            if not has_released and self._release():
                has_released = True
                continue
            if count == 1:
                raise ModelError(
                    f"the device's memory is too small for one picture of {size[0]}x{size[1]}:"
                    " lower work.input_size or take another model"
                ) from why
            self._failed(ceiling, count)
            log.warning(
                "%d pictures of %dx%d do not fit into the device's memory: at most %d", count, *size, ceiling.limit
            )

    def begin(self, images: Sequence[Image], questions: Sequence[Question]) -> Any:
        """Start on a batch, if as many fit; what does not is answered in parts, when it is finished."""
        ceiling = self._ceiling_of(images)
        if ceiling.allow(len(images)) < len(images):
            return images, questions, None
        try:
            return images, questions, self._detector.begin(images, questions)
        except RuntimeError as error:
            self._judge(error)
            self._failed(ceiling, len(images))
        # Outside of the handler, whose traceback would keep the failed batch's tensors alive.
        self._free()
        return images, questions, None

    def finish(self, begun: Any) -> Sequence[tuple[Detection, ...]]:
        """As `detect`."""
        images, questions, handle = begun
        ceiling = self._ceiling_of(images)
        if callable(handle) and ceiling.allow(len(images)) < len(images):
            handle = None  # it has not begun, and the batch before has shown that so many do not fit
        if handle is not None:
            try:
                found = self._detector.finish(handle)
            except RuntimeError as error:
                self._judge(error)
                self._failed(ceiling, len(images))
            else:
                self._succeeded(ceiling, len(images))
                return found
            # Outside of the handler, whose traceback would keep the failed batch's tensors alive.
            handle = begun = None
            self._free()
        return self.detect(images, questions)

    def detect(self, images: Sequence[Image], questions: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        """Return the objects in each image, boxes in its pixels.

        Raises DetectorLostError for an error of the device that stays, OutOfMemoryError where even a batch of
        one image does not fit now, and whatever torch raises for others.
        """
        found: list[tuple[Detection, ...]] = []
        ceiling = self._ceiling_of(images)
        while len(found) < len(images):
            size = ceiling.allow(len(images) - len(found))
            part = slice(len(found), len(found) + size)
            try:
                found += self._detector.detect(images[part], questions[part])
            except RuntimeError as error:
                self._judge(error)
                why = first_line(error)
            else:
                self._succeeded(ceiling, size)
                continue
            # Outside of the handler, whose traceback would keep the failed batch's tensors alive.
            self._free()
            if size > 1:
                self._failed(ceiling, size)
                log.warning("%d pictures do not fit into the device's memory: going on with %d", size, ceiling.limit)
            elif not self._release():
                raise OutOfMemoryError(why)
        return found

    def _ceiling_of(self, images: Sequence[Image]) -> BatchCeiling:
        return self.ceiling(images[0].shape[1], images[0].shape[0])

    def _judge(self, error: RuntimeError) -> None:
        """Go on only with too little memory. Raises DetectorLostError for a lost device, and what is neither."""
        if is_lost(error):
            self._hooks.error("lost")
            raise DetectorLostError(first_line(error)) from error
        if not is_out_of_memory(error):
            raise error
        self._hooks.error("out_of_memory")

    def _failed(self, ceiling: BatchCeiling, size: int) -> None:
        ceiling.failed(size)
        self._tell()

    def _succeeded(self, ceiling: BatchCeiling, size: int) -> None:
        if ceiling.succeeded(size):
            self._tell()

    def _tell(self) -> None:
        limits = [one.limit for one in self._ceilings.values() if one.limit is not None]
        if limits:
            self._hooks.ceiling(min(limits))
