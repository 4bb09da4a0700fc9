"""A detector without a model, for tests and dry runs."""

import time
from collections.abc import Callable, Sequence

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Model, Question
from groundcam_worker.detectors.protocol import Detection, Synchronous


class FakeDetector(Synchronous):
    """Finds the question's first class in the middle of every picture, after a wait of its own."""

    def __init__(self, seconds_per_image: float = 0.0, sleep: Callable[[float], None] = time.sleep) -> None:
        self._seconds_per_image = seconds_per_image
        self._sleep = sleep
        self.model = Model(name="fake", revision="0")
        self.device = self.device_name = "cpu"
        self.precision = "none"

    def input_shape(self, width: int, height: int) -> tuple[int, int]:
        """Pictures of one size share a batch."""
        return width, height

    def check(self, question: Question) -> None:
        """Every question will do."""

    def cost(self, question: Question) -> int:  # noqa: ARG002 - nothing depends on it
        """Every question costs the same."""
        return 1

    def warm_up(self, questions: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """There is nothing to do."""

    def detect(self, images: Sequence[Image], questions: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        """Return one box per image."""
        self._sleep(self._seconds_per_image * len(images))
        results = []
        for image, question in zip(images, questions, strict=True):
            height, width = image.shape[:2]
            box = (width * 0.25, height * 0.25, width * 0.75, height * 0.75)
            scores = (0.9, *([0.0] * (len(question.classes) - 1))) if question.class_scores else None
            results.append((Detection(0, 0.9, box, scores),))
        return results
