"""How right the answers were: compared with objects that are known. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundcam.demo.scene import Box, Known
from groundcam_schemas import Object

LEAST_IOU = 0.5


@dataclass(slots=True)
class Score:
    """Counts over many pictures."""

    right: int = 0
    found: int = 0
    there: int = 0

    @property
    def precision(self) -> float | None:
        """Which part of what was found is there; None where nothing was found."""
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """Which part of what is there was found; None where nothing is there."""
        return self.right / self.there if self.there else None

    def __add__(self, other: "Score") -> "Score":
        """Add the counts of two."""
        return Score(self.right + other.right, self.found + other.found, self.there + other.there)


def score(objects: Sequence[Object], known: Sequence[Known], labels: Sequence[str]) -> Score:
    """Compare one picture's answer with what is in it and was asked for.

    An object is right when a known one of that name, which no better object has taken, has an IoU of 0.5 with it.
    """
    asked = [one for one in known if any(one.is_called(label) for label in labels)]
    left = list(asked)
    right = 0
    for found in sorted(objects, key=lambda one: -one.score):
        fitting = [one for one in left if one.is_called(found.label) and iou(one.box, found.box) >= LEAST_IOU]
        if fitting:
            left.remove(max(fitting, key=lambda one: iou(one.box, found.box)))
            right += 1
    return Score(right, len(objects), len(asked))


def iou(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return wide * high / (areas - wide * high)
