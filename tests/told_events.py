"""Events of walks on Kafka, as a tracker puts them there: events first, then the list of what is open."""

from collections.abc import Iterable

from footage import publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraZones, Event, Line, ObjectsNow, Severity, Zone, encode
from walks import Walker, across, film, followed, standing

YARD = Zone(name="yard", polygon=((0.3, 0.0), (0.7, 0.0), (0.7, 1.0), (0.3, 1.0)), dwell_s=2.0, severity=Severity.ALERT)
DOOR = Line(name="door", start=(0.5, 0.0), end=(0.5, 1.0), to_right="out", to_left="in")
ZONES = CameraZones(camera_id="gate", zones=(YARD,), lines=(DOOR,))
PERSON = Walker("person", across(400, 100), 0, 11)
CAR = Walker("car", standing(850, 400), 2, 1e9, width=200, height=120)


def walk(camera_id: str = "gate", seconds: float = 20.0) -> list[Event]:
    """A person walks through the yard and over the door and is gone; a car stands on the right and stays."""
    events, _ = followed(
        film([PERSON, CAR], seconds=seconds, fps=5, camera_id=camera_id), zones=ZONES
    )  # fmt: skip
    return [one.model_copy(update={"camera_id": camera_id}) for one in events]


def open_after(events: Iterable[Event], camera_id: str = "gate") -> ObjectsNow:
    """The list of what is open once these events were told."""
    newest = {one.id: one for one in events if one.camera_id == camera_id}
    left = tuple(one.model_copy(update={"path": (), "unseen": ()}) for one in newest.values() if one.end is None)
    return ObjectsNow(camera_id=camera_id, partition=0, offset=0, objects=left)


def tell(kafka: KafkaSettings, *events: Event) -> None:
    """Put events on Kafka."""
    _send(kafka, [Record(kafka.topics.events, encode(one), one.camera_id) for one in events])


def tell_open(kafka: KafkaSettings, *lists: ObjectsNow) -> None:
    """Put lists of what is open on Kafka."""
    _send(kafka, [Record(kafka.topics.objects, encode(one), one.camera_id) for one in lists])


def keep_picture(kafka: KafkaSettings, event_id: str, data: bytes, reason: str = "", frame: str = "") -> None:
    """Put an object's picture on Kafka, of a frame (RUN/SEQ); without bytes, why there is none."""
    told = {"reason": reason, "frame": frame}
    headers = tuple((name, text.encode()) for name, text in told.items() if text)
    _send(kafka, [Record(kafka.topics.pictures, data, event_id, headers=headers)])


def _send(kafka: KafkaSettings, records: list[Record]) -> None:
    with publisher(kafka) as out:
        for record in records:
            out.send(record)
        assert all(one.error is None for one in out.flush(30))
        assert not out.unfinished
