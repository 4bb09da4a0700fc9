"""Send records and know of each whether Kafka has it.

kafka-python's producer can stop for ever while it accepts more: when a retried batch reaches its delivery
time-out (every later future stays open), and when the broker refuses one record (every later send fails with
the old error). It has no bound on memory either. So unfinished records are kept here, bounded in bytes, and a
producer that stopped is replaced and gets them again: at least once, in order by partition.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import kafka
import kafka.errors

from groundcam_runtime.kafka.connect import connect, describe
from groundcam_runtime.kafka.errors import KafkaProblem, chatter
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

SLACK_S = 5.0
RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
BATCH_BYTES = 1_000_000
QUIET_S = 60.0

TOO_LARGE = (kafka.errors.MessageSizeTooLargeError, kafka.errors.RecordListTooLargeError)
# These are about one record, not about the broker: the record is given up, its neighbours are sent again.
REFUSALS = (
    *TOO_LARGE,
    kafka.errors.InvalidRecordError,
    kafka.errors.InvalidTimestampError,
)


class QueueFullError(RuntimeError):
    """More bytes are waiting for Kafka than may wait; the caller drops, or waits."""


class RecordTooLargeError(ValueError):
    """The record is larger than a record may be."""


@dataclass(eq=False, slots=True)
class Delivery:
    """One record on its way. `done` once Kafka has it, or will never take it: then `error` says why."""

    record: Record
    tag: Any = None
    """The caller's own."""
    done: bool = False
    error: BaseException | None = None
    dropped: bool = False
    """It was not sent: it is another member's to publish."""
    sent_at: float = field(default=0.0, repr=False)
    attempt: int = field(default=0, repr=False)

    @property
    def is_too_large(self) -> bool:
        """Whether the topic's limit is why Kafka does not take it."""
        return isinstance(self.error, TOO_LARGE)


