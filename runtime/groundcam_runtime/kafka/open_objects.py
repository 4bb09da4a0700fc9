"""What is open in front of all cameras, read from Kafka at one moment."""

from collections.abc import Iterator

from groundcam_runtime.events.open_now import OpenNow
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Event, SchemaError, decode

BACK = 1000
"""So many events of each partition are read again: the list of what is open may be a moment behind them."""


def open_now(settings: KafkaSettings, events: Reader) -> OpenNow:
    """Return what is open, as of where a reader of the events topic stands; there it stays. Raises KafkaProblem.

    The list is read after that place is known: what comes in between comes as an event, too.
    """
    found = OpenNow()
    with Reader(settings, [settings.topics.objects], start="beginning") as lists:
        for record in lists.to_the_end():
            found.take_list(record.key, record.value, record.timestamp_ms)
    for event, came_ms in lately(events):
        found.take_event(event, came_ms)
    return found


def lately(events: Reader) -> Iterator[tuple[Event, int]]:
    """Yield the newest events before where a reader stands, with when they came (ms); there it stays.

    Raises KafkaProblem.
    """
    first, ends = events.first_offsets(), events.end_offsets()
    upto = {one: offset for one, offset in events.next_offsets().items() if first[one] <= offset <= ends[one]}
    for record in events.span({one: max(first[one], offset - BACK) for one, offset in upto.items()}, upto):
        try:
            yield decode(Event, record.value or b""), record.timestamp_ms
        except SchemaError:
            continue
