"""What the detector is asked: a picture and a question, from a camera's frame or from anybody else. Plain values."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Question
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.errors import FrameError, OutOfMemoryError

Detections = tuple[Detection, ...]
Result = Detections | FrameError | OutOfMemoryError
"""Of the detector."""
Outcome = tuple[Image, Hashable] | FrameError | OutOfMemoryError
"""Of decoding: a picture and its input shape."""


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """A picture and a question for the detector, from a camera's frame or from anybody else."""

    image: Image
    question: Question
    shape: Hashable
    """The detector's input shape: pictures of one shape may share a batch."""
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
