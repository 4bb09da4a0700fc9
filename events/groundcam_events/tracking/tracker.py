"""Which boxes of a camera are one thing: boxes of each look are assigned to the tracks that there are. Pure.

Three stages, each an optimal assignment (H. W. Kuhn, "The Hungarian method", 1955): where it is known well where a
thing will be, by how much its predicted box and the seen one overlap, as SORT does (Bewley et al., 2016); else by how
likely the track explains the box better than something new does, which holds when things move by more than their size
between two looks; last the faint boxes, as ByteTrack does (Zhang et al., 2022), which continue tracks and begin none.
What was measured: benchmarks/TRACKING.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from groundcam_events.tracking.motion import LEAST_SIZE, MOST_SPREAD, POSITION_NOISE, Box, Motion, bottom
from groundcam_events.tracking.rules import Rules

SAME_THING = 0.75
"""Two boxes of different classes that overlap by more (intersection over union) are one thing."""
STRONG = 0.2
"""What scores less begins no track."""
LEAST_OVERLAP = 0.2
FAINT_OVERLAP = 0.3
OTHER_LABEL_OVERLAP = 0.5
"""A box of another class continues a track only if it overlaps so far."""
OTHER_LABEL_COST = 0.3
KNOWN_WELL = 0.7
"""The largest standard deviation of a prediction, in sizes, with which overlap decides."""
SIZE_NOISE = 0.2
"""Standard deviation of the logarithm of a width or a height."""
SOMETHING_NEW = 4.0
"""Twice the negative logarithm of how likely a box is something new: a track has to explain it better."""

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Detected:
    """One box of a look."""

    box: Box
    score: float
    label: str


@dataclass(eq=False, slots=True)
class Track:
    """One thing."""

    number: int
    motion: Motion
    born_s: float
    looks: int = 1
    unseen_s: float = 0.0
    """Since it was last seen, of the time in which somebody looked."""
    votes: dict[str, float] = field(default_factory=dict)
    """Score by label, summed up."""

    @property
    def label(self) -> str:
        """What most of its looks say."""
        return min(self.votes, key=lambda label: (-self.votes[label], label))


class Tracker:
    """The tracks of one camera."""

    def __init__(self, rules: Rules | None = None, tracks: Sequence[Track] = (), next_number: int = 0) -> None:
        """Go on with these tracks, the oldest first."""
        self.rules = rules or Rules()
        self.tracks = list(tracks)
        self.next_number = next_number
        self.refused = 0
        """Things that were not followed, since there were too many."""
        self._at_s: float | None = None

    def step(self, at_s: float, found: Sequence[Detected]) -> list[int]:
        """Return the track number of each detection, in the order given; -1 where it belongs to none yet.

        For whoever has no gaps: looks come one after the other, and what is not seen for `lost_s` is forgotten.
        """
        looked_s = 0.0 if self._at_s is None else max(0.0, at_s - self._at_s)
        self._at_s = at_s
        of = self.look(at_s, found)
        for track in self.tracks:
            track.unseen_s = 0.0 if track in of else track.unseen_s + looked_s
        self.tracks = [one for one in self.tracks if not self.is_over(one, looked_s)]
        return [-1 if one is None or one.looks < self.rules.looks else one.number for one in of]

    def is_over(self, track: Track, typical_s: float) -> bool:
        """Whether a track was not seen for so long that it is forgotten, where looks come every `typical_s`."""
        longest_s = self.rules.lost_s if track.looks >= self.rules.looks else self.rules.born_within_s
        return track.unseen_s >= max(longest_s, 2.5 * typical_s)

    def look(self, at_s: float, found: Sequence[Detected]) -> list[Track | None]:
        """Assign what is seen; return the track of each detection, None where there are too many already.

        What is not seen keeps its `unseen_s`: the caller knows how long somebody looked.
        """
        order = sorted(range(len(found)), key=lambda one: (-found[one].score, found[one].label, found[one].box))
        groups = _things([found[one] for one in order])
        seen = [found[order[group[0]]] for group in groups]
        chosen = self._assign(at_s, seen)
        of: list[Track | None] = [None] * len(found)
        for group, detected, known in zip(groups, seen, chosen, strict=True):
            track = known
            if track is None and detected.score >= STRONG:
                track = self._begin(at_s, detected)
            elif track is not None:
                track.motion.see(detected.box, at_s)
                track.looks += 1
            for member in group:
                of[order[member]] = track
                if track is not None:
                    one = found[order[member]]
                    track.votes[one.label] = track.votes.get(one.label, 0.0) + one.score
        return of

    def _begin(self, at_s: float, detected: Detected) -> Track | None:
        if len(self.tracks) >= self.rules.most:
            self.refused += 1
            return None
        track = Track(self.next_number, Motion.of(detected.box, at_s), at_s)
        self.next_number += 1
        self.tracks.append(track)
        return track

    def _assign(self, at_s: float, seen: Sequence[Detected]) -> list[Track | None]:
        """Return the track that there is for each of these, or None."""
        of: list[Track | None] = [None] * len(seen)
        if not seen or not self.tracks:
            return of
        pairs = _Pairs(at_s, self.tracks, seen)
        strong = np.array([one.score >= STRONG for one in seen])
        known = pairs.sharp[:, None]
        overlap = pairs.overlap - OTHER_LABEL_COST * ~pairs.same_label
        near = (pairs.overlap >= LEAST_OVERLAP) & (pairs.same_label | (pairs.overlap >= OTHER_LABEL_OVERLAP))
        free_tracks, free_seen = np.ones(len(self.tracks), bool), np.ones(len(seen), bool)
        for gain, allowed in (
            (overlap, near & known & strong),
            (SOMETHING_NEW - pairs.unlikely, pairs.same_label & strong),
            (overlap, near & (pairs.overlap >= FAINT_OVERLAP) & ~strong),
        ):
            for track, one in _matches(gain, allowed & free_tracks[:, None] & free_seen):
                of[one] = self.tracks[track]
                free_tracks[track] = free_seen[one] = False
        return of


class _Pairs:
    """Every track beside everything that is seen: arrays of [tracks, seen]."""

    def __init__(self, at_s: float, tracks: Sequence[Track], seen: Sequence[Detected]) -> None:
        places = [one.motion.at(at_s) for one in tracks]
        x, y, variance = np.array(places).T
        width, height = np.maximum(LEAST_SIZE, [(one.motion.width, one.motion.height) for one in tracks]).T
        size = np.array([one.motion.size for one in tracks])
        seen_x, seen_y, *sides = np.array([bottom(one.box) for one in seen]).T
        seen_width, seen_height = np.maximum(LEAST_SIZE, sides)
        labels = [one.label for one in tracks]
        self.same_label: Truths = np.array([[label == one.label for one in seen] for label in labels])
        self.sharp: Truths = variance <= (KNOWN_WELL * size) ** 2
        self.overlap = _overlap((x, y, width, height), (seen_x, seen_y, seen_width, seen_height))
        total = np.minimum(variance, (MOST_SPREAD * size) ** 2) + (POSITION_NOISE * size) ** 2
        moved = (x[:, None] - seen_x) ** 2 + (y[:, None] - seen_y) ** 2
        grown = np.log(width[:, None] / seen_width) ** 2 + np.log(height[:, None] / seen_height) ** 2
        self.unlikely: Numbers = moved / total[:, None] + grown / SIZE_NOISE**2 + 2 * np.log(total / size**2)[:, None]
        """Twice the negative logarithm of how likely it is seen there. What may be anywhere is likely nowhere."""


def _overlap(some: tuple[Numbers, ...], others: tuple[Numbers, ...]) -> Numbers:
    """Return the intersection over union of boxes given by the middle of the lower edge, width and height."""
    x, y, width, height = (one[:, None] for one in some)
    ox, oy, owidth, oheight = others
    across = np.minimum(x + width / 2, ox + owidth / 2) - np.maximum(x - width / 2, ox - owidth / 2)
    down = np.minimum(y, oy) - np.maximum(y - height, oy - oheight)
    shared = np.maximum(0, across) * np.maximum(0, down)
    union = width * height + owidth * oheight - shared
    part: Numbers = shared / np.maximum(union, 1e-9)
    return part


def _matches(gain: Numbers, allowed: Truths) -> list[tuple[int, int]]:
    """Return the allowed pairs that gain most in sum; none that gains nothing."""
    worth = np.where(allowed, np.maximum(0.0, gain), 0.0)
    if not worth.any():
        return []
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if worth[row, column] > 0]


def _things(seen: Sequence[Detected]) -> list[list[int]]:
    """Group boxes of different classes on the same thing, the best first."""
    if len(seen) < 2:
        return [[one] for one in range(len(seen))]
    boxes = tuple(np.array([bottom(one.box) for one in seen]).T)
    same = _overlap(boxes, boxes) > SAME_THING
    groups: list[list[int]] = []
    for index, one in enumerate(seen):
        for group in groups:
            if same[group[0], index] and all(seen[member].label != one.label for member in group):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups
