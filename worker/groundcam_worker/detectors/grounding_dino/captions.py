"""From a question's classes to the captions that the model reads. Pure.

A caption is `[CLS] phrase . phrase . [SEP]`. Phrases come in as token ids, each tokenised by itself, so that it is
known which tokens belong to which class. What does not fit into one caption goes on in another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

OF_NO_CLASS = -1


@dataclass(frozen=True, slots=True)
class Marks:
    """Token ids that separate phrases."""

    begin: int
    stop: int
    end: int


@dataclass(frozen=True, slots=True)
class Caption:
    """A part of a question as the model reads it; one entry for each token."""

    ids: tuple[int, ...]
    classes: tuple[int, ...]
    """The class that owns the token, or OF_NO_CLASS: only a class's own tokens give it a score."""
    phrases: tuple[int, ...]
    """Which phrase the token is in, its full stop included: a token attends to its own phrase only."""
    places: tuple[int, ...]
    """Where in its phrase."""


def captions_of(phrases: Sequence[Sequence[int]], marks: Marks, max_tokens: int) -> tuple[Caption, ...]:
    """Return the fewest captions of at most `max_tokens` that contain all classes in order.

    Raises ValueError with the index of a phrase that fits into no caption.
    """
    groups: list[list[int]] = [[]]
    room = max_tokens - 2
    for index, phrase in enumerate(phrases):
        needed = len(phrase) + 1
        if needed > max_tokens - 2:
            raise ValueError(index)
        if needed > room:
            groups.append([])
            room = max_tokens - 2
        groups[-1].append(index)
        room -= needed
    return tuple(_caption(group, phrases, marks) for group in groups)


def _caption(group: Sequence[int], phrases: Sequence[Sequence[int]], marks: Marks) -> Caption:
    ids, classes, numbers, places = [marks.begin], [OF_NO_CLASS], [0], [0]
    for number, index in enumerate(group, 1):
        phrase = phrases[index]
        ids += [*phrase, marks.stop]
        classes += [*([index] * len(phrase)), OF_NO_CLASS]
        numbers += [number] * (len(phrase) + 1)
        places += range(len(phrase) + 1)
    return Caption(
        (*ids, marks.end), (*classes, OF_NO_CLASS), (*numbers, len(group) + 1), (*places, 0)
    )  # fmt: skip
