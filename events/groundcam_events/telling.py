"""What a tracker tells on its way to Kafka: what each record belongs to, and what of it Kafka has."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from groundcam_events.checkpoint import Checkpoints, Frozen
from groundcam_events.metrics import TrackerMetrics
from groundcam_events.outbox import Outbox
from groundcam_runtime.recurring import Recurring
from groundcam_schemas import Event, ObjectsNow, decode

recurring = Recurring(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """What a record belongs to."""

    partition: int
    """Of the detections topic."""
    epoch: int
    """Of the assignment in which that was ours."""
    generation: int
    event: Event | None = None
    checkpoint: Frozen | None = None
    """Of which the record is a state."""


class Telling:
    """Belongs to the driver's thread."""

    def __init__(
        self,
        outbox: Outbox,
        checkpoints: Checkpoints,
        metrics: TrackerMetrics,
        epochs: Mapping[int, int],
        tells: Callable[[Event], None],
    ) -> None:
        """`epochs` has the assignment of each partition; `tells` hears each event once it is sent."""
        self._outbox, self._checkpoints, self._metrics = outbox, checkpoints, metrics
        self._epochs, self._tells = epochs, tells
        self.news: set[str] = set()
        """Cameras of which something was told since what is open there was."""

    @property
    def is_full(self) -> bool:
        """Backpressure."""
        return self._outbox.is_full

    def collect(self) -> None:
        """Take note of what Kafka has."""
        for delivery in self._outbox.poll():
            if (error := delivery.error) is not None:
                recurring.error("refused", "Kafka refuses a record for %s: %s", delivery.record.topic, error)
            sent: Sent = delivery.tag
            if sent.checkpoint is not None:
                self._checkpoints.state_acknowledged(sent.checkpoint)
                continue
            self._checkpoints.acknowledged(sent.generation)
            if sent.event is not None and not delivery.dropped:
                self._metrics.told(sent.event)

    def event(self, partition: int, event: Event) -> None:
        """Tell an event."""
        generation = self._checkpoints.sending()
        self._outbox.event(event, Sent(partition, self._epochs[partition], generation, event))
        self.news.add(event.camera_id)
        self._tells(event)

    def catch_up(self, partition: int, untold: list[bytes]) -> bool:
        """Tell what was decided before a restart, and forget it; return whether there was any."""
        told, untold[:] = list(untold), []
        for one in told:
            self.event(partition, decode(Event, one))
        return bool(told)

    def objects(self, partition: int, now: ObjectsNow) -> None:
        """Tell what is open at a camera."""
        self._outbox.objects(now, Sent(partition, self._epochs[partition], self._checkpoints.sending()))

    def states(self) -> None:
        """Send the states of a checkpoint when it is their turn."""
        frozen = self._checkpoints.frozen
        for camera_id, state in self._checkpoints.states().items():
            if frozen is None:
                return
            number = frozen.states[camera_id][0]
            sent = Sent(number, self._epochs[number], frozen.generation, checkpoint=frozen)
            if not self._outbox.state(camera_id, state, sent):
                self._checkpoints.state_acknowledged(frozen)
