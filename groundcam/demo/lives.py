"""How right the events were: compared with objects whose ways are known. Pure.

A scene's objects have known places at each moment of its film; a frame that was answered says which moment of the film
its capture time is. So stays in zones and crossings of lines are known, too, in capture time.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from groundcam.demo.scene import Scene
from groundcam.demo.score import iou
from groundcam_events.tracking.geometry import crossing, is_inside
from groundcam_schemas import Event, EventType

NS = 1_000_000_000
STEP_S = 0.01
NEAR_S = 0.5
"""A stay or a crossing that was told so near to a known one is that one."""
LEAST_STAY_S = 0.8
"""Shorter ones need not be told: trackers wait `track.settle_s`, 0.5 s, before they take one for a stay, and look
once a frame."""
LEAST_IOU = 0.3
Moment = tuple[int, int]
"""When a frame was captured, and its time in the film, both in ns."""


class FilmClock:
    """Which moment of a film a camera showed when."""

    def __init__(self, moments: Iterable[Moment], period_s: float) -> None:
        """The film begins again after `period_s`, and so do its times."""
        self._at_ns: list[int] = []
        self._film_s: list[float] = []
        for at_ns, pts_ns in sorted(moments):
            film_s = pts_ns / NS % period_s
            if self._at_ns and at_ns > self._at_ns[-1]:
                before = self._film_s[-1]
                # As many rounds later as fits the time that has passed.
                rounds = round((before + (at_ns - self._at_ns[-1]) / NS - film_s) / period_s)
                film_s += rounds * period_s
                if film_s <= before:
                    continue
            elif self._at_ns:
                continue
            self._at_ns.append(at_ns)
            self._film_s.append(film_s)

    def __bool__(self) -> bool:
        return len(self._at_ns) > 1

    def film_s(self, at_ns: int) -> float:
        """Return the moment of the film, in seconds that go on where it begins again."""
        return _between(at_ns, self._at_ns, self._film_s)

    def at_s(self, film_s: float) -> float:
        """Return when a moment was captured, in seconds."""
        return _between(film_s, self._film_s, self._at_ns) / NS

    @property
    def span(self) -> tuple[float, float]:
        """The first and the last moment that was shown."""
        return self._film_s[0], self._film_s[-1]


@dataclass(slots=True)
class Way:
    """What one known object did."""

    stays: list[tuple[str, float, float]] = field(default_factory=list)
    """Zone, entered and left, in seconds of capture time."""
    crossings: list[tuple[str, str, float]] = field(default_factory=list)
    """Line, direction and time."""


@dataclass(slots=True)
class Lives:
    """What was told of a camera's objects, counted."""

    objects: int = 0
    """Known ones that were asked for."""
    new: int = 0
    end: int = 0
    followed: int = 0
    """Known objects that have one life."""
    switches: int = 0
    """Times that a life went over to another object."""
    told: dict[str, int] = field(default_factory=lambda: {"zones": 0, "lines": 0})
    known: dict[str, int] = field(default_factory=lambda: {"zones": 0, "lines": 0})
    right: dict[str, int] = field(default_factory=lambda: {"zones": 0, "lines": 0})
    dwell_error_s: float = 0.0

    def __add__(self, other: "Lives") -> "Lives":
        """Add two cameras up."""
        both = (self.told, other.told), (self.known, other.known), (self.right, other.right)
        told, known, right = ({kind: one[kind] + two[kind] for kind in one} for one, two in both)
        return Lives(
            self.objects + other.objects, self.new + other.new, self.end + other.end, self.followed + other.followed,
            self.switches + other.switches, told, known, right, max(self.dwell_error_s, other.dwell_error_s),
        )  # fmt: skip

    def figures(self) -> dict[str, Any]:
        """Return the fields of the demo's JSON."""
        return {
            "objects": self.objects,
            "new": self.new,
            "end": self.end,
            "one_life": self.followed,
            "identity_switches": self.switches,
            "zone_entries": self._kind("zones"),
            "line_crossings": self._kind("lines"),
            "dwell_error_s": round(self.dwell_error_s, 3),
        }

    def _kind(self, kind: str) -> dict[str, Any]:
        told, known, right = self.told[kind], self.known[kind], self.right[kind]
        return {
            "known": known,
            "told": told,
            "right": right,
            "precision": round(right / told, 4) if told else None,
            "recall": round(right / known, 4) if known else None,
        }


def judge(scene: Scene, moments: Iterable[Moment], events: Sequence[Event], since_ns: int = 0) -> Lives:
    """Compare a camera's events with its scene, of which all of these moments were shown.

    Where earlier ones are not known, what was told of the time before `since_ns` is left out.
    """
    clock = FilmClock(moments, scene.period_s)
    found = Lives()
    if not clock:
        return found
    labels = [label.strip() for label in scene.question.split(",")]
    asked = [index for index, one in enumerate(scene.objects(0.0)) if any(one.is_called(label) for label in labels)]
    found.objects = len(asked)
    by_id: dict[str, list[Event]] = {}
    for event in events:
        by_id.setdefault(event.id, []).append(event)
    lives: dict[int, int] = {}
    for told in by_id.values():
        found.new += told[0].type is EventType.NEW
        found.end += told[-1].type is EventType.END
        owners = _owners(scene, clock, told, since_ns)
        found.switches += max(0, len(set(owners)) - 1)
        owner = max(set(owners), key=owners.count) if owners else None
        if owner is not None and scene.objects(0.0)[owner].is_called(told[-1].label):
            lives[owner] = lives.get(owner, 0) + 1
            _compare(way(scene, clock, owner), told, since_ns / NS, found)
        else:
            _compare(Way(), told, since_ns / NS, found)  # of nothing that is there
    for index in asked:
        if index not in lives:
            missed = way(scene, clock, index)
            found.known["zones"] += sum(left_s - entered_s >= LEAST_STAY_S for _, entered_s, left_s in missed.stays)
            found.known["lines"] += len(missed.crossings)
    found.followed = sum(lives.get(index) == 1 for index in asked)
    return found


