"""The notifier's loop: events from Kafka to the webhooks' queues, what they did not take to its topic, then offsets.

One thread owns all of it. Webhooks send on threads of their own, and wake it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping

from groundcam_events.notify.hook import Hook, Outcome
from groundcam_events.notify.letters import Letter, letter_record
from groundcam_events.notify.metrics import NotifyMetrics
from groundcam_events.notify.policy.book import Book, Claim
from groundcam_events.notify.policy.choosing import Chooser
from groundcam_events.notify.policy.waiting import Item
from groundcam_events.notify.settings import HookSettings
from groundcam_runtime.kafka.publisher import Delivery, Publisher
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_runtime.recurring import Recurring
from groundcam_schemas import Event, SchemaError, decode

log = logging.getLogger(__name__)
recurring = Recurring(log)

MAX_SLEEP_S = 0.5
MOST_UNSETTLED = 100_000
"""Events that are read and not committed; at more of them reading waits."""


class Notifier:
    """Delivers events until it is asked to stop."""

    def __init__(
        self,
        settings: Mapping[str, HookSettings],
        hooks: Mapping[str, Hook],
        source: GroupSource,
        publisher: Publisher,
        undelivered: str,
        metrics: NotifyMetrics,
        wake: threading.Event,
    ) -> None:
        """`undelivered` is the topic of that name; `wake` is set by whatever has something to tell."""
        self._settings, self._hooks, self.source = settings, hooks, source
        self._publisher, self._undelivered, self._metrics, self._wake = publisher, undelivered, metrics, wake
        self.outcomes: deque[Outcome] = deque()
        """Put there by the hooks."""
        self._book, self._choosers = Book(), dict[Partition, Chooser]()
        self._letters: deque[tuple[Claim, Letter, str]] = deque()
        """Those for which Kafka has no room yet."""
        self.ticked_at = time.monotonic()

    @property
    def partitions(self) -> int:
        """How many are ours."""
        return self._book.partitions

    @property
    def unsettled(self) -> int:
        """Events that are read and not committed."""
        return self._book.unsettled

    @property
    def kafka_trouble(self) -> str | None:
        """Why what was not taken cannot be put aside, if that is so."""
        return self._publisher.trouble

    def turn(self) -> None:
        """Do what there is to do, then sleep until something happens."""
        self._wake.clear()
        self.settle()
        while not self._letters and self._book.unsettled < MOST_UNSETTLED:
            event = self.source.take()
            if event is None:
                break
            if isinstance(event, Consumed):
                self._take(event)
            elif isinstance(event, Assigned):
                self._book.assigned(event.partitions, event.epoch)
                self._choosers |= {partition: Chooser(self._settings) for partition in event.partitions}
                log.info("%d partitions are ours", self._book.partitions)
            else:
                self._gone(event)
        self.ticked_at = time.monotonic()
        self._wake.wait(MAX_SLEEP_S)

    def settle(self) -> None:
        """Note what webhooks have taken, and what Kafka has of the rest."""
        while self.outcomes:
            outcome = self.outcomes.popleft()
            if outcome.reason is None:
                self._settle(outcome.item.claim, outcome.hook)
            elif self._book.holds(outcome.item.claim):
                self._put_aside(outcome.item, outcome.hook, outcome.reason)
        while self._letters and self._publisher.has_room(len(self._letters[0][1].value)):
            self._publish(*self._letters.popleft())
        for delivery in self._publisher.poll():
            self._published(delivery)

    def finish(self, timeout_s: float) -> None:
        """Wait until Kafka has what was put aside; the rest is read again by the next notifier."""
        self.settle()
        for delivery in self._publisher.flush(timeout_s):
            self._published(delivery)

    def _take(self, record: Consumed) -> None:
        claim = self._book.claim(record.partition, record.offset)
        if claim is None:
            return  # of a partition that went meanwhile
        try:
            event = decode(Event, record.value or b"")
        except SchemaError as error:
            self._metrics.unreadable()
            recurring.warning(
                "unreadable events", "an event cannot be read: %s", error,
                topic=record.partition.topic, partition=record.partition.number, offset=record.offset,
            )  # fmt: skip
            self._commit(claim, self._book.begin(claim, ()))
            return
        choice = self._choosers[record.partition].choose(event)
        self._metrics.read(is_repeat=choice.is_repeat)
        for name in choice.held_back:
            self._metrics.held_back(name)
        self._commit(claim, self._book.begin(claim, choice.hooks))
        for name in choice.hooks:
            item = Item(claim, event, record.value or b"", time.monotonic())
            if not self._hooks[name].offer(item):
                item.why = "its queue is full"
                self._put_aside(item, name, "queue_full")

    def _gone(self, gone: Gone) -> None:
        self._book.gone(gone.partitions)
        for partition in gone.partitions:
            self._choosers.pop(partition, None)
        self._letters = deque(one for one in self._letters if self._book.holds(one[0]))
        for hook in self._hooks.values():
            hook.forget(self._book.holds)

    def _put_aside(self, item: Item, hook: str, reason: str) -> None:
        """Keep an event for which this webhook is lost for now; its offset waits until Kafka has it."""
        self._metrics.undelivered(hook, reason)
        recurring.warning(
            f"undelivered {hook} {reason}", "an event for the webhook %s is put aside (%s, %d attempts): %s",
            hook, reason, item.attempts, item.why, camera=item.event.camera_id,
        )  # fmt: skip
        words = f"{reason}: {item.why}" if item.why else reason
        self._letters.append((item.claim, Letter(hook, item.event, item.value, words, item.attempts), hook))

    def _publish(self, claim: Claim, letter: Letter, hook: str) -> None:
        record = letter_record(self._undelivered, letter, time.time_ns() // 1_000_000)
        self._publisher.send(record, (claim, hook), urgent=True)

    def _published(self, delivery: Delivery) -> None:
        claim, hook = delivery.tag
        if delivery.error is not None:
            # Kafka refuses this very record: waiting would keep everything behind it for good.
            log.error("an event that %s did not take cannot be put aside and is lost: %s", hook, delivery.error)
        self._settle(claim, hook)

    def _settle(self, claim: Claim, hook: str) -> None:
        self._commit(claim, self._book.settle(claim, hook))

    def _commit(self, claim: Claim, position: Position | None) -> None:
        if position is not None:
            self.source.commit({claim.partition: position})
