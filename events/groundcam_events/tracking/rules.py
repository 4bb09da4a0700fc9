"""What is told of an object, and when: all times are seconds of the camera's own clock. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rules:
    """When a track is believed, and how long it is kept; in seconds."""

    looks: int = 2
    """So often something is seen before it is believed."""
    born_within_s: float = 0.5
    """Between the first looks, in time in which somebody looked."""
    lost_s: float = 5.0
    most: int = 200
    """Tracks of one camera; what comes beyond them is not followed."""


@dataclass(frozen=True, slots=True)
class LifeRules:
    """When an object is told of. The defaults fit scores of 0.3 to 0.5, as open-vocabulary models give them."""

    tracks: Rules = field(default_factory=Rules)
    new_score: float = 0.35
    """The median score of its looks that an object needs to be told of."""
    left_s: float = 1.5
    """Unseen for so long it has left, if it was on its way out of the picture."""
    blind_s: float = 60.0
    """So long nobody may look before an object is taken for lost."""
    offline_s: float = 10.0
    """So long a camera may be away before its objects end."""
    silent_s: float = 300.0
    """So long nothing at all may come of a camera before its objects end."""
    settle_s: float = 0.5
    """So long an object must be on a zone's other side."""
    line_margin: float = 0.02
    """So far from a border or a line, in heights of the picture, an object is clearly on one side."""
    still_s: float = 10.0
    """In one place for so long, an object stands still."""
    still_overlap: float = 0.6
    """A box that overlaps less with where it stood (intersection over union) has moved."""
    still_there_s: float = 60.0
    """A moving object of which nothing else was told for so long is told of; 0: never."""
    parked_there_s: float = 0.0
    """The same for one that stands still."""
    better_s: float = 5.0
    """A better picture is told of at most so often."""
    by_label: Mapping[str, "LifeRules"] = field(default_factory=dict)
    """What holds for single classes instead; `offline_s`, `silent_s` and the most tracks are for a whole camera."""

    def of(self, label: str) -> "LifeRules":
        """Return the rules for objects of a class."""
        return self.by_label.get(label, self)
