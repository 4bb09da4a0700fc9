"""Publish records and commit offsets in one transaction, so that a read_committed reader sees each answer once.

kafka-python's transactional calls have no deadline of their own, and one that a broker's death interrupts never
returns. They run on a thread; when one of them takes too long, its transaction is of unknown fate, and only a new
process, which reads what was committed, knows how to go on. So it is when another producer has taken over our name
(fencing). Everything else is aborted and retried, by a new producer where the old one may not be used any more.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import kafka
import kafka.errors

from groundcam_runtime.kafka.connect import connect, describe
from groundcam_runtime.kafka.errors import KafkaProblem, TransactionLostError, chatter
from groundcam_runtime.kafka.publisher import REFUSALS, Delivery, RecordTooLargeError, discard
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Partition, Position
from groundcam_runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

CALL_S = 20.0
"""So long one transactional call may take; the broker ends the transaction after TRANSACTION_S."""
TRANSACTION_S = 60.0
DELIVERY_S = 30.0
RETRY_S = 1.0
REBALANCE_S = 0.1

FENCED = (
    kafka.errors.ProducerFencedError,
    kafka.errors.InvalidProducerEpochError,
    kafka.errors.FencedInstanceIdError,
    kafka.errors.TransactionalIdAuthorizationFailedError,
)


@dataclass(frozen=True, slots=True)
class TransactionPlan:
    """The content of one transaction."""

    deliveries: Sequence[Delivery]
    positions: Mapping[Partition, Position]
    membership: Any
    """The consumer's group metadata: a broker refuses the offsets of a member that the group has moved past."""
    not_ours: Sequence[Delivery] = ()
    """Another member's to publish: dropped."""


