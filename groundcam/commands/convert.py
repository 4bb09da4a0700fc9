"""`groundcam convert`"""

import json
import logging
from enum import StrEnum
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start, until_stopped
from groundcam_events.frigate import FrigateEvents
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.topic_watch import TopicWatch
from groundcam_runtime.records import Consumed
from groundcam_runtime.recurring import Recurring
from groundcam_schemas import Event, SchemaError, decode

log = logging.getLogger(__name__)
recurring = Recurring(log)

POLL_S = 0.5


class Form(StrEnum):
    """What events can be turned into."""

    FRIGATE = "frigate"


def convert(
    to: Annotated[Form, typer.Option("--to", help="frigate: as Frigate sends them to frigate/events.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    camera: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this camera. Repeat it.")] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest event on the topic.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after this many.")] = None,
) -> None:
    """Print events in the form of another program, one JSON object a line, each event once.

    For a broker of MQTT: groundcam convert --to frigate | mosquitto_pub -t frigate/events -l
    """
    _ = to  # there is one form so far
    kafka = start(config, bootstrap_servers).kafka
    stop = until_stopped()
    topic, forms, shown = kafka.topics.events, FrigateEvents(), 0
    with (
        TopicWatch(kafka, [topic]),
        Reader(kafka, [topic], start="beginning" if from_beginning else "end") as reader,
    ):
        while not stop.is_set():
            for record in reader.poll(POLL_S):
                event = _event(record)
                if event is None or (camera and event.camera_id not in camera):
                    continue
                if (payload := forms.take(event)) is None:
                    continue
                print(json.dumps(payload), flush=True)
                shown += 1
                if shown == count:
                    return


def _event(record: Consumed) -> Event | None:
    """Return the event in a record; None, which is told, where there is none."""
    try:
        return decode(Event, record.value or b"")
    except SchemaError as error:
        recurring.warning(
            "unreadable events", "an event cannot be read: %s", error,
            topic=record.partition.topic, partition=record.partition.number, offset=record.offset,
        )  # fmt: skip
        return None
