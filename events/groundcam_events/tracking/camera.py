"""One camera's objects: answers and gaps in, events out. Pure: everything follows from what was read, in its order.

That is what makes a replay give the same events, byte for byte. Nothing here looks at a clock, at the order of boxes
in a frame, or at anything that is not in the camera's own state.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from groundcam_events.tracking.events import event, objects_now
from groundcam_events.tracking.life import Asked, Life, Rest
from groundcam_events.tracking.order import NS, Order
from groundcam_events.tracking.places import Happened, Place
from groundcam_events.tracking.rules import LifeRules
from groundcam_events.tracking.tracker import Detected, Track, Tracker
from groundcam_schemas import (
    Anchor,
    CameraZones,
    Cause,
    Detections,
    EndReason,
    Event,
    FrameId,
    Gap,
    GapReason,
    Motion,
    Object,
    ObjectsNow,
    Sighting,
    Unseen,
    event_id,
)
from groundcam_schemas.limits import MAX_UNSEEN

EDGE = 0.005
"""Of the picture's side: a box that ends so close to the edge touches it."""


@dataclass(frozen=True, slots=True)
class At:
    """Where a record lay, and when it came there."""

    partition: int
    offset: int
    timestamp_ms: int


@dataclass(slots=True)
class CameraState:
    """Everything that the next event of a camera depends on."""

    camera_id: str
    partition: int = 0
    next_offset: int = 0
    """Of the detections topic: what lies before it is in this state."""
    heard_ms: int = 0
    """When the newest record of this camera came, by its own time stamp."""
    order: Order = field(default_factory=Order)
    zones: CameraZones | None = None
    """Those in force."""
    next_number: int = 0
    lives: list[Life] = field(default_factory=list)
    away_s: float = 0.0
    """So long the camera was away since its newest frame."""
    gaps: list[Gap] = field(default_factory=list)
    """The latest since its newest frame, none of them twice."""
    untold: list[bytes] = field(default_factory=list)
    """Events that were decided without a record, and that may not be on Kafka yet."""


