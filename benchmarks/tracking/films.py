"""What trackers look at: true tracks frame by frame, and the boxes that a detector would make of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""Shape (n, 4): x1, y1, x2, y2 in pixels."""
LOWEST, HIGHEST = 0.05, 0.99
"""Scores are clipped to these."""


@dataclass(frozen=True)
class Truth:
    """What is to be seen at one moment."""

    at_s: float
    numbers: NDArray[np.int64]
    """Of the objects; an object keeps its own."""
    boxes: Boxes
    labels: tuple[str, ...]
    hidden: NDArray[np.bool_]
    """Whether nearer objects cover it so much that no detector finds it; it is there all the same."""


@dataclass(frozen=True)
class Look:
    """What a detector has found at one moment."""

    at_s: float
    boxes: Boxes
    scores: NDArray[np.float64]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Film:
    """A sequence with its truth and a detector's answers, frame by frame."""

    name: str
    rate: float
    """Frames a second."""
    truth: Sequence[Truth]
    looks: Sequence[Look]


@dataclass(frozen=True)
class Detector:
    """How well an imagined detector does. Its mistakes of different frames have nothing to do with each other."""

    found: float
    """Chance of an object that is not hidden."""
    jitter: float
    """Deviation of centre and sides, in sides of the box."""
    score: tuple[float, float]
    """Mean and deviation, of true and of false boxes alike."""
    false_boxes: float
    """Chance of a box of nothing in a frame. It has the size and the label of some object of the film."""

    def look(self, film: Sequence[Truth], size: tuple[int, int], random: np.random.Generator) -> list[Look]:
        """Return what it finds in pictures of this width and height."""
        sizes = np.concatenate([one.boxes[:, 2:] - one.boxes[:, :2] for one in film])
        labels = [label for one in film for label in one.labels]
        return [self._look(one, sizes, labels, size, random) for one in film]

    def _look(
        self, truth: Truth, sizes: NDArray[np.float64], labels: Sequence[str], size: tuple[int, int],
        random: np.random.Generator,
    ) -> Look:  # fmt: skip
        seen = np.flatnonzero((random.random(len(truth.boxes)) < self.found) & ~truth.hidden)
        boxes = self._shaken(truth.boxes[seen], random)
        names = [truth.labels[index] for index in seen]
        if random.random() < self.false_boxes:
            like = int(random.integers(len(sizes)))
            corner = random.random(2) * np.maximum(np.asarray(size) - sizes[like], 0)
            boxes = np.vstack([boxes, np.concatenate([corner, corner + sizes[like]])])
            names.append(labels[like])
        boxes = clipped(boxes, size)
        order = random.permutation(len(boxes))  # a detector's order says nothing of who is who
        scores = np.clip(random.normal(*self.score, len(boxes)), LOWEST, HIGHEST)
        return Look(truth.at_s, boxes[order], scores, tuple(names[index] for index in order))

    def _shaken(self, boxes: Boxes, random: np.random.Generator) -> Boxes:
        sides = boxes[:, 2:] - boxes[:, :2]
        centres = (boxes[:, 2:] + boxes[:, :2]) / 2 + sides * random.normal(0, self.jitter, sides.shape)
        halves = sides * np.exp(random.normal(0, self.jitter, sides.shape)) / 2
        return np.hstack([centres - halves, centres + halves])


def clipped(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Return what of the boxes is within a picture of this width and height."""
    return np.clip(boxes, 0, np.asarray([*size, *size], dtype=float))


def stride(fps: float, rate: float) -> int:
    """Return n so that every n-th frame of a film of `fps` comes near to a rate."""
    return max(1, round(fps / rate))


def thinned(frames: Sequence[Truth], step: int) -> list[Truth]:
    """Return every `step`-th frame, from the first; each keeps its time."""
    return list(frames[::step])


def overlap(some: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Return the area that each of some boxes shares with each of others, shape (some, others)."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=2))


def area(boxes: Boxes) -> NDArray[np.float64]:
    """Return each box's area."""
    return np.asarray(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))


def iou(some: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Return intersection over union, shape (some, others)."""
    shared = overlap(some, others)
    union = area(some)[:, None] + area(others)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))
