"""Read events from Kafka: first what is open now, then what comes, each once."""

import logging
from collections.abc import Collection, Iterator
from typing import Any, Literal

from groundcam.subscriber import POLL_S, settings_of
from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.events.repeats import EventRepeats
from groundcam_runtime.kafka.open_objects import open_now
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Event, SchemaError, Severity, decode

recurring = Recurring(logging.getLogger(__name__))

Start = Literal["open", "beginning", "end"]


def subscribe_events(
    bootstrap_servers: str | None = None,
    *,
    cameras: Collection[str] | None = None,
    labels: Collection[str] | None = None,
    zones: Collection[str] | None = None,
    causes: Collection[str] | None = None,
    severity: str = Severity.INFO,
    start: Start = "open",
    drop_repeats: bool = True,
    settings: KafkaSettings | None = None,
    **kafka: Any,
) -> Iterator[Event]:
    """Yield what becomes of objects, for ever; `(id, n)` names an event, and of an object they come in order.

    With `start="open"` the newest event of each object that is open comes first (its path and unseen times left out),
    so that a late subscriber is right at once; an end may then come of an object that it has not heard of. "end" yields
    only what comes from now on, "beginning" everything that Kafka still has.

    `cameras`, `labels`, `zones` (names of zones and lines), `causes` and `severity` (at least so high) choose, and all
    of them hold. Repeats are dropped within bounded memory, and so is what would go back in an object's life. Further
    arguments are those of `KafkaSettings`, such as `security_protocol="SASL_SSL"`. A message that cannot be read is
    skipped with a warning.
    Raises ValueError for a bad setting, cause or severity, `groundcam_runtime.kafka.errors.KafkaProblem` when Kafka
    refuses.
    """
    wanted = EventFilter.of(cameras, labels, zones, causes, severity)
    for event in follow_events(
        settings_of(settings, bootstrap_servers, kafka), wanted, start, drop_repeats=drop_repeats
    ):
        if event is not None:
            yield event


def follow_events(
    settings: KafkaSettings, wanted: EventFilter, start: Start, *, drop_repeats: bool
) -> Iterator[Event | None]:
    """Yield events, and None from time to time, so that the caller can look around, whatever else comes."""
    repeats = EventRepeats()
    topic = settings.topics.events
    # The ends are taken here, before the list of what is open is read.
    with Reader(settings, [topic], start="end" if start == "open" else start) as reader:
        if start == "open":
            for event in open_now(settings, reader).newest():
                repeats.is_repeat(event)
                if event.end is None and wanted.fits(event):
                    yield event
        while True:
            for record in reader.poll(POLL_S):
                come = read_event(record) if wanted.may_fit(record.key) else None
                if come is None or (repeats.is_repeat(come) and drop_repeats):
                    continue
                if wanted.fits(come):
                    yield come
            yield None


def read_event(record: Consumed) -> Event | None:
    """Return the event in a record, or None for what cannot be read: that is counted, with a warning for the first."""
    try:
        return decode(Event, record.value or b"")
    except SchemaError as error:
        recurring.warning(
            f"events with {type(error).__name__}", "a message on the events topic is skipped: %s", error,
            topic=record.partition.topic, partition=record.partition.number, offset=record.offset,
        )  # fmt: skip
        return None
