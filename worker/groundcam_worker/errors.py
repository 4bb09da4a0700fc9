"""What can go wrong in a worker. The class tells what happens next.

WorkerError
 +- FrameError             this frame only: dead-lettered, its neighbours are unharmed
 |   +- BadMessageError    the bytes are neither a Frame nor a JPEG of a camera
 |   +- BadPictureError    the JPEG is damaged, or larger than it may be
 |   +- UnansweredError    the detector raised for this frame, alone in its batch
 |   +- FatalFrameError    the frame has ended the process twice, alone in it
 +- OutOfMemoryError       memory is short: the frame is tried again; it is not the frame's fault
 +- SandboxUnavailableError   a process of its own cannot be had: the worker tries the frame itself
 +- DetectorLostError      no later frame can be answered: exit, commit nothing; exit code 70
 +- SourceLostError        the group goes on without this worker: exit; exit code 1
QuestionError              a question that cannot be asked; the sentence names the class; exit code 2
ModelError                 a model that cannot be loaded; exit code 2
"""


class WorkerError(Exception):
    """Base of what a running worker meets."""


class FrameError(WorkerError):
    """One frame cannot be answered."""


class BadMessageError(FrameError):
    """The message is no frame."""


class BadPictureError(FrameError):
    """The picture cannot be decoded, or may not be."""


class UnansweredError(FrameError):
    """The detector failed on this frame alone."""


class FatalFrameError(FrameError):
    """Nobody survives this frame."""


class OutOfMemoryError(WorkerError):
    """There was too little memory for this frame alone, of the device or of the machine."""


class SandboxUnavailableError(WorkerError):
    """The sandbox cannot be started: two models may be too much for the device."""


class DetectorLostError(WorkerError):
    """The detector cannot be used any longer."""


class SourceLostError(WorkerError):
    """Frames cannot be taken any longer."""


class QuestionError(ValueError):
    """A question that cannot be asked."""


class ModelError(ValueError):
    """A model that cannot be loaded."""


def first_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    text = str(error).strip()
    return (text.splitlines()[0] if text else type(error).__name__)[:300]
