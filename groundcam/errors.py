"""Errors of modules that import much: the command line has to know them before it knows which of these it needs."""


class DeadLetterError(RuntimeError):
    """A dead letter that is not there, or cannot be put back; the sentence says which and why. Exit code 1."""


class EventError(RuntimeError):
    """An object that is not there, or has no picture; the sentence names it. Exit code 1."""


class PartError(RuntimeError):
    """A part of the demo did not start, or ended by itself; the sentence names it and its log."""
