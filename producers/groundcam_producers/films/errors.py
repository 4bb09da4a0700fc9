"""What FFmpeg says went wrong, as one of our errors."""

import av.error

from groundcam_producers.errors import (
    NO_MEMORY,
    SourceError,
    SourceRefusedError,
    SourceTooLargeError,
    SourceUnusableError,
)
from groundcam_runtime.redaction import redact

_REFUSALS = (
    av.error.HTTPUnauthorizedError,
    av.error.HTTPForbiddenError,
    av.error.HTTPNotFoundError,
)


def translated(error: BaseException) -> SourceError:
    """FFmpeg's texts contain the whole URL: only the error that follows it is kept."""
    kind = type(error).__name__
    text = redact(getattr(error, "strerror", None) or kind)
    if isinstance(error, MemoryError):
        return SourceTooLargeError(NO_MEMORY, "MemoryError")
    if isinstance(error, _REFUSALS):
        return SourceRefusedError(text, kind)
    if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
        return SourceUnusableError(text, kind)
    return SourceError(text, kind)