class Camera:
    """Follows one camera."""

    def __init__(self, state: CameraState, rules: LifeRules) -> None:
        self.state = state
        self._rules = rules
        self.late = 0
        """Answers that came late or again, and were not tracked."""
        self.refused = 0
        """Things that were not followed, since there were too many."""

    @property
    def open(self) -> int:
        """How many objects are told of and have not ended."""
        return sum(one.is_told for one in self.state.lives)

    def take(self, answer: Detections | Gap, at: At) -> list[Event]:
        """Take a record; return the events that follow from it, in order."""
        state = self.state
        state.partition, state.next_offset = at.partition, at.offset + 1
        state.heard_ms = max(state.heard_ms, at.timestamp_ms)
        return list(self._gap(answer) if isinstance(answer, Gap) else self._look(answer))

    def passed(self, timestamp_ms: int) -> list[Event]:
        """Time passes in the camera's partition: a record of another camera came then."""
        # In whole seconds, so that it makes no difference which of a second's records shows that time has passed.
        silent_s = timestamp_ms // 1000 - self.state.heard_ms // 1000
        if not self.state.lives or silent_s < self._rules.silent_s:
            return []
        return list(self.end_all(EndReason.SILENT))

    def end_all(self, reason: EndReason) -> Iterator[Event]:
        """End everything."""
        lives, self.state.lives = self.state.lives, []
        for life in lives:
            yield from self._end(life, reason)

    def change_zones(self, zones: CameraZones | None) -> None:
        """Go on with other zones and lines."""
        if zones is not None and not (zones.zones or zones.lines):
            zones = None
        for life in self.state.lives:
            life.where.change_zones(zones)
        self.state.zones = zones

    def now(self) -> ObjectsNow:
        """Return what is open."""
        return objects_now(self.state)

    def _look(self, answer: Detections) -> Iterator[Event]:
        state = self.state
        step = state.order.take(answer.frame.run_id, answer.frame.seq, answer.captured_at_ns)
        if step is None:
            self.late += 1
            return
        state.away_s, state.gaps = 0.0, []
        yield from self._no_longer_asked(answer)
        yield from self._forgotten(step.blind_s)
        for life in state.lives:
            life.resize(answer.source_width, answer.source_height)
        at_s = state.order.at_s
        tracker = Tracker(self._rules.tracks, [one.track for one in state.lives], state.next_number)
        found = [Detected(one.box, one.score, one.label) for one in answer.objects]
        of = tracker.look(at_s, found)
        state.next_number = tracker.next_number
        self.refused += tracker.refused
        seen = _best_of_each(of, answer.objects)
        known = {one.track.number: one for one in state.lives}
        ordinal = 0
        for track in tracker.tracks:
            if track.number in known or track.number not in seen:
                continue
            life = self._begin(track, seen[track.number], answer, ordinal)
            state.lives.append(life)
            ordinal += 1
        gone: list[Life] = []
        for life in state.lives:
            if life.track.number in seen:
                yield from self._see(life, seen[life.track.number], answer)
            else:
                life.miss(step.looked_s, step.blind_s)
                if reason := self._over(life):
                    gone.append(life)
                    yield from self._end(life, reason)
        if gone:
            state.lives = [one for one in state.lives if one not in gone]

    def _begin(self, track: Track, found: Object, answer: Detections, ordinal: int) -> Life:
        sighting, asked = _sighting(found, answer), _asked(track, found, answer)
        name = event_id(FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq), ordinal)
        at_ns = answer.captured_at_ns
        rest = Rest(found.box, self.state.order.at_s, at_ns)
        return Life(track, name, sighting, sighting, sighting, asked, rest, motion_since_ns=at_ns)

    def _see(self, life: Life, found: Object, answer: Detections) -> Iterator[Event]:
        at_s = self.state.order.at_s
        anchor = self.state.zones.anchor if self.state.zones else Anchor.BOTTOM_CENTRE
        place = Place(_point(life.track, answer, anchor), at_s, answer.captured_at_ns)
        life.track.unseen_s = 0.0
        rules = self._rules_of(life)
        asked = _asked(life.track, found, answer)
        causes = life.see(_sighting(found, answer), asked, place, self.state.zones, rules)
        if not causes:
            causes = [Happened(one) for one in life.due(at_s, rules)][:1]
        for one in causes:
            yield self._tell(life, one.cause, about=one.about)

    def _rules_of(self, life: Life) -> LifeRules:
        return self._rules.of(life.track.label)

    def _no_longer_asked(self, answer: Detections) -> Iterator[Event]:
        version = answer.question.version
        if all(one.asked.question_version == version for one in self.state.lives):
            return
        asked = set(answer.question.classes)
        over = [one for one in self.state.lives if one.track.label not in asked]
        self.state.lives = [one for one in self.state.lives if one.track.label in asked]
        for life in over:
            yield from self._end(life, EndReason.QUESTION_CHANGED)
        for life in self.state.lives:
            life.track.votes = {label: votes for label, votes in life.track.votes.items() if label in asked}

    def _forgotten(self, blind_s: float) -> Iterator[Event]:
        """End what nobody has looked for, for so long that whatever is seen now may be another.

        What stood still is expected where it stood.
        """
        blind = [one for one in self.state.lives if one.blind_s + blind_s >= self._rules_of(one).blind_s]
        over = [one for one in blind if one.motion is Motion.MOVING]
        for life in blind:
            life.track.motion.stand(self.state.order.at_s)
        if over:
            self.state.lives = [one for one in self.state.lives if one not in over]
            for life in over:
                yield from self._end(life, EndReason.LOST)

    def _over(self, life: Life) -> EndReason | None:
        """Return why a life is over, of one that was not seen at this look."""
        rules, unseen_s, usual_s = self._rules_of(life), life.track.unseen_s, self.state.order.usual_s
        least_s = 2.5 * usual_s
        if not life.is_told and life.track.looks < rules.tracks.looks:
            return EndReason.LOST if unseen_s >= max(rules.tracks.born_within_s, least_s) else None
        if life.is_leaving() and unseen_s >= max(rules.left_s, least_s):
            return EndReason.LEFT
        is_lost = unseen_s >= max(rules.tracks.lost_s, least_s) or life.blind_s >= rules.blind_s
        return EndReason.LOST if is_lost else None

    def _gap(self, gap: Gap) -> Iterator[Event]:
        state = self.state
        if gap.last_seq is not None:
            is_over = state.order.is_over(gap.run_id, gap.last_seq)
        else:
            is_over = gap.to_ns is not None and state.order.has_passed(gap.run_id, gap.to_ns)
        if is_over or gap in state.gaps:
            return
        state.gaps = [*state.gaps, gap][-MAX_UNSEEN:]
        unseen = Unseen(**gap.model_dump(include=set(Unseen.model_fields)))
        for life in state.lives:
            life.unseen_now = [*life.unseen_now, unseen][-MAX_UNSEEN:]
        if gap.reason is GapReason.NO_QUESTION:
            yield from self.end_all(EndReason.QUESTION_CHANGED)
        if gap.reason is GapReason.CAMERA_OFFLINE and gap.from_ns is not None and gap.to_ns is not None:
            state.away_s += (gap.to_ns - gap.from_ns) / NS
            if state.away_s >= self._rules.offline_s:
                yield from self.end_all(EndReason.CAMERA_OFFLINE)

    def _end(self, life: Life, reason: EndReason) -> Iterator[Event]:
        if life.is_told:
            life.where.end(life.last.captured_at_ns)
            yield self._tell(life, Cause.ENDED, reason)

    def _tell(self, life: Life, cause: Cause, reason: EndReason | None = None, about: str = "") -> Event:
        life.label = life.track.label
        told = event(self.state, life, cause, reason, about)
        life.newest = told.model_copy(update={"path": (), "unseen": ()})
        life.n += 1
        life.told_s = self.state.order.at_s
        life.best_told, life.best_told_s = True, life.told_s
        return told


