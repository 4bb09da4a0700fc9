"""A detector that survives what its device does: halves what does not fit, and tells a lost device apart."""

import logging
from collections.abc import Callable, Hashable, Sequence

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Model, Question
from groundcam_worker.detectors.batch_ceiling import BatchCeiling
from groundcam_worker.detectors.devices import is_lost, is_out_of_memory
from groundcam_worker.detectors.protocol import Detection, Detector, DetectorHooks
from groundcam_worker.errors import DetectorLostError, ModelError, first_line

log = logging.getLogger(__name__)


class GuardedDetector:
    """Stands before a detector on torch. `detect` belongs to one thread; `check` and `cost` may be called from any."""

    def __init__(self, detector: Detector, free: Callable[[], None], told: DetectorHooks | None = None) -> None:
        """`free` gives back memory that is kept for later."""
        self._detector = detector
        self._free = free
        self._told = told or DetectorHooks()
        self.ceiling = BatchCeiling()

    @property
    def model(self) -> Model:
        """Who answers."""
        return self._detector.model

    def input_shape(self, width: int, height: int) -> Hashable:
        """As the detector has it."""
        return self._detector.input_shape(width, height)

    def check(self, ask: Question) -> None:
        """Raise QuestionError for a question that this detector cannot take."""
        self._detector.check(ask)

    def cost(self, ask: Question) -> int:
        """As the detector has it."""
        return self._detector.cost(ask)

    def warm_up(self, asks: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """As the detector has it, with the largest batch that fits.

        Raises QuestionError, DetectorLostError, and ModelError where not even one picture fits.
        """
        while True:
            size = self.ceiling.allow(batch_size)
            try:
                self._detector.warm_up(asks, sizes, size)
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

    def detect(self, images: Sequence[Image], asks: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        """Return the objects in each image, boxes in its pixels.

        Raises DetectorLostError for an error of the device that stays, and whatever torch raises for others; out
        of memory only for one image alone.
        """
        found: list[tuple[Detection, ...]] = []
        while len(found) < len(images):
            size = self.ceiling.allow(len(images) - len(found))
            part = slice(len(found), len(found) + size)
            try:
                found += self._detector.detect(images[part], asks[part])
            except RuntimeError as error:
                self._judge(error)
                self._ceiling_failed(size)
                if size == 1:
                    raise
                log.warning("%d pictures do not fit into the device's memory: going on with %d",
                            size, self.ceiling.limit)  # fmt: skip
            else:
                if self.ceiling.succeeded(size):
                    self._told.ceiling(size + 1)
                continue
            # Outside of the handler, whose traceback would keep the failed batch's tensors alive.
            self._free()
        return found

    def _judge(self, error: RuntimeError) -> None:
        """Go on only with too little memory. Raises DetectorLostError for a lost device, and what is neither."""
        if is_lost(error):
            self._told.error("lost")
            raise DetectorLostError(first_line(error)) from error
        if not is_out_of_memory(error):
            raise error
        self._told.error("out_of_memory")

    def _ceiling_failed(self, size: int) -> None:
        self.ceiling.failed(size)
        if self.ceiling.limit is not None:
            self._told.ceiling(self.ceiling.limit)
