"""The interface between the loop and a detector."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Model, Question
from groundcam_worker.errors import DetectorLostError, OutOfMemoryError, UnansweredError


@dataclass(frozen=True, slots=True)
class Detection:
    """One object: an index into the question's classes, a score, and x1, y1, x2, y2 in pixels of the image.

    `class_scores` has what every class scores there, where the question asks for that; None for one that the model
    read in another text.
    """

    class_id: int
    score: float
    box: tuple[float, float, float, float]
    class_scores: tuple[float | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class DetectorHooks:
    """Callbacks through which a detector reports what happens to it."""

    new_shape: Callable[[int, int], None] = lambda _width, _height: None
    """An input shape (width, height) came up without having been warmed up."""
    error: Callable[[str], None] = lambda _kind: None
    """`out_of_memory`, or `lost`."""
    ceiling: Callable[[int], None] = lambda _pictures: None
    """So many pictures are tried at once from now on."""
    gpu: Callable[[str], None] = lambda _uuid: None
    """The GPU with this UUID, as NVIDIA's driver has it, is the one in use."""


class Detector(Protocol):
    """Answers questions about pictures. `begin`, `finish` and `detect` belong to one thread."""

    @property
    def model(self) -> Model:
        """Who answers."""

    @property
    def device(self) -> str:
        """What it runs on, cpu or cuda."""

    @property
    def device_name(self) -> str:
        """What that is called by its maker, for people."""

    @property
    def precision(self) -> str:
        """What products are computed in: fp32, fp16 or bf16; `none` without a model."""

    def input_shape(self, width: int, height: int) -> tuple[int, int]:
        """Return what a picture of this size becomes: pictures of one input shape may share a batch."""

    def check(self, question: Question) -> None:
        """Raise QuestionError for a question that this detector cannot take. Any thread may call this."""

    def cost(self, question: Question) -> int:
        """Return how many passes of the model a picture needs for a question: 1 for nearly all.

        In one batch the pictures of cheap questions wait for those of dear ones. Any thread may call this; the first
        call for a question of hundreds of classes takes tens of milliseconds. May raise QuestionError, as `check` does.
        """

    def warm_up(self, questions: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """Do what happens only once, for these questions and picture sizes (width, height), before frames wait for it.

        Raises QuestionError.
        """

    def begin(self, images: Sequence[Image], questions: Sequence[Question]) -> Any:
        """Start on a batch without waiting for the device; `finish` takes what is returned.

        All images have one input shape. Another batch may begin before this one is finished. What can be called has not
        begun yet. Raises as `detect`.
        """

    def finish(self, begun: Any) -> Sequence[tuple[Detection, ...]]:
        """Return the results of a batch, one an image, in order. Batches finish in the order of their beginnings.

        Raises as `detect`.
        """

    def detect(self, images: Sequence[Image], questions: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        """Begin and finish a batch.

        Raises DetectorLostError when no later call can succeed, OutOfMemoryError when there was too little memory for
        one image by itself, anything else when this batch cannot be answered.
        """


class Synchronous(ABC):
    """For detectors that overlap nothing: a batch begins when it is finished."""

    @abstractmethod
    def detect(self, images: Sequence[Image], questions: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        """As Detector has it."""

    def begin(self, images: Sequence[Image], questions: Sequence[Question]) -> Any:
        """Remember the batch."""
        return partial(self.detect, images, questions)

    def finish(self, begun: Any) -> Sequence[tuple[Detection, ...]]:
        """Answer it."""
        found: Sequence[tuple[Detection, ...]] = begun()
        return found


Found = tuple[Detection, ...] | UnansweredError | OutOfMemoryError


def detect_each(detector: Detector, images: Sequence[Image], questions: Sequence[Question]) -> list[Found]:
    """Detect; halve a batch that fails until each image that cannot be answered is in a batch of one.

    Raises DetectorLostError.
    """
    try:
        return checked(detector.detect(images, questions), len(images))
    except DetectorLostError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about these images
        return answer_apart(detector, images, questions, error)


def answer_apart(
    detector: Detector, images: Sequence[Image], questions: Sequence[Question], error: Exception
) -> list[Found]:
    """Answer the halves of a batch that failed; for a batch of one return why. Raises DetectorLostError."""
    if len(images) == 1:
        return [_why(error)]
    half = len(images) // 2
    first = detect_each(detector, images[:half], questions[:half])
    return first + detect_each(detector, images[half:], questions[half:])


def checked(results: Sequence[tuple[Detection, ...]], images: int) -> list[Found]:
    """Return the results. Raises DetectorLostError unless there is one an image."""
    if len(results) != images:
        raise DetectorLostError(f"the detector gave {len(results)} results for {images} images: this is a bug")
    return list(results)


def _why(error: Exception) -> UnansweredError | OutOfMemoryError:
    if isinstance(error, OutOfMemoryError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemoryError("the machine has too little memory")
    failed = UnansweredError(f"{type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed
