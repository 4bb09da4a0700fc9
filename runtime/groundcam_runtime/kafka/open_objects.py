"""What is open in front of all cameras, read from Kafka at one moment."""

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
    ends, found = events.next_offsets(), OpenNow()
    with Reader(settings, [settings.topics.objects], start="beginning") as lists:
        for record in lists.to_the_end():
            found.take_list(record.key, record.value, record.timestamp_ms)
    for record in events.span({one: max(0, end - BACK) for one, end in ends.items()}, ends):
        try:
            found.take_event(decode(Event, record.value or b""), record.timestamp_ms)
        except SchemaError:
            continue
    return found
