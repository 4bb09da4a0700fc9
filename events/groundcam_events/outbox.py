"""What a tracker sends: events, what is open, and cameras' states."""

import logging
from collections.abc import Sequence
from typing import Any

from groundcam_runtime.kafka.publisher import Delivery, Publisher, RecordTooLargeError
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.transactions import TransactionalPublisher
from groundcam_runtime.recurring import Recurring
from groundcam_schemas import Event, ObjectsNow, Topics

recurring = Recurring(logging.getLogger(__name__))


class Outbox:
    """Keys everything by camera. Deliveries carry the tag that was given."""

    def __init__(
        self, publisher: Publisher | TransactionalPublisher, topics: Topics, *, most_bytes: int, as_json: bool
    ) -> None:
        """Beyond `most_bytes` that wait for Kafka, no more answers should be taken."""
        self._publisher, self._topics, self._most_bytes, self._as_json = publisher, topics, most_bytes, as_json

    @property
    def is_full(self) -> bool:
        """Backpressure."""
        return self._publisher.waiting_bytes >= self._most_bytes

    def poll(self) -> Sequence[Delivery]:
        """Return what Kafka has, or refuses, since the last call."""
        return self._publisher.poll()

    def event(self, event: Event, tag: Any) -> None:
        """Send an event."""
        self._send(Record.of(self._topics.events, event, event.camera_id, as_json=self._as_json), tag)

    def objects(self, now: ObjectsNow, tag: Any) -> None:
        """Send what is open at a camera."""
        self._send(Record.of(self._topics.objects, now, now.camera_id, as_json=self._as_json), tag)

    def state(self, camera_id: str, state: bytes, tag: Any) -> bool:
        """Send a camera's state; return False for one that is larger than Kafka takes."""
        try:
            self._send(Record(self._topics.tracks, state, camera_id), tag)
        except RecordTooLargeError as error:
            recurring.error("states that are too large", "the state of camera %s is not kept: %s", camera_id, error)
            return False
        return True

    def _send(self, record: Record, tag: Any) -> None:
        # What is sent here is bounded by what is taken, which stops where much waits.
        self._publisher.send(record, tag, urgent=True)
