"""The name that was probably meant. Pure."""

import difflib
from collections.abc import Iterable

ALIKE = 0.6
"""From 0 to 1, where names begin to be like each other: difflib's own choice."""


def closest(word: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """Return the known name that is most like this one, or None where none is."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=alike)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str], alike: float = ALIKE) -> str:
    """Return the end of a sentence about an unknown name: `; did you mean gate?`, or nothing."""
    name = closest(word, known, alike)
    return f"; did you mean {name}?" if name else ""
