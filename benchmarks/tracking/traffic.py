"""Harness s: invented traffic before a camera that stands still.

People walk, cycle and drive through a picture of 1920x1080, in about 85 tracks a minute and a half; some stop for some
seconds, some turn, and the nearer cover the others. Sizes grow with nearness; speeds are in heights of a person
who stands there (1.75 m), so that near objects cross more of the picture between two frames. The paths are functions of
time and the same at every rate: of a seed, only the frames and the detector's mistakes differ from rate to rate.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tracking.films import Boxes, Detector, Film, Truth, area, clipped, overlap

SIZE = (1920, 1080)
SECONDS = 90.0
PER_SECOND = 0.85
"""Objects that set out, on average."""
BEFORE_S = 25.0
"""Objects have been setting out for so long when the film begins."""
DETECTOR = Detector(found=0.9, jitter=0.04, score=(0.45, 0.12), false_boxes=0.1)
HIDDEN = 0.5
"""An object is hidden when another covers more of it."""
SEEN = 0.3
"""An object is in the picture while more of its box is."""


@dataclass(frozen=True)
class Kind:
    """What moves."""

    label: str
    share: float
    """Of all objects."""
    speed: tuple[float, float]
    """From and to, in heights of a person a second."""
    size: tuple[float, float]
    """Width and height, in heights of a person."""
    stops: float
    """Chance to stop on the way."""
    waits_s: tuple[float, float]
    """Then from and to so long."""
    turns: int
    """At most so many points between where it comes from and where it goes."""


KINDS = (
    Kind("person", 0.55, (0.5, 1.1), (0.38, 1.0), 0.3, (3.0, 25.0), 2),
    Kind("bicycle", 0.2, (1.8, 3.2), (0.8, 1.05), 0.1, (2.0, 8.0), 1),
    Kind("car", 0.25, (2.5, 5.0), (2.3, 0.85), 0.3, (2.0, 12.0), 0),
)


@dataclass(frozen=True)
class Mover:
    """One object: where its feet or wheels are, and when."""

    kind: Kind
    times: NDArray[np.float64]
    points: NDArray[np.float64]
    """Shape (times, 2), in pixels; between two of them it goes straight."""
    build: tuple[float, float]
    """Its own width and height, as shares of its kind's."""
    sway: tuple[float, float]
    """How far it sways to either side, in heights of a person, and how many seconds to and fro take."""

    def box(self, at_s: float) -> list[float] | None:
        """Return the box at some time, which may reach beyond the picture."""
        if not self.times[0] <= at_s <= self.times[-1]:
            return None
        x, y = (float(np.interp(at_s, self.times, self.points[:, side])) for side in (0, 1))
        far, period_s = self.sway
        x += person(y) * far * np.sin(2 * np.pi * at_s / period_s)
        width, height = (person(y) * one * own for one, own in zip(self.kind.size, self.build, strict=True))
        return [x - width / 2, y - height, x + width / 2, y]


def person(y: float) -> float:
    """Return the height in pixels of a person whose feet are there: 60 at the far end, 300 at the near one."""
    return 60 + 240 * (y / SIZE[1] - 0.3) / 0.7


def movers(seed: int, seconds: float) -> list[Mover]:
    """Return all objects of a seed's film."""
    random = np.random.default_rng([seed, 0])
    count = random.poisson(PER_SECOND * (seconds + BEFORE_S))
    begins = np.sort(random.uniform(-BEFORE_S, seconds, count))
    kinds = random.choice(len(KINDS), count, p=[kind.share for kind in KINDS])
    return [_mover(KINDS[kind], float(begin), random) for kind, begin in zip(kinds, begins, strict=True)]


def _mover(kind: Kind, begin: float, random: np.random.Generator) -> Mover:
    points = _route(kind, random)
    speed = random.uniform(*kind.speed)
    at, times, stops = begin, [begin], [points[0]]
    halt = int(random.integers(1, len(points))) if random.random() < kind.stops else 0
    for number, (here, there) in enumerate(pairwise(points), 1):
        took = float(np.hypot(*(there - here))) / (speed * person(float(here[1] + there[1]) / 2))
        took /= random.uniform(0.85, 1.15)
        if number == halt:  # somewhere on this leg
            share = random.uniform(0.25, 0.75)
            waits = random.uniform(*kind.waits_s)
            times += [at + share * took, at + share * took + waits]
            stops += [here + share * (there - here)] * 2
            at += waits
        at += took
        times.append(at)
        stops.append(there)
    far = random.uniform(0.0, 0.08) if kind.label == "person" else 0.0
    build = (random.uniform(0.85, 1.15), random.uniform(0.85, 1.15))
    return Mover(kind, np.array(times), np.array(stops), build, (far, random.uniform(2.0, 4.0)))


def _route(kind: Kind, random: np.random.Generator) -> list[NDArray[np.float64]]:
    """Return points from one edge of the picture to another."""
    width, height = SIZE
    margin = 400.0  # half of the widest car
    y = random.uniform(0.35, 1.0) * height
    slope = 0.05 if kind.label == "car" else 0.2
    ends = [np.array([-margin, y]), np.array([width + margin, y + random.uniform(-slope, slope) * height])]
    if kind.label != "car" and random.random() < 0.2:  # comes nearer, out of the picture
        ends = [np.array([random.uniform(0.1, 0.9) * width, 1.35 * height]), ends[1]]
    between = np.sort(random.uniform(0.15, 0.85, random.integers(0, kind.turns + 1)))
    turns = [
        ends[0] + share * (ends[1] - ends[0]) + random.uniform(-0.12, 0.12, 2) * np.array([width, height])
        for share in between
    ]
    route = [ends[0], *turns, ends[1]]
    for point in route:
        point[1] = max(point[1], 0.32 * height)
    return route if random.random() < 0.5 else route[::-1]


def truth(seed: int, rate: float, seconds: float = SECONDS) -> Iterator[Truth]:
    """Yield the true boxes at every moment that is looked at."""
    everyone = movers(seed, seconds)
    for frame in range(int(seconds * rate)):
        at_s = frame / rate
        there = [(number, box) for number, one in enumerate(everyone) if (box := one.box(at_s)) is not None]
        boxes = np.array([box for _, box in there]).reshape(-1, 4)
        within = clipped(boxes, SIZE)
        seen = np.flatnonzero(area(within) > SEEN * area(boxes))
        numbers = np.array([there[index][0] for index in seen], dtype=int)
        labels = tuple(everyone[number].kind.label for number in numbers)
        yield Truth(at_s, numbers, within[seen], labels, _hidden(within[seen], boxes[seen][:, 3]))


def _hidden(boxes: Boxes, feet: NDArray[np.float64]) -> NDArray[np.bool_]:
    covered = overlap(boxes, boxes) / np.maximum(area(boxes), 1e-9)[:, None]
    nearer = feet[None, :] > feet[:, None]
    return np.asarray((covered * nearer > HIDDEN).any(axis=1))


def film(seed: int, rate: float, seconds: float = SECONDS) -> Film:
    """Return a seed's film at a rate, looked at."""
    frames = list(truth(seed, rate, seconds))
    random = np.random.default_rng([seed, 1, round(1000 * rate)])
    return Film(f"traffic {seed}", rate, frames, DETECTOR.look(frames, SIZE, random))
