"""What trackers take for some cameras: cores, memory, and bytes on Kafka. Pure.

None of the constants is measured on a running system: they are estimates, meant to be too much, for objects that come
and go all day. What yours take is told by `process_cpu_seconds_total`, `groundcam_events_total` and
`groundcam_state_bytes_total`.
"""

import math
from dataclasses import dataclass

ANSWER_S = 0.0005
"""Of one core, of an answer: Kafka and the loop, before any object."""
OBJECT_S = 0.0003
"""Of one core, of each object in an answer; with ANSWER_S some twice what benchmarks/tracker.py takes without Kafka."""
PICTURE_S = 0.03
"""Of one core, of a best picture: reading the frame again, its JPEG, and that of the part."""
TRACKER_BYTES = 200 * 1024 * 1024
"""Resident memory of a tracker without cameras, with what waits for Kafka."""
CAMERA_BYTES = 100_000
OBJECT_BYTES = 50_000
"""Resident memory of each camera and of each open object."""
LIFE_S = 15.0
"""From an object's first look to its end. Shorter lives are more events, longer ones fewer."""
EVENTS_OF_AN_OBJECT = 8
PICTURES_OF_AN_OBJECT = 4
EVENT_BYTES = 1500
PICTURE_BYTES = 20_000
"""Of the part of a frame that shows an object; track.picture_bytes (65,536) is the most."""
STATE_BYTES = 1000
STATE_OBJECT_BYTES = 5000
"""Of a camera's state, and of each object in it, at every checkpoint."""
CHECKPOINT_S = 5.0
"""track.checkpoint_s."""
KEPT_S = 7 * 86_400.0
"""Of events and pictures on Kafka."""
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class EventsNeed:
    """What following objects takes; all of it is estimated."""

    trackers: int
    """Each on a core of its own; 0 where there is no camera or nothing is followed."""
    cores: float
    """Of all trackers."""
    tracker_bytes: float
    """Resident memory of each."""
    events_per_s: float
    events_bytes_per_s: float
    """Into Kafka, before copies, as the next two."""
    states_bytes_per_s: float
    pictures_per_day: float
    pictures_bytes_per_day: float
    kafka_disk_bytes: float
    """Of a week's events and pictures, with copies."""


def events_need(
    cameras: int, frames_per_s: float, objects_per_camera: float, utilization: float, replication: int
) -> EventsNeed:
    """Return what it takes to follow so many objects at a time of each camera."""
    if not cameras or not objects_per_camera:
        return EventsNeed(0, 0, 0, 0, 0, 0, 0, 0, 0)
    objects_per_s = cameras * objects_per_camera / LIFE_S
    events, pictures = objects_per_s * EVENTS_OF_AN_OBJECT, objects_per_s * PICTURES_OF_AN_OBJECT
    cores = frames_per_s * (ANSWER_S + objects_per_camera * OBJECT_S) + pictures * PICTURE_S
    trackers = max(1, math.ceil(round(cores / utilization, 9)))
    return EventsNeed(
        trackers=trackers,
        cores=cores,
        tracker_bytes=TRACKER_BYTES
        + math.ceil(cameras / trackers) * (CAMERA_BYTES + objects_per_camera * OBJECT_BYTES),
        events_per_s=events,
        events_bytes_per_s=events * EVENT_BYTES,
        states_bytes_per_s=cameras * (STATE_BYTES + objects_per_camera * STATE_OBJECT_BYTES) / CHECKPOINT_S,
        pictures_per_day=pictures * DAY_S,
        pictures_bytes_per_day=pictures * DAY_S * PICTURE_BYTES,
        kafka_disk_bytes=(events * EVENT_BYTES + pictures * PICTURE_BYTES) * KEPT_S * replication,
    )
