"""Events that lie on Kafka already: searched by a connection of its own, on the thread that asks."""

from collections.abc import Mapping
from dataclasses import dataclass

from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.kafka.history import KeptPicture, ObjectLife, backwards, lives, picture
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Partition
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Event
from groundcam_serve.following.pages import Newest

MOST_ON_A_PAGE = 20_000
"""Events that are read for one page; where none of them fits, the page is empty, and the next one goes on."""
MOST_FOR_A_LIFE = 200_000
"""Events among which one object is looked for; all but its own are not decoded."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a page has; times are those of Kafka's records, in milliseconds."""

    events: EventFilter
    limit: int
    from_ms: int | None = None
    """The first time that belongs to it."""
    to_ms: int | None = None
    """The first time that does not."""
    before: Mapping[Partition, int] | None = None
    """Only what lies before these offsets."""


def page(kafka: KafkaSettings, wanted: Wanted) -> tuple[list[Event], dict[Partition, int] | None]:
    """Return the newest events that fit, and before which offsets the next page begins. Raises KafkaProblem."""
    with Reader(kafka, [kafka.topics.events], start="end") as reader:
        end = reader.end_offsets() if wanted.to_ms is None else reader.offsets_at(wanted.to_ms)
        begin = reader.first_offsets() if wanted.from_ms is None else reader.offsets_at(wanted.from_ms)
        before = wanted.before or {}
        end = {place: min(offset, before.get(place, offset)) for place, offset in end.items()}
        newest, seen = Newest(wanted.events, wanted.limit, begin), 0
        for block in backwards(reader, begin, end):
            newest.take(block.records, block.begin)
            seen += len(block.records)
            if newest.is_full or seen >= MOST_ON_A_PAGE:
                break
        return newest.page()


def life_of(kafka: KafkaSettings, event_id: str) -> ObjectLife | None:
    """Return what lies on Kafka of an object; None where it is not found. Raises KafkaProblem."""
    with Reader(kafka, [kafka.topics.events], start="end") as reader:
        return lives(reader, event_id, MOST_FOR_A_LIFE).get(event_id)


def picture_of(kafka: KafkaSettings, event_id: str, life: ObjectLife) -> KeptPicture:
    """Return an object's newest picture, or why there is none. Raises KafkaProblem."""
    with Reader(kafka, [kafka.topics.pictures], start="end") as reader:
        return picture(reader, event_id, life)
