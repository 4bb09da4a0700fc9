"""What the pipeline asks of a detector, and a detector without a model for tests and dry runs."""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from groundcam_schemas import Ask, Model
from groundcam_worker.errors import DetectorLostError, UnansweredError

Image = npt.NDArray[np.uint8]
"""Height x width x 3, RGB."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One object: an index into the question's classes, a score, and x1, y1, x2, y2 in pixels of the image."""

    class_id: int
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Told:
    """Whom a detector tells what happens to it."""

    new_shape: Callable[[int, int], None] = lambda _width, _height: None
    """An input shape (width, height) came up without having been warmed up."""
    error: Callable[[str], None] = lambda _kind: None
    """`out_of_memory`, or `lost`."""
    ceiling: Callable[[int], None] = lambda _pictures: None
    """So many pictures are tried at once from now on."""


class Detector(Protocol):
    """Answers questions about pictures."""

    @property
    def model(self) -> Model:
        """Who answers."""

    def input_shape(self, width: int, height: int) -> Hashable:
        """Return what a picture of this size becomes: pictures of one input shape may share a batch."""

    def check(self, ask: Ask) -> None:
        """Raise QuestionError for a question that this detector cannot take."""

    def warm_up(self, asks: Sequence[Ask], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """Do what happens only once, for these questions and picture sizes (width, height), before frames wait for it.

        Raises QuestionError.
        """

    def detect(self, images: Sequence[Image], asks: Sequence[Ask]) -> Sequence[tuple[Detection, ...]]:
        """Return one result per image, in order; all images have one input shape.

        Raises DetectorLostError when no later call can succeed, anything else when this one cannot.
        """


def detect_each(
    detector: Detector, images: Sequence[Image], asks: Sequence[Ask]
) -> list[tuple[Detection, ...] | UnansweredError]:
    """Detect; halve a batch that fails until the images that cannot be answered are alone.

    Raises DetectorLostError.
    """
    results: list[tuple[Detection, ...] | UnansweredError]
    try:
        results = list(detector.detect(images, asks))
    except DetectorLostError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about these images
        if len(images) == 1:
            failed = UnansweredError(f"{type(error).__name__}: {error}")
            failed.__cause__ = error
            return [failed]
        half = len(images) // 2
        first = detect_each(detector, images[:half], asks[:half])
        return first + detect_each(detector, images[half:], asks[half:])
    if len(results) != len(images):
        raise DetectorLostError(f"the detector gave {len(results)} results for {len(images)} images: this is a bug")
    return results


class FakeDetector:
    """Finds the question's first class in the middle of every picture, after a wait of its own."""

    def __init__(self, seconds_per_image: float = 0.0, sleep: Callable[[float], None] = time.sleep) -> None:
        self._seconds_per_image = seconds_per_image
        self._sleep = sleep
        self.model = Model(name="fake", revision="0")

    def input_shape(self, width: int, height: int) -> Hashable:
        """Pictures of one size share a batch."""
        return width, height

    def check(self, ask: Ask) -> None:
        """Every question will do."""

    def warm_up(self, asks: Sequence[Ask], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """There is nothing to do."""

    def detect(self, images: Sequence[Image], asks: Sequence[Ask]) -> Sequence[tuple[Detection, ...]]:
        """Return one box per image."""
        self._sleep(self._seconds_per_image * len(images))
        results = []
        for image, _ask in zip(images, asks, strict=True):
            height, width = image.shape[:2]
            box = (width * 0.25, height * 0.25, width * 0.75, height * 0.75)
            results.append((Detection(0, 0.9, box),))
        return results