def _best_of_each(of: Sequence[Track | None], objects: Sequence[Object]) -> dict[int, Object]:
    """Return of each track the surest box."""
    best: dict[int, Object] = {}
    for track, found in zip(of, objects, strict=True):
        if track is None:
            continue
        known = best.get(track.number)
        if known is None or _rank(found) < _rank(known):
            best[track.number] = found
    return best


def _rank(found: Object) -> tuple[float, str, tuple[float, ...]]:
    return -found.score, found.label, found.box


def _sighting(found: Object, answer: Detections) -> Sighting:
    x1, y1, x2, y2 = found.box
    width, height = answer.source_width, answer.source_height
    at_edge = x1 <= EDGE * width or y1 <= EDGE * height or x2 >= (1 - EDGE) * width or y2 >= (1 - EDGE) * height
    return Sighting(
        frame=answer.frame, captured_at_ns=answer.captured_at_ns, box=found.box, score=found.score, at_edge=at_edge
    )


def _asked(track: Track, found: Object, answer: Detections) -> Asked:
    question, model = answer.question, answer.model
    known = track.label in question.classes
    class_id = question.classes.index(track.label) if known else found.class_id
    return Asked(
        question.id, question.version, class_id, model.name, model.revision,
        answer.source_width, answer.source_height,
    )  # fmt: skip


def _point(track: Track, answer: Detections, anchor: Anchor) -> tuple[float, float]:
    """Return where a thing is: the filtered place, which trembles less than its box."""
    motion = track.motion
    y = motion.y if anchor is Anchor.BOTTOM_CENTRE else motion.y - motion.height / 2
    return _part(motion.x, answer.source_width), _part(y, answer.source_height)


def _part(pixels: float, side: int) -> float:
    return max(0.0, min(1.0, pixels / side))