class Publisher:
    """Sends records. Belongs to one thread, except that `on_change` is called from another."""

    commits_offsets = False
    is_full = False
    """It takes nothing when it is; see `has_room`."""

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        max_waiting_bytes: int,
        max_record_bytes: int,
        client_id: str = "groundcam",
        linger_ms: int = 0,
        delivery_timeout_s: float = 30.0,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect. Raises KafkaProblem.

        `delivery_timeout_s` is how long one producer tries; after it, its idempotent state is beyond repair.
        """
        self._settings = settings
        self._silence_s = delivery_timeout_s + SLACK_S
        self._max_waiting_bytes = max_waiting_bytes
        self._max_record_bytes = max_record_bytes
        self._options = {
            "client_id": client_id,
            "acks": "all",
            "linger_ms": linger_ms,
            "batch_size": BATCH_BYTES,
            "max_request_size": max_record_bytes + 4096,
            "request_timeout_ms": int(delivery_timeout_s * 1000 / 3),
            "delivery_timeout_ms": int(delivery_timeout_s * 1000),
            # The first record for an unknown topic would block for a minute.
            "max_block_ms": 2000,
            "allow_auto_create_topics": False,
            # Nobody reads the client's own metrics, and they take a part of what each record costs.
            "metrics_enabled": False,
        }
        self._on_change = on_change
        self._waiting: dict[Delivery, None] = {}  # in the order of sending
        self._outcomes: deque[tuple[Delivery, int, BaseException | None]] = deque()
        self._finished: list[Delivery] = []
        self.waiting_bytes = 0
        self.rebuilds = 0
        self.trouble: str | None = None
        """Why Kafka takes nothing, as far as that is known; None once it has taken something."""
        self._broken = False
        self._attempt = 0
        self._retry_at = 0.0
        self._retry_s = RETRY_S
        self._replaced_at = float("-inf")
        self._builder: threading.Thread | None = None
        self._replacement: kafka.KafkaProducer | None = None
        self._client = connect(settings, kafka.KafkaProducer, **self._options)

    @property
    def unfinished(self) -> int:
        """How many records Kafka has not acknowledged."""
        return len(self._waiting)

    def has_room(self, size: int) -> bool:
        """Whether a record of this size may be sent now. An empty queue takes any record."""
        return not self._waiting or self.waiting_bytes + size <= self._max_waiting_bytes

    def send(self, record: Record, tag: Any = None, *, urgent: bool = False) -> Delivery:
        """Hand a record over; `poll` returns its delivery once it is finished.

        An `urgent` one is taken even when too much is waiting: for what is small and must not be dropped.
        Raises RecordTooLargeError, and QueueFullError when too much is waiting already.
        """
        if record.size > self._max_record_bytes:
            raise RecordTooLargeError(
                f"a record of {record.size} bytes for {record.topic} is over the limit of {self._max_record_bytes}"
            )
        if not urgent and not self.has_room(record.size):
            raise QueueFullError(f"{self.waiting_bytes} bytes are waiting for Kafka already")
        delivery = Delivery(record, tag)
        self._waiting[delivery] = None
        self.waiting_bytes += record.size
        if not self._broken:
            self._hand_over(delivery)
        return delivery

    def poll(self) -> list[Delivery]:
        """Return what finished since the last call, and replace a producer that stopped."""
        while self._outcomes:
            delivery, attempt, error = self._outcomes.popleft()
            if attempt != delivery.attempt or delivery.done:
                continue  # of a producer that was replaced meanwhile
            if error is None:
                self._finish(delivery)
            elif isinstance(error, REFUSALS) and not self._broken:
                self._finish(delivery, error)
                self._mark_broken(f"refused a record for {delivery.record.topic}: {type(error).__name__}")
            else:
                self._mark_broken(describe(error))
        oldest = next(iter(self._waiting), None)
        now = time.monotonic()
        if oldest is not None and not self._broken and now - oldest.sent_at > self._silence_s:
            self._mark_broken("the producer stopped answering")
        if self._broken:
            self._replace(now)
        finished, self._finished = self._finished, []
        return finished

    def flush(self, timeout_s: float) -> list[Delivery]:
        """Wait until nothing is unfinished or time is up, and return what finished."""
        deadline = time.monotonic() + timeout_s
        finished = self.poll()
        while self._waiting and time.monotonic() < deadline:
            time.sleep(0.005)
            finished += self.poll()
        return finished

    def close(self, timeout_s: float = 1.0) -> None:
        """Stop. What is unfinished stays of unknown fate; never raises, never hangs."""
        discard(self._client, timeout_s)

    def _hand_over(self, delivery: Delivery) -> None:
        record = delivery.record
        self._attempt += 1
        delivery.attempt = attempt = self._attempt
        delivery.sent_at = time.monotonic()

        def finished(error: BaseException | None) -> None:
            self._outcomes.append((delivery, attempt, error))
            self._on_change()

        try:
            future = self._client.send(
                record.topic,
                value=record.value_bytes,
                key=record.key_bytes,
                headers=list(record.headers),
                partition=record.partition,
            )
        except (kafka.errors.KafkaError, AssertionError, ValueError) as error:
            finished(error)
            if not isinstance(error, REFUSALS):
                # At once: each further send for an unknown topic would block as long as this one.
                self._mark_broken(describe(error))
            return
        future.add_callback(lambda _metadata: finished(None))
        future.add_errback(finished)

    def _finish(self, delivery: Delivery, error: BaseException | None = None) -> None:
        del self._waiting[delivery]
        self.waiting_bytes -= delivery.record.size
        delivery.done, delivery.error = True, error
        self.trouble = self.trouble if error else None
        self._finished.append(delivery)

    def _mark_broken(self, reason: str) -> None:
        if not self._broken:
            self.trouble = reason
            self._complain(f"the Kafka producer stopped and is replaced: {reason}")
        self._broken = True

    def _replace(self, now: float) -> None:
        """Build a new producer aside, then swap: while no broker answers, the old one stays."""
        if self._builder is None and now >= self._retry_at:
            self._builder = threading.Thread(target=self._build, name="producer-builder", daemon=True)
            self._builder.start()
        if self._builder is None or self._builder.is_alive():
            return
        self._builder = None
        # What a new producer does not mend, such as a missing permission, is not tried every second.
        self._retry_s = min(LONGEST_RETRY_S, 2 * self._retry_s) if now - self._replaced_at < QUIET_S else RETRY_S
        self._retry_at = now + self._retry_s
        if self._replacement is None:
            return
        old, self._client, self._replacement = self._client, self._replacement, None
        threading.Thread(target=discard, args=(old, 0.0), daemon=True).start()
        self.rebuilds += 1
        self._replaced_at = now
        self._broken = False
        log.info("a new Kafka producer sends %d records again", len(self._waiting))
        for delivery in list(self._waiting):
            if self._broken:
                break
            self._hand_over(delivery)

    def _build(self) -> None:
        try:
            self._replacement = connect(self._settings, kafka.KafkaProducer, **self._options)
        except KafkaProblem as problem:
            self.trouble = str(problem)
            self._complain(self.trouble)

    def _complain(self, text: str) -> None:
        """Say what is wrong, among the client's own lines: one a minute in all."""
        chatter.warning("%s; %d records wait", text, len(self._waiting))


def discard(client: kafka.KafkaProducer, timeout_s: float) -> None:
    """Close a producer so that its thread ends even when its broker is away."""
    try:
        client.close(timeout=timeout_s)
    except kafka.errors.KafkaError:
        # close() raises from its flush and leaves its thread alive (3.0.12); only this ends it.
        client._sender.force_close()  # noqa: SLF001
