"""What can go wrong in a worker. The class decides what happens next.

WorkerError
 +- FrameError             this frame only: dead-lettered, its neighbours are unharmed
 |   +- BadMessageError    the bytes are neither a Frame nor a JPEG of a camera
 |   +- BadPictureError    the JPEG is damaged, or larger than it may be
 |   +- UnansweredError    the detector raised for this frame in a batch of one
 |   |   +- UnaskableError the model cannot be asked the frame's own question
 |   +- FatalFrameError    the frame, the only one in work, has ended the process twice
 +- OutOfMemoryError       memory is short: the frame is retried; it is not the frame's fault
 +- SandboxUnavailableError   the sandbox process cannot be started: the worker retries the frame itself
 +- DetectorLostError      no later frame can be answered: exit, commit nothing; exit code 70
QuestionError              a question that cannot be asked; the sentence names the class; exit code 2
ModelError                 a model that cannot be loaded; exit code 2
"""

from groundcam_runtime.question_text import QuestionError

__all__ = [
    "BadMessageError",
    "BadPictureError",
    "DetectorLostError",
    "FatalFrameError",
    "FrameError",
    "ModelError",
    "OutOfMemoryError",
    "QuestionError",
    "SandboxUnavailableError",
    "UnansweredError",
    "UnaskableError",
    "WorkerError",
    "first_line",
]

NO_NUMBERS = "the model gives no numbers (NaN); in fp16 that is an overflow: set work.precision to bf16 or fp32"


class WorkerError(Exception):
    """Base of what a running worker meets."""


class FrameError(WorkerError):
    """One frame cannot be answered."""


class BadMessageError(FrameError):
    """The message is no frame."""


class BadPictureError(FrameError):
    """The picture cannot be decoded, or may not be."""


class UnansweredError(FrameError):
    """The detector failed on this frame in a batch of one."""


class UnaskableError(UnansweredError):
    """The frame's own question cannot be asked."""


class FatalFrameError(FrameError):
    """The frame ends every process that tries it (a poison message)."""


class OutOfMemoryError(WorkerError):
    """Too little memory, of the device or of the machine, even for this frame in a batch of one."""


class SandboxUnavailableError(WorkerError):
    """The sandbox cannot be started: two models may be too much for the device."""


class DetectorLostError(WorkerError):
    """The detector cannot be used any longer."""


class ModelError(ValueError):
    """A model that cannot be loaded."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    text = str(error).strip()
    return (text.splitlines()[0] if text else type(error).__name__)[:300]
