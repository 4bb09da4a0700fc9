"""One object's life: what is known of it, and when there is something to tell. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from statistics import median

from groundcam_events.tracking.motion import Box, scaled
from groundcam_events.tracking.places import Happened, Place, Whereabouts
from groundcam_events.tracking.rules import LifeRules
from groundcam_events.tracking.tracker import Track
from groundcam_schemas import CameraZones, Cause, Event, Motion, PathPoint, Sighting, Unseen
from groundcam_schemas.limits import MAX_PATH, MAX_UNSEEN

SCORES = 15
PATH_STEP = 0.03
"""Of the picture's diagonal."""
BETTER_SCORE = 0.05
LARGER = 1.1
RELABEL = 1.2
"""So many times the votes of the label that was told another one needs."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, and of which model, at a look."""

    question_id: str
    question_version: str
    class_id: int
    model: str
    revision: str
    width: int
    height: int


@dataclass(slots=True)
class Rest:
    """Where an object stands, if it does."""

    box: Box
    since_s: float
    since_ns: int
    moved: int = 0
    """Looks in a row in which it was elsewhere."""


@dataclass(eq=False, slots=True)
class Life:
    """One object from its first look on."""

    track: Track
    id: str
    first: Sighting
    last: Sighting
    best: Sighting
    asked: Asked
    rest: Rest
    n: int = 0
    """The number of the next event; 0 before it is told of."""
    label: str = ""
    """As it was told last."""
    seen: int = 1
    missed: int = 0
    missed_now: int = 0
    """Since it was last seen."""
    blind_s: float = 0.0
    """So long nobody looked since it was last seen."""
    unseen: list[Unseen] = field(default_factory=list)
    unseen_now: list[Unseen] = field(default_factory=list)
    """Since it was last seen."""
    scores: list[float] = field(default_factory=list)
    path: list[PathPoint] = field(default_factory=list)
    where: Whereabouts = field(default_factory=Whereabouts)
    motion: Motion = Motion.MOVING
    motion_since_ns: int = 0
    early: list[Cause] = field(default_factory=list)
    """What happened before it was told of."""
    early_about: list[str] = field(default_factory=list)
    """Of each the zone or line; states of trackers before have none."""
    newest: Event | None = None
    """The newest event, without path and unseen times."""
    told_s: float = 0.0
    best_told: bool = True
    best_told_s: float = 0.0

    @property
    def is_told(self) -> bool:
        """Whether there is an event of it."""
        return self.n > 0

    @property
    def median_score(self) -> float:
        """Of its latest looks."""
        return median(self.scores)

    def see(
        self, sighting: Sighting, asked: Asked, place: Place, zones: CameraZones | None, rules: LifeRules
    ) -> list[Happened]:
        """Take a look into account; return what there is to tell, the most important first."""
        is_first = not self.scores
        causes: list[Happened] = []
        if not is_first:
            self.seen += 1
            self.missed += self.missed_now
            self.unseen = [*self.unseen, *self.unseen_now][-MAX_UNSEEN:]
        self.missed_now, self.blind_s, self.unseen_now = 0, 0.0, []
        self.scores = [*self.scores, sighting.score][-SCORES:]
        self.last, self.asked = sighting, asked
        if zones is not None:
            aspect = asked.width / asked.height
            moves = self.where.move(
                place, self.track.label, zones, settle_s=rules.settle_s, margin=rules.line_margin, aspect=aspect
            )
            causes += moves
        self._walk(place)
        causes += map(Happened, self._rest(sighting.box, place, rules))
        if not is_first and _is_better(sighting, self.best):
            self.best, self.best_told = sighting, False
        if self.is_told:
            return causes
        self.early += [one.cause for one in causes]
        self.early_about += [one.about for one in causes]
        return self._appear(rules)

    def resize(self, width: int, height: int) -> None:
        """Go on in pictures of this size, in whose pixels everything is from now on: the camera shows the same."""
        across, down = width / self.asked.width, height / self.asked.height
        if across == down == 1.0:
            return
        self.asked = replace(self.asked, width=width, height=height)
        self.track.motion.scale(across, down)
        self.rest.box = scaled(self.rest.box, across, down)
        self.first, self.last, self.best = (
            one.model_copy(update={"box": scaled(one.box, across, down)}) for one in (self.first, self.last, self.best)
        )

    def due(self, at_s: float, rules: LifeRules) -> Iterator[Cause]:
        """Yield what is to be told although nothing happened: at the end of a look in which it was seen."""
        if not self.is_told:
            return
        votes, told = self.track.votes, self.track.votes.get(self.label, 0.0)
        if self.track.label != self.label and votes[self.track.label] > RELABEL * told:
            yield Cause.RELABELLED
        if not self.best_told and self.motion is Motion.MOVING and at_s - self.best_told_s >= rules.better_s:
            yield Cause.BETTER_PICTURE
        wait_s = rules.parked_there_s if self.motion is Motion.STILL else rules.still_there_s
        if wait_s and at_s - self.told_s >= wait_s:
            yield Cause.STILL_THERE

    def miss(self, looked_s: float, blind_s: float) -> None:
        """Somebody looked and did not see it."""
        self.missed_now += 1
        self.track.unseen_s += looked_s
        self.blind_s += blind_s

    def is_leaving(self) -> bool:
        """Whether it was last seen at the picture's edge, on its way out."""
        if not self.last.at_edge:
            return False
        x1, y1, x2, y2 = self.last.box
        vx, vy = self.track.motion.vx, self.track.motion.vy
        out = (x1 <= 1 and vx < 0, y1 <= 1 and vy < 0, x2 >= self.asked.width - 1 and vx > 0)
        return any(out) or (y2 >= self.asked.height - 1 and vy > 0)

    def _appear(self, rules: LifeRules) -> list[Happened]:
        if self.track.looks < rules.tracks.looks or self.median_score < rules.new_score:
            return []
        unknown = [""] * (len(self.early) - len(self.early_about))
        early = map(Happened, self.early, [*unknown, *self.early_about])
        self.early, self.early_about = [], []
        return [Happened(Cause.APPEARED), *early]

    def _walk(self, place: Place) -> None:
        """Keep the path's points: far from each other, and the latest place at its end."""
        point = PathPoint(x=place.point[0], y=place.point[1], at_ns=place.at_ns)
        if len(self.path) >= 2 and _distance(self.path[-2], point) < PATH_STEP:
            self.path[-1] = point
        else:
            self.path.append(point)
        if len(self.path) > MAX_PATH:
            self.path = [*self.path[:-1][::2], self.path[-1]]

    def _rest(self, box: Box, place: Place, rules: LifeRules) -> Iterator[Cause]:
        rest = self.rest
        if overlap(box, rest.box) < rules.still_overlap:
            rest.moved += 1
            if rest.moved >= 2 or self.motion is Motion.MOVING:
                self.rest = Rest(box, place.at_s, place.at_ns)
                if self.motion is Motion.STILL:
                    self.motion, self.motion_since_ns = Motion.MOVING, place.at_ns
                    yield Cause.MOVED
            return
        rest.moved = 0
        if self.motion is Motion.MOVING and place.at_s - rest.since_s >= rules.still_s:
            self.motion, self.motion_since_ns = Motion.STILL, rest.since_ns
            yield Cause.STOPPED


def _is_better(one: Sighting, other: Sighting) -> bool:
    """Whether a look makes the better picture: whole before cut by the edge, then surer, then larger."""
    if one.at_edge != other.at_edge:
        return other.at_edge
    if one.score > other.score + BETTER_SCORE:
        return True
    return one.score >= other.score - BETTER_SCORE and area(one.box) > LARGER * area(other.box)


def area(box: Box) -> float:
    """Return a box's area."""
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, across) * max(0.0, down)
    return shared / (area(one) + area(other) - shared)


def _distance(one: PathPoint, other: PathPoint) -> float:
    """In parts of the diagonal, of a picture that was made square."""
    return math.hypot(one.x - other.x, one.y - other.y) / math.sqrt(2)
