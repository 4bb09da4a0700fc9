"""A detector that survives what its device does: halves what does not fit, and recognises a lost device."""

import logging
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

    def __init__(self, detector: Detector, free: Callable[[], None], hooks: DetectorHooks | None = None) -> None:
        """`free` gives back memory that is kept for later."""
        self._detector = detector
        self._free = free
        self._hooks = hooks or DetectorHooks()
        self.ceiling = BatchCeiling()

    @property
    def model(self) -> Model:
        """Who answers."""
        return self._detector.model

    def input_shape(self, width: int, height: int) -> Hashable:
        """As the detector has it."""
        return self._detector.input_shape(width, height)

    def check(self, question: Question) -> None:
        """Raise QuestionError for a question that this detector cannot take."""
        self._detector.check(question)

    def cost(self, question: Question) -> int:
        """As the detector has it."""
        return self._detector.cost(question)

    def warm_up(self, questions: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """As the detector has it, with the largest batch that fits.

        Raises QuestionError, DetectorLostError, and ModelError where not even one picture fits.
        """
        while True:
            size = self.ceiling.allow(batch_size)
            try:
                self._detector.warm_up(questions, sizes, size)
            except RuntimeError as error:
                self._judge(error)
                if size == 1:
                    raise ModelError(
                        "the device's memory is too small for one picture: lower work.input_size or take another model"
                    ) from error
                self._ceiling_failed(size)
            else:
                return
            self._free()
            log.warning("%d pictures do not fit into the device's memory: at most %d", size, self.ceiling.limit)

    def begin(self, images: Sequence[Image], questions: Sequence[Question]) -> Any:
        """Start on a batch, if as many fit; what does not is answered in parts, when it is finished."""
        if self.ceiling.allow(len(images)) < len(images):
            return images, questions, None
        try:
            return images, questions, self._detector.begin(images, questions)
        except RuntimeError as error:
            self._judge(error)
            self._ceiling_failed(len(images))
        # Outside of the handler, whose traceback would keep the failed batch's tensors alive.
        self._free()
        return images, questions, None

    def finish(self, begun: Any) -> Sequence[tuple[Detection, ...]]:
        """As `detect`."""
        images, questions, handle = begun
        if handle is not None:
            try:
                found = self._detector.finish(handle)
            except RuntimeError as error:
                self._judge(error)
                self._ceiling_failed(len(images))
            else:
                if self.ceiling.succeeded(len(images)):
                    self._hooks.ceiling(len(images) + 1)
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
        while len(found) < len(images):
            size = self.ceiling.allow(len(images) - len(found))
            part = slice(len(found), len(found) + size)
            try:
                found += self._detector.detect(images[part], questions[part])
            except RuntimeError as error:
                self._judge(error)
                self._ceiling_failed(size)
                why = first_line(error)
            else:
                if self.ceiling.succeeded(size):
                    self._hooks.ceiling(size + 1)
                continue
            # Outside of the handler, whose traceback would keep the failed batch's tensors alive.
            self._free()
            if size == 1:
                raise OutOfMemoryError(why)
            log.warning("%d pictures do not fit into the device's memory: going on with %d", size, self.ceiling.limit)
        return found

    def _judge(self, error: RuntimeError) -> None:
        """Go on only with too little memory. Raises DetectorLostError for a lost device, and what is neither."""
        if is_lost(error):
            self._hooks.error("lost")
            raise DetectorLostError(first_line(error)) from error
        if not is_out_of_memory(error):
            raise error
        self._hooks.error("out_of_memory")

    def _ceiling_failed(self, size: int) -> None:
        self.ceiling.failed(size)
        if self.ceiling.limit is not None:
            self._hooks.ceiling(self.ceiling.limit)
