"""What can go wrong with a source. The class decides what happens next.

SourceError                try again soon
 +- SourceRefusedError     wrong password or path: try again rarely, since cameras lock out who hammers
 +- SourceHungError        a native call does not return: only a new process helps
 +- SourceTooLargeError    its pictures, or what they take to decode, are over a limit
 +- SourceUnusableError    this is no video and no picture: trying again would not help
"""


class SourceError(RuntimeError):
    """A source cannot be opened or read; `kind` is the class of the cause."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


class SourceRefusedError(SourceError):
    """The camera answers, and refuses."""


class SourceHungError(SourceError):
    """The source gives nothing, and does not report its end."""


class SourceTooLargeError(SourceError):
    """Its pictures are over a limit."""


class SourceUnusableError(SourceError):
    """There is nothing to decode."""
