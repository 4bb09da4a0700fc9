"""Which classes have a series of their own in the metrics, of which camera, and for how long. Pure: the caller owns the
clock.

Classes are what people ask for, and a frame may bring a question of its own: names come without end. So there are at
most so many, and so many series; what is beyond them shares one label, and what is not asked any more goes away.
"""

import math
from collections import Counter
from collections.abc import Iterable

MOST_LABELS = 100
"""Different classes of one worker."""
MOST_SERIES = 20_000
"""Classes of all cameras together."""
OTHERS = "(others)"
"""As nobody calls a class: brackets around one are no part of it."""


class ClassLabels:
    """The classes of each camera that have a series."""

    def __init__(self, forget_s: float, most_labels: int = MOST_LABELS, most_series: int = MOST_SERIES) -> None:
        """A series goes `forget_s` after its class was asked last."""
        self._forget_s, self._most_labels, self._most_series = forget_s, most_labels, most_series
        self._series: dict[str, dict[str, float]] = {}
        """Of each camera its labels, and since when nobody asks for them."""
        self._users: Counter[str] = Counter()

    def asked(self, camera_id: str, classes: Iterable[str], now: float) -> list[str]:
        """Note what a camera is asked from now on; return the labels whose series begin with it."""
        known = self._series.setdefault(camera_id, {})
        for label, since in known.items():
            known[label] = min(since, now)
        begun = []
        for one in classes:
            label = one if one in known or self._has_room(one) else OTHERS
            if label not in known:
                begun.append(label)
                self._users[label] += 1
            known[label] = math.inf
        return begun

    def label_of(self, camera_id: str, found: str) -> str:
        """Return the label under which an object counts."""
        return found if found in self._series.get(camera_id, ()) else OTHERS

    def forgotten(self, now: float) -> list[tuple[str, str]]:
        """Forget what nobody has asked for long; return the camera and the label of each series that ends."""
        ended = [
            (camera_id, label)
            for camera_id, known in self._series.items()
            for label, since in known.items()
            if now - since > self._forget_s
        ]
        for camera_id, label in ended:
            del self._series[camera_id][label]
            self._unused(label)
        return ended

    def forget_camera(self, camera_id: str) -> None:
        """A camera is silent for long, and all of its series end."""
        for label in self._series.pop(camera_id, {}):
            self._unused(label)

    def _has_room(self, label: str) -> bool:
        named = len(self._users) - (OTHERS in self._users)
        return (label in self._users or named < self._most_labels) and self._users.total() < self._most_series

    def _unused(self, label: str) -> None:
        self._users[label] -= 1
        if self._users[label] <= 0:
            del self._users[label]