class TransactionalPublisher:
    """Takes records like a Publisher. Belongs to one thread, except that `on_change` is called from another."""

    commits_offsets = True

    def __init__(
        self,
        settings: KafkaSettings,
        transactional_id: str,
        *,
        max_waiting_bytes: int,
        max_record_bytes: int,
        plan: Callable[[Sequence[Delivery]], TransactionPlan],
        committed: Callable[[Mapping[Partition, Position]], None],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect, and end what an earlier producer of this name has left open. Raises KafkaProblem.

        `plan` chooses from what waits: which of it may go now, and which offsets it brings. `committed` is called
        with positions that Kafka has now.
        """
        self._settings = settings
        self._id = transactional_id
        self._max_waiting_bytes = max_waiting_bytes
        self._max_record_bytes = max_record_bytes
        self._plan = plan
        self._committed = committed
        self._on_change = on_change
        self._waiting: dict[Delivery, None] = {}  # in the order of sending
        self._finished: list[Delivery] = []
        self.waiting_bytes = 0
        self._retry_at = 0.0
        self._job: threading.Thread | None = None
        self._in_job: TransactionPlan | None = None
        self._outcome: BaseException | None = None
        self._call: tuple[str, float] | None = None
        self._producer: Any = self._build()

    @property
    def unfinished(self) -> int:
        """How many records are not committed."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Backpressure: whether so much waits that no more frames should be begun."""
        return self.waiting_bytes >= self._max_waiting_bytes

    def has_room(self, _size: int) -> bool:
        """Whether a record of this size may be sent now: always, since it may be the one that lets others go."""
        return True

    def send(self, record: Record, tag: Any = None, *, urgent: bool = False) -> Delivery:  # noqa: ARG002 - as a Publisher
        """Take a record into one of the next transactions; all are taken. Raises RecordTooLargeError."""
        if record.size > self._max_record_bytes:
            raise RecordTooLargeError(
                f"a record of {record.size} bytes for {record.topic} is over the limit of {self._max_record_bytes}"
            )
        delivery = Delivery(record, tag)
        self._waiting[delivery] = None
        self.waiting_bytes += record.size
        if self._job is None:
            self._on_change()
        return delivery

    def poll(self) -> list[Delivery]:
        """Return what is committed since the last call, and begin the next transaction.

        Raises TransactionLostError: the process must end.
        """
        now = time.monotonic()
        if self._job is not None:
            if call := self._call:
                name, since = call
                if now - since > CALL_S:
                    raise TransactionLostError(
                        f"{name} of the transactional id {self._id} has not returned for {now - since:.0f} s"
                    )
            if self._job.is_alive():
                return []
            self._settle()
        if self._waiting and now >= self._retry_at:
            self._begin()
        finished, self._finished = self._finished, []
        return finished

    def close(self, timeout_s: float = 1.0) -> None:
        """Stop. An open transaction is left to the next producer of this name; never raises, never hangs."""
        if self._producer is not None and (self._job is None or not self._job.is_alive()):
            discard(self._producer, timeout_s)

    def _begin(self) -> None:
        plan = self._plan(list(self._waiting))
        for delivery in plan.not_ours:
            delivery.dropped = True
            self._finish(delivery)
        if not plan.deliveries and not plan.positions:
            return
        self._in_job = plan
        self._outcome = None
        self._job = threading.Thread(target=self._run, args=(plan,), name="transaction", daemon=True)
        self._job.start()

    def _settle(self) -> None:
        plan, outcome, self._job, self._in_job = self._in_job, self._outcome, None, None
        if plan is None:
            return
        if outcome is None:
            self._committed(plan.positions)
            for delivery in plan.deliveries:
                self._finish(delivery)
            return
        if isinstance(outcome, FENCED):
            raise TransactionLostError(
                f"another process has taken over the transactional id {self._id} ({type(outcome).__name__})"
            )
        if isinstance(outcome, TransactionLostError):
            raise outcome
        chatter.warning("a transaction is tried again: %s; %d records wait", describe(outcome), len(self._waiting))
        # Where the group has moved on, soon, with what is still ours.
        moved = isinstance(outcome, kafka.errors.CommitFailedError)
        self._retry_at = time.monotonic() + (REBALANCE_S if moved else RETRY_S)

    def _finish(self, delivery: Delivery) -> None:
        del self._waiting[delivery]
        self.waiting_bytes -= delivery.record.size
        delivery.done = True
        self._finished.append(delivery)

    # What follows runs on the transaction's own thread.

    def _run(self, plan: TransactionPlan) -> None:
        try:
            if self._producer is None:
                self._producer = self._build()
            self._transact(self._producer, plan)
        except kafka.errors.CommitFailedError as error:
            self._outcome = error
            self._abort()
        except (kafka.errors.KafkaError, KafkaProblem) as error:
            # After any other error the client's state is not to be trusted; the next producer of our name aborts
            # what this one has left open.
            old, self._producer = self._producer, None
            self._outcome = _fencing(old) or error
            if old is not None:
                discard(old, 0.0)
        except Exception as error:
            log.exception("a transaction failed")
            self._outcome = TransactionLostError(f"a transaction failed: {type(error).__name__}")
        finally:
            self._call = None
            self._on_change()

    def _transact(self, producer: Any, plan: TransactionPlan) -> None:
        self._timed("begin_transaction", producer.begin_transaction)
        sent = [(delivery, self._send(producer, delivery.record)) for delivery in plan.deliveries]
        for delivery, future in sent:
            try:
                future.get(DELIVERY_S + 1)
            except REFUSALS as error:
                # Its offset counts as answered already; only a process that begins anew can take that back.
                raise TransactionLostError(
                    f"Kafka refuses a record of {delivery.record.size} bytes for {delivery.record.topic}: {error}"
                ) from error
        if plan.positions:
            offsets = {
                kafka.TopicPartition(*partition): kafka.OffsetAndMetadata(one.offset, one.note, -1)
                for partition, one in plan.positions.items()
            }
            self._timed("send_offsets", producer.send_offsets_to_transaction, offsets, plan.membership)
        try:
            self._timed("commit_transaction", producer.commit_transaction)
        except kafka.errors.CommitFailedError:
            raise
        except kafka.errors.KafkaError as error:
            if isinstance(error, FENCED) or _fencing(producer):
                raise
            # It may have been committed all the same.
            raise TransactionLostError(f"the fate of a transaction of {self._id} is unknown: {error}") from error

    def _abort(self) -> None:
        try:
            self._timed("abort_transaction", self._producer.abort_transaction)
        except kafka.errors.KafkaError:
            old, self._producer = self._producer, None
            discard(old, 0.0)

    def _send(self, producer: Any, record: Record) -> Any:
        return producer.send(
            record.topic,
            value=record.value_bytes,
            key=record.key_bytes,
            headers=list(record.headers),
            partition=record.partition,
        )

    def _timed(self, name: str, call: Callable[..., None], *arguments: Any) -> None:
        self._call = name, time.monotonic()
        call(*arguments)
        self._call = None

    def _build(self) -> Any:
        producer = connect(
            self._settings,
            kafka.KafkaProducer,
            client_id=f"groundcam-{self._id}",
            transactional_id=self._id,
            transaction_timeout_ms=int(TRANSACTION_S * 1000),
            acks="all",
            linger_ms=0,
            max_request_size=self._max_record_bytes + 4096,
            request_timeout_ms=int(DELIVERY_S * 1000 / 3),
            delivery_timeout_ms=int(DELIVERY_S * 1000),
            # A transaction waits several times for its coordinator; 100 ms each by default.
            retry_backoff_ms=5,
            max_block_ms=int(CALL_S * 1000 / 2),
            allow_auto_create_topics=False,
        )
        try:
            producer.init_transactions()
        except kafka.errors.KafkaError as error:
            discard(producer, 0.0)
            raise KafkaProblem(
                f"transactions of the id {self._id} cannot be begun on {self._settings.bootstrap_servers}:"
                f" {describe(error)}"
            ) from None
        # It would answer a stale epoch with a new one, and so take back a name that another has taken over.
        producer._transaction_manager._supports_epoch_bump = lambda: False  # noqa: SLF001
        return producer


def _fencing(producer: Any) -> BaseException | None:
    """What has told the client that its name is taken over: its calls say so once, then only that they are refused."""
    error = producer and producer._transaction_manager.last_error  # noqa: SLF001
    return error if isinstance(error, FENCED) else None
