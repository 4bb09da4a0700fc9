"""Events as Frigate tells them on `frigate/events`, for whoever reads those: type, before, after. Pure.

The fields are those of frigate/track/tracked_object.py (MIT). What Frigate knows and we do not has the value that it
has in Frigate where nothing is known of it; docs/notify.md says which that are.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from groundcam_schemas import Cause, Event, EventType, Motion, Severity, Sighting

NS = 1_000_000_000
MOST_OPEN = 10_000
"""Objects that are remembered; of more the longest silent are forgotten."""

Side = dict[str, Any]
"""An object at one time: `before` or `after`."""


@dataclass(slots=True)
class _Known:
    """What is remembered of an object between two of its events."""

    n: int
    side: Side | None
    """None once it has ended."""
    top_score: float
    position_changes: int


class FrigateEvents:
    """Turns events into Frigate's, in their order; those that come again give nothing."""

    def __init__(self, most_open: int = MOST_OPEN) -> None:
        self._most = most_open
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def take(self, event: Event) -> dict[str, Any] | None:
        """Return what Frigate would send; None for an event that was here before, or one that is older than that."""
        known = self._known.pop(event.id, None)
        if known is not None and event.n <= known.n:
            self._known[event.id] = known
            return None
        top_score = max(event.score_median, known.top_score if known else 0.0)
        changes = (known.position_changes if known else 0) + (event.cause is Cause.MOVED)
        after = _side(event, top_score, changes)
        before = known.side if known and known.side else after
        is_over = event.type is EventType.END
        # One that has ended is remembered, too, so that an `end` that comes again is known.
        self._known[event.id] = _Known(event.n, None if is_over else after, top_score, changes)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return {"type": event.type.value, "before": before, "after": after}


def _side(event: Event, top_score: float, position_changes: int) -> Side:
    last, is_still = event.last, event.motion is Motion.STILL
    return {
        "id": event.id,
        "camera": event.camera_id,
        "frame_time": _seconds(last.captured_at_ns),
        "snapshot": _snapshot(event),
        "label": event.label,
        "sub_label": None,
        "top_score": top_score,
        "false_positive": False,
        "start_time": _seconds(event.first.captured_at_ns),
        "end_time": _seconds(event.end.at_ns) if event.end else None,
        "score": last.score,
        "computed_score": event.score_median,
        "box": _box(last),
        "area": _area(last),
        "ratio": _ratio(last),
        "region": _region(event),
        "active": not is_still,
        "stationary": is_still,
        "motionless_count": _motionless_count(event) if is_still else 0,
        "position_changes": position_changes,
        # In Frigate a zone counts once an object has been in it for as long as the zone asks.
        "current_zones": _names(one.name for one in event.zones if one.dwelt and one.left_ns is None),
        "entered_zones": _names(one.name for one in event.zones if one.dwelt),
        "has_clip": False,
        "has_snapshot": True,
        "attributes": {},
        "current_attributes": [],
        "pending_loitering": any(one.left_ns is None and not one.dwelt for one in event.zones),
        "max_severity": "alert" if event.severity is Severity.ALERT else "detection",
        "current_estimated_speed": 0,
        "average_estimated_speed": 0,
        "velocity_angle": 0,
        "path_data": [[[round(one.x, 4), round(one.y, 4)], _seconds(one.at_ns)] for one in event.path],
        "recognized_license_plate": None,
        "recognized_license_plate_score": None,
    }


def _snapshot(event: Event) -> Side:
    best = event.best
    return {
        "frame_time": _seconds(best.captured_at_ns),
        "box": _box(best),
        "area": _area(best),
        "region": _region(event),
        "score": best.score,
        "attributes": [],
        "current_estimated_speed": 0,
        "velocity_angle": 0,
    }


def _motionless_count(event: Event) -> int:
    """Frigate counts looks: as many as there were, on the average, in the time since it has stood still."""
    life_ns = event.last.captured_at_ns - event.first.captured_at_ns
    still_ns = max(0, event.last.captured_at_ns - event.motion_since_ns)
    looks = event.frames_seen + event.frames_missed - 1
    return max(1, round(looks * min(still_ns, life_ns) / life_ns)) if life_ns > 0 else 1


def _region(event: Event) -> list[int]:
    """Frigate looks at parts of a picture; here the whole of it is looked at."""
    return [0, 0, event.source_width, event.source_height]


def _box(sighting: Sighting) -> list[int]:
    return [round(side) for side in sighting.box]


def _area(sighting: Sighting) -> int:
    x1, y1, x2, y2 = _box(sighting)
    return (x2 - x1) * (y2 - y1)


def _ratio(sighting: Sighting) -> float:
    x1, y1, x2, y2 = sighting.box
    return round((x2 - x1) / (y2 - y1), 2) if y2 > y1 else 0.0


def _names(names: Iterable[str]) -> list[str]:
    """Each once, in the order of the first."""
    return list(dict.fromkeys(names))


def _seconds(at_ns: int) -> float:
    return at_ns / NS
