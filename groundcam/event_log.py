"""Events that lie on Kafka already, for `groundcam event`."""

from groundcam.errors import EventError
from groundcam.event_subscriber import read_event
from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.kafka.history import KeptPicture, ObjectLife, lives, picture
from groundcam_runtime.kafka.open_objects import open_now
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.printable import printable
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Event


def newest_of_each(kafka: KafkaSettings, wanted: EventFilter, since_ms: int | None, *, is_open: bool) -> list[Event]:
    """Return the newest event of each object that fits, oldest object first.

    `since_ms` is a time of Kafka's records, in milliseconds; `is_open` keeps only what has not ended. Raises
    KafkaProblem.
    """
    if is_open and since_ms is None:
        with Reader(kafka, [kafka.topics.events], start="end") as reader:
            return [one for one in open_now(kafka, reader).newest() if one.end is None and wanted.fits(one)]
    newest: dict[str, Event] = {}
    with Reader(kafka, [kafka.topics.events], start="beginning") as reader:
        end = reader.end_offsets()
        begin = reader.first_offsets() if since_ms is None else reader.offsets_at(since_ms)
        for record in reader.span(begin, end):
            event = read_event(record) if wanted.may_fit(record.key) else None
            if event is not None and (event.id not in newest or event.n > newest[event.id].n):
                newest[event.id] = event
    kept = [one for one in newest.values() if wanted.fits(one) and not (is_open and one.end)]
    return sorted(kept, key=lambda one: (one.first.captured_at_ns, one.camera_id, one.id))


def one_life(kafka: KafkaSettings, event_id: str) -> ObjectLife:
    """Return what lies on Kafka of the object whose id begins so. Raises EventError, KafkaProblem."""
    with Reader(kafka, [kafka.topics.events], start="end") as reader:
        found = lives(reader, event_id)
    if not found:
        where = f"{kafka.topics.events} on {kafka.bootstrap_servers}"
        raise EventError(printable(f"there is no event of {event_id} on {where}"))
    if len(found) > 1:
        raise EventError(printable(f"{event_id} is the beginning of {len(found)} ids: {', '.join(sorted(found)[:5])}"))
    (life,) = found.values()
    return life


def picture_of(kafka: KafkaSettings, life: ObjectLife) -> KeptPicture:
    """Return an object's newest picture, or why there is none. Raises KafkaProblem."""
    with Reader(kafka, [kafka.topics.pictures], start="end") as reader:
        return picture(reader, life.in_order[0].id, life)
