"""Where an object is among a camera's zones and lines: stays and crossings, with hysteresis. Pure.

Whether it counts as inside changes only after it was on the other side for `settle_s`, so that a box that trembles on a
border enters once. The times that are told are those at which its path crossed the border, between two looks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from groundcam_events.tracking.geometry import Point, border, crossing, distance, is_inside, side
from groundcam_schemas import CameraZones, Cause, LineCrossing, Severity, ZoneVisit
from groundcam_schemas.limits import MAX_VISITS
from groundcam_schemas.zones import Zone

NS = 1_000_000_000
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Happened:
    """Something to tell, and the zone or line that it is about."""

    cause: Cause
    about: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object's anchor was at one look."""

    point: Point
    at_s: float
    """By the camera's own forward-going clock."""
    at_ns: int
    """When the frame was captured."""


@dataclass(slots=True)
class Stay:
    """One zone, as one object knows it."""

    inside: bool = False
    """As it counts."""
    own: Place | None = None
    """The latest place on the side that counts."""
    turning_s: float | None = None
    """Since when it has been on the other side."""
    turning_ns: int = 0
    entered_s: float = 0.0
    dwelt: bool = False


@dataclass(slots=True)
class Side:
    """One line, as one object knows it."""

    right: bool
    """The side on which it was last clearly."""
    point: Point
    """Where it was last on that side."""
    at_ns: int


@dataclass(slots=True)
class Whereabouts:
    """One object's stays and crossings."""

    stays: dict[str, Stay] = field(default_factory=dict)
    sides: dict[str, Side] = field(default_factory=dict)
    visits: list[ZoneVisit] = field(default_factory=list)
    crossings: list[LineCrossing] = field(default_factory=list)
    last: Place | None = None
    severity: Severity = Severity.INFO

    def move(
        self, to: Place, label: str, zones: CameraZones, *, settle_s: float, margin: float, aspect: float
    ) -> Iterator[Happened]:
        """Take a look into account; yield what happened.

        `margin` is how far from a border or a line, in heights of the picture, an object is clearly on one side of it.
        """
        for zone in zones.zones:
            if not zone.labels or label in zone.labels:
                yield from self._stay(zone, to, settle_s, margin, aspect)
            elif (stay := self.stays.pop(zone.name, None)) and stay.inside:
                self._end_stay(zone.name, stay, to.at_ns)
                yield Happened(Cause.ZONE_LEFT, zone.name)
        for line in zones.lines:
            if line.labels and label not in line.labels:
                self.sides.pop(line.name, None)
                continue
            off = side(to.point, line.start, line.end, aspect)
            known = self.sides.get(line.name)
            if known is None or abs(off) < margin:
                if (known is None and off != 0) or (known is not None and known.right == (off > 0)):
                    self.sides[line.name] = Side(off > 0, to.point, to.at_ns)
                continue
            part = None if known.right == (off > 0) else crossing(known.point, to.point, line.start, line.end)
            if part is not None:
                at_ns = known.at_ns + int(part * (to.at_ns - known.at_ns))
                direction = line.to_right if off > 0 else line.to_left
                self.crossings.append(LineCrossing(name=line.name, direction=direction, at_ns=max(0, at_ns)))
                del self.crossings[:-MAX_VISITS]
                self._raise_to(line.severity)
                yield Happened(Cause.LINE_CROSSED, line.name)
            self.sides[line.name] = Side(off > 0, to.point, to.at_ns)
        self.last = to

    def change_zones(self, zones: CameraZones | None) -> None:
        """Go on with other zones: stays in those that are gone end where it was last seen; others are as they were."""
        names = {one.name for one in (*zones.zones, *zones.lines)} if zones else set()
        for name in [name for name in self.stays if name not in names]:
            if self.stays.pop(name).inside and self.last:
                self._end_visit(name, self.last.at_ns)
        self.sides = {name: one for name, one in self.sides.items() if name in names}

    def end(self, at_ns: int) -> None:
        """Let all stays end: it was last seen then, or had left a zone before."""
        for name, stay in self.stays.items():
            if stay.inside:
                self._end_stay(name, stay, at_ns)
                stay.inside = False

    def told(self) -> tuple[ZoneVisit, ...]:
        """Return the stays; of one that goes on, the dwell is that at the last look."""
        until_ns = self.last.at_ns if self.last else 0
        return tuple(
            one if one.left_ns is not None else one.model_copy(update={"dwell_ms": _dwell_ms(one.entered_ns, until_ns)})
            for one in self.visits
        )

    def _stay(self, zone: Zone, to: Place, settle_s: float, margin: float, aspect: float) -> Iterator[Happened]:
        stay = self.stays.setdefault(zone.name, Stay())
        if is_inside(to.point, zone.polygon) == stay.inside:
            stay.own, stay.turning_s = to, None
        else:
            if stay.turning_s is None and (stay.own is None or distance(to.point, zone.polygon, aspect) >= margin):
                before = stay.own or to
                part = border(before.point, to.point, zone.polygon)
                stay.turning_s = before.at_s + part * (to.at_s - before.at_s)
                stay.turning_ns = max(0, before.at_ns + int(part * (to.at_ns - before.at_ns)))
            if stay.turning_s is not None and to.at_s - stay.turning_s >= settle_s:
                yield Happened(self._turn(zone, stay), zone.name)
                stay.own = to
        if stay.inside and not stay.dwelt and to.at_s - stay.entered_s >= zone.dwell_s:
            stay.dwelt = True
            self._raise_to(zone.severity)
            self._replace_visit(zone.name, dwelt=True)
            if zone.dwell_s > 0:
                yield Happened(Cause.ZONE_DWELT, zone.name)

    def _turn(self, zone: Zone, stay: Stay) -> Cause:
        stay.inside, at_s, stay.turning_s = not stay.inside, stay.turning_s or 0.0, None
        if not stay.inside:
            self._end_visit(zone.name, stay.turning_ns)
            return Cause.ZONE_LEFT
        stay.entered_s, stay.dwelt = at_s, False
        self.visits.append(ZoneVisit(name=zone.name, entered_ns=stay.turning_ns, dwell_ms=0))
        if len(self.visits) > MAX_VISITS:  # one that goes on is told of until it is over
            del self.visits[next((n for n, one in enumerate(self.visits) if one.left_ns is not None), 0)]
        return Cause.ZONE_ENTERED

    def _end_stay(self, name: str, stay: Stay, at_ns: int) -> None:
        self._end_visit(name, at_ns if stay.turning_s is None else stay.turning_ns)

    def _end_visit(self, name: str, at_ns: int) -> None:
        for one in reversed(self.visits):
            if one.name == name and one.left_ns is None:
                self._replace_visit(name, left_ns=at_ns, dwell_ms=_dwell_ms(one.entered_ns, at_ns))
                return

    def _replace_visit(self, name: str, **changes: object) -> None:
        for index in reversed(range(len(self.visits))):
            if self.visits[index].name == name and self.visits[index].left_ns is None:
                self.visits[index] = self.visits[index].model_copy(update=changes)
                return

    def _raise_to(self, severity: Severity) -> None:
        if severity.rank > self.severity.rank:
            self.severity = severity


def _dwell_ms(entered_ns: int, until_ns: int) -> int:
    return max(0, until_ns - entered_ns) // NS_PER_MS