def way(scene: Scene, clock: FilmClock, index: int) -> Way:
    """Return the stays and crossings of an object while its film was shown."""
    found, inside = Way(), dict[str, float]()
    begin_s, end_s = clock.span
    before: tuple[float, float] | None = None
    for step in range(int((end_s - begin_s) / STEP_S) + 1):
        film_s = begin_s + step * STEP_S
        x1, _, x2, y2 = scene.objects(film_s)[index].box
        point = (x1 + x2) / 2 / scene.width, y2 / scene.height
        for zone in scene.zones:
            if is_inside(point, zone.polygon) != (zone.name in inside):
                if zone.name in inside:
                    found.stays.append((zone.name, inside.pop(zone.name), clock.at_s(film_s)))
                else:
                    inside[zone.name] = clock.at_s(film_s)
        for line in scene.lines:
            if before and crossing(before, point, line.start, line.end) is not None:
                direction = line.to_left if _is_right(before, line.start, line.end) else line.to_right
                found.crossings.append((line.name, direction, clock.at_s(film_s)))
        before = point
    found.stays += [(name, entered, clock.at_s(end_s)) for name, entered in inside.items()]
    return found


def _owners(scene: Scene, clock: FilmClock, told: Sequence[Event], since_ns: int) -> list[int]:
    """Return which known object each look was at that the events tell of, where it was one."""
    owners = []
    looks = {one.captured_at_ns: one for event in told for one in (event.first, event.best, event.last)}
    for look in (one for at_ns, one in looks.items() if at_ns >= since_ns):
        known = scene.objects(clock.film_s(look.captured_at_ns))
        best = max(range(len(known)), key=lambda index: iou(known[index].box, look.box))
        if iou(known[best].box, look.box) >= LEAST_IOU:
            owners.append(best)
    return owners


def _compare(known: Way, told: Sequence[Event], since_s: float, found: Lives) -> None:
    """Count what of a life was right.

    What is known of its first and its last moment, and of stays that are too short, need not have been told; where it
    was, it counts like the rest.
    """
    begin_s, end_s = told[0].first.captured_at_ns / NS, told[-1].last.captured_at_ns / NS
    visits = {
        (one.name, one.entered_ns): one for event in told for one in event.zones if one.entered_ns / NS >= since_s
    }
    stays = [one for one in known.stays if one[1] >= since_s - NEAR_S]
    stays = [(name, max(entered_s, begin_s), min(left_s, end_s)) for name, entered_s, left_s in stays]
    stays = [one for one in stays if one[2] > one[1]]
    crossed = {
        (one.name, one.direction, one.at_ns) for event in told for one in event.lines if one.at_ns / NS >= since_s
    }
    from_s = max(begin_s, since_s)
    crossings = [one for one in known.crossings if from_s - NEAR_S <= one[2] <= end_s + NEAR_S]
    right_zones = right_lines = 0
    for visit in visits.values():
        near = [one for one in stays if one[0] == visit.name and abs(one[1] - visit.entered_ns / NS) <= NEAR_S]
        if near:
            right_zones += 1
            stays.remove(near[0])
            if visit.left_ns is not None:
                error_s = abs(visit.dwell_ms / 1000 - (near[0][2] - near[0][1]))
                found.dwell_error_s = max(found.dwell_error_s, error_s)
    for name, direction, at_ns in crossed:
        near_lines = [one for one in crossings if one[:2] == (name, direction) and abs(one[2] - at_ns / NS) <= NEAR_S]
        if near_lines:
            right_lines += 1
            crossings.remove(near_lines[0])
    found.told["zones"] += len(visits)
    found.told["lines"] += len(crossed)
    found.right["zones"] += right_zones
    found.right["lines"] += right_lines
    missed = [one for one in stays if one[2] - one[1] >= LEAST_STAY_S and one[1] >= since_s + NEAR_S]
    found.known["zones"] += right_zones + len(missed)
    found.known["lines"] += right_lines + sum(from_s + NEAR_S <= one[2] <= end_s - NEAR_S for one in crossings)


def _is_right(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> bool:
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0]) > 0


def _between(value: float, known: Sequence[float], others: Sequence[float]) -> float:
    """Return what stands beside a value, between those that are known."""
    index = min(max(1, bisect_right(known, value)), len(known) - 1)
    from_value, to_value = known[index - 1], known[index]
    part = (value - from_value) / (to_value - from_value)
    return others[index - 1] + part * (others[index] - others[index - 1])
