"""An object's life, and all that are open, as messages. Pure."""

from typing import TYPE_CHECKING

from groundcam_events.tracking.life import Life
from groundcam_schemas import Cause, End, EndReason, Event, EventType, Model, ObjectsNow, is_readable
from groundcam_schemas.limits import MAX_OPEN

if TYPE_CHECKING:
    from groundcam_events.tracking.camera import CameraState

MOST_SPEED = 1e6
FEW = 10
"""Objects that one message can hold, however many zones and lines they have been in."""


def event(state: "CameraState", life: Life, cause: Cause, reason: EndReason | None, about: str = "") -> Event:
    """Return the next event of a life; `reason` where it is the last, `about` the zone or line that it tells of."""
    asked, motion = life.asked, life.track.motion
    kind = EventType.END if reason else EventType.UPDATE if life.n else EventType.NEW
    return Event(
        id=life.id,
        n=life.n,
        type=kind,
        cause=cause,
        about=about,
        camera_id=state.camera_id,
        label=life.label,
        class_id=asked.class_id,
        question_id=asked.question_id,
        question_version=asked.question_version,
        zones_version=state.zones.version if state.zones else "",
        model=Model(name=asked.model, revision=asked.revision),
        source_width=asked.width,
        source_height=asked.height,
        first=life.first,
        last=life.last,
        best=life.best,
        frames_seen=life.seen,
        frames_missed=life.missed,
        unseen=tuple(life.unseen),
        score_median=life.median_score,
        velocity=(_speed(motion.vx / asked.width), _speed(motion.vy / asked.height)),
        path=tuple(life.path),
        zones=life.where.told(),
        lines=tuple(life.where.crossings),
        motion=life.motion,
        motion_since_ns=life.motion_since_ns,
        severity=life.where.severity,
        end=End(reason=reason, at_ns=life.last.captured_at_ns) if reason else None,
    )


def objects_now(state: "CameraState") -> ObjectsNow:
    """Return what is open, the newest objects where one message cannot hold all."""
    newest = [one.newest for one in state.lives if one.newest is not None]
    listed = newest[-MAX_OPEN:]
    while True:
        now = ObjectsNow(
            camera_id=state.camera_id,
            partition=state.partition,
            offset=state.next_offset,
            objects=tuple(listed),
            more=len(newest) - len(listed),
        )
        if len(listed) <= FEW or is_readable(now):
            return now
        del listed[: max(1, len(listed) // 8)]


def _speed(value: float) -> float:
    return round(max(-MOST_SPEED, min(MOST_SPEED, value)), 6)
