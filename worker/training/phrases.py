"""What the demo model learns to read: phrases of a colour and a shape, and which objects they are true of. Pure."""

from dataclasses import dataclass

import numpy as np

SHAPES = ("circle", "square", "triangle", "star", "cross")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")

HELD_OUT = frozenset(
    {("purple", "circle"), ("orange", "square"), ("white", "triangle"), ("green", "star"), ("yellow", "cross")}
)
"""Pairs that training neither draws nor asks for: a model that finds them has learned to combine words."""

SEEN = tuple((colour, shape) for colour in COLOURS for shape in SHAPES if (colour, shape) not in HELD_OUT)

MOST_PHRASES = 6


@dataclass(frozen=True, slots=True)
class Kind:
    """What an object is."""

    colour: str
    shape: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of a question; a missing colour or shape means any."""

    colour: str | None = None
    shape: str | None = None

    def __str__(self) -> str:
        """Return the words: "red circle", "circle" or "red shape"."""
        return " ".join(word for word in (self.colour, self.shape or "shape") if word)

    def fits(self, kind: Kind) -> bool:
        """Say whether the phrase is true of an object."""
        return self.colour in {None, kind.colour} and self.shape in {None, kind.shape}


def read_phrase(text: str) -> Phrase:
    """Read what `str(phrase)` wrote."""
    words = text.split()
    colour = words[0] if words[0] in COLOURS else None
    return Phrase(colour, words[-1] if words[-1] in SHAPES else None)


def draw_question(rng: np.random.Generator, pairs: tuple[tuple[str, str], ...] = SEEN) -> tuple[Phrase, ...]:
    """Draw one to six different phrases: 60 % colour and shape, 20 % shape alone, 20 % colour alone."""
    phrases: dict[str, Phrase] = {}
    for _ in range(int(rng.integers(1, MOST_PHRASES + 1))):
        colour, shape = pairs[rng.integers(len(pairs))]
        phrase = rng.choice(
            np.array([Phrase(colour, shape), Phrase(shape=shape), Phrase(colour=colour)], dtype=object),
            p=[0.6, 0.2, 0.2],
        )
        phrases[str(phrase)] = phrase
    return tuple(phrases.values())


def draw_kinds(
    rng: np.random.Generator,
    count: int,
    question: tuple[Phrase, ...],
    pairs: tuple[tuple[str, str], ...] = SEEN,
) -> list[Kind]:
    """Draw the objects of a scene.

    Half are what the question asks for, since chance rarely draws it. A quarter share exactly one word with a
    phrase of the question, so that one word of two is not enough; the rest are anything.
    """
    kinds = []
    for _ in range(count):
        phrase, aim = question[rng.integers(len(question))], rng.random()
        fitting = [
            Kind(*pair)
            for pair in pairs
            if aim >= 0.75
            or (phrase.fits(Kind(*pair)) if aim < 0.5 else (pair[0] == phrase.colour) != (pair[1] == phrase.shape))
        ]
        kinds.append(fitting[rng.integers(len(fitting))])
    return kinds
