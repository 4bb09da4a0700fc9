"""What the loop asks of a detector."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Model, Question
from groundcam_worker.errors import DetectorLostError, UnansweredError


@dataclass(frozen=True, slots=True)
class Detection:
    """One object: an index into the question's classes, a score, and x1, y1, x2, y2 in pixels of the image."""

    class_id: int
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class DetectorHooks:
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

    def check(self, ask: Question) -> None:
        """Raise QuestionError for a question that this detector cannot take."""

    def cost(self, ask: Question) -> int:
        """Return how many passes of the model a picture needs for a question: 1 for nearly all.

        In one batch the pictures of cheap questions wait for those of dear ones. Any thread may call this; the first
        call for a question of hundreds of classes takes tens of milliseconds. May raise QuestionError, as `check` does.
        """

    def warm_up(self, asks: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """Do what happens only once, for these questions and picture sizes (width, height), before frames wait for it.

        Raises QuestionError.
        """

    def detect(self, images: Sequence[Image], asks: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        """Return one result per image, in order; all images have one input shape.

        Raises DetectorLostError when no later call can succeed, anything else when this one cannot.
        """


def detect_each(
    detector: Detector, images: Sequence[Image], asks: Sequence[Question]
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
