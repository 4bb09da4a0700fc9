"""Take records from topics as a member of a consumer group, on a thread that does nothing else.

The thread polls without pause, so that membership survives any length of work; while the consumer of the
records is full, partitions are paused. `poll(100)`, never `poll(0)`, which does not finish a rebalance; and only the
cooperative assignor, since the default one loses records when a batch is in flight. All seen.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import kafka
import kafka.errors

from groundcam_runtime.kafka.assignor import EachTopicAssignor
from groundcam_runtime.kafka.commits import Commits
from groundcam_runtime.kafka.connect import connect, describe
from groundcam_runtime.kafka.fetch_watch import watch_ends
from groundcam_runtime.kafka.passing import is_passing
from groundcam_runtime.kafka.rejoining import rejoin_where_needed
from groundcam_runtime.partitions.append_times import AppendTimes
from groundcam_runtime.records import Assigned, Consumed, Event, Gone, Partition, Position, consumed
from groundcam_runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

POLL_MS = 100
COMMIT_EVERY_S = 0.2
RETRY_S = 0.5
METADATA_MS = 30_000
REFUSED_S = 30.0
HAND_OVER_LOOK_S = 0.01
HEARTBEATS = 10
"""In a session."""


class GroupSource:
    """A consumer group member. `take`, `commit` and the rest may be called from one other thread."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Iterable[str],
        *,
        group_id: str,
        max_records: int,
        max_bytes: int,
        instance_id: str | None = None,
        session_timeout_s: float = 30.0,
        read_committed: bool = False,
        by_transactions: bool | None = None,
        take_over: Callable[[str], str] = lambda note: note,
        hand_over_s: float = 0.0,
        on_event: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect; records come after `start`. Raises KafkaProblem.

        `take_over` gives, from the note that was committed for a partition, the one to write there before any record
        of it comes out. `read_committed` is needed where offsets are committed by transactions, which is what it means
        unless `by_transactions` is False. A partition that is given up waits at most `hand_over_s` for `hand_over`.
        """
        self._on_event = on_event
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._topics = list(topics)
        self._events: deque[Event] = deque()
        self._queued_records = 0
        self._queued_bytes = 0
        self._lock = threading.Lock()
        self._arriving: set[Partition] = set()
        self._epochs = 0
        self.silence_s = 3 * session_timeout_s / HEARTBEATS + 2
        """So long after `heard_at` it is clear that no broker answers."""
        self.owned: dict[Partition, int] = {}
        """The assignment epoch of each partition that is ours at this moment; it runs ahead of the events."""
        self.group_metadata: Any = None
        """Our membership in the group (generation and member id), for transactions, as of the last poll."""
        self._closing = threading.Event()
        self._draining = threading.Event()
        self._hand_over_s = hand_over_s
        self.leaving: frozenset[Partition] = frozenset()
        """Partitions whose revocation waits for `hand_over`; a new set for each revocation."""
        self._leave_within_s = 5.0
        self._finished = False
        self.polled_at = self.heard_at = time.monotonic()
        """When a poll last came back, with an error or without; and when a broker last answered."""
        self.failure: str | None = None
        self._refused_since: float | None = None
        self._assignor = EachTopicAssignor()
        self._consumer = connect(
            settings,
            kafka.KafkaConsumer,
            group_id=group_id,
            group_instance_id=instance_id,
            partition_assignment_strategy=(self._assignor,),
            enable_auto_commit=False,
            isolation_level="read_committed" if read_committed else "read_uncommitted",
            # Frames that came before the group existed are old; from then on nothing is skipped unseen.
            auto_offset_reset="earliest",
            session_timeout_ms=int(session_timeout_s * 1000),
            heartbeat_interval_ms=int(session_timeout_s * 1000 / HEARTBEATS),
            # How long a rebalance waits for a member that died in the middle of it: 5 minutes by default, in
            # which nobody reads. Our thread polls all the time, so it need not be longer than the session.
            max_poll_interval_ms=int(session_timeout_s * 1000),
            # Sessions save bytes where there are thousands of partitions. Here there are a few, and one that leaves
            # and comes back shall not depend on what the broker remembers of it.
            enable_incremental_fetch_sessions=False,
            # New partitions are seen after this; five minutes by default.
            metadata_max_age_ms=METADATA_MS,
            fetch_max_wait_ms=50,
            fetch_max_bytes=8 * 1024 * 1024,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            max_poll_records=16,
            allow_auto_create_topics=False,
        )
        self._ends_seen = watch_ends(self._consumer)
        self._append_times = AppendTimes()
        by_transactions = read_committed if by_transactions is None else by_transactions
        self._commits = Commits(self._consumer, self.owned, take_over, by_transactions=by_transactions)
        self._thread = threading.Thread(target=self._run, name="kafka-source", daemon=True)

    def start(self) -> None:
        """Join the group."""
        self._consumer.subscribe(self._topics, listener=_listener(self))
        self._thread.start()

    def take(self) -> Event | None:
        """Return the next event, or None when there is none yet."""
        try:
            event = self._events.popleft()
        except IndexError:
            return None
        if isinstance(event, Consumed):
            with self._lock:
                self._queued_records -= 1
                self._queued_bytes -= event.size
        return event

    def commit(self, positions: Mapping[Partition, Position], *, written: bool = False) -> None:
        """Let these be the next offsets to read; written to Kafka soon, and before partitions leave.

        `written`: a transaction has written them already.
        """
        self._commits.add(positions, written=written)

    def hand_over(self, partitions: frozenset[Partition]) -> None:
        """Let `leaving` go: what was published of them is noted by `commit`."""
        if partitions is self.leaving:
            self.leaving = frozenset()

    def pause(self) -> None:
        """Take no more records, but stay a member."""
        self._draining.set()

    def finish(self) -> None:
        """Everything that was taken is answered: say so where the offsets are, when it closes."""
        self._finished = True

    def close(self, timeout_s: float) -> bool:
        """Commit, leave the group and stop; return whether that was done in time."""
        self._leave_within_s = timeout_s
        self._closing.set()
        if self._thread.ident is None:
            return True  # it never started
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        commit_at = 0.0
        try:
            while not self._closing.is_set():
                self._poll()
                if time.monotonic() >= commit_at:
                    self._commits.write()
                    commit_at = time.monotonic() + COMMIT_EVERY_S
            self._commits.write()
            if self._finished:
                self._commits.say_farewell()
            with suppress(kafka.errors.KafkaError):
                self._consumer.close(timeout_ms=int(self._leave_within_s * 1000))
        except kafka.errors.FencedInstanceIdError:
            # A fenced member keeps receiving records and never learns of it but here.
            self._fail("another worker with the same instance id has taken over")
        except kafka.errors.KafkaError as error:
            self._fail(f"the Kafka consumer cannot go on: {describe(error)}")
        except Exception as error:
            log.exception("the Kafka consumer failed")
            self._fail(f"the Kafka consumer failed: {type(error).__name__}")

    def _poll(self) -> None:
        """One poll: paused partitions keep their place, new ones arrive un-paused even then."""
        with self._lock:
            full = self._queued_records >= self._max_records or self._queued_bytes >= self._max_bytes
        assigned = self._consumer.assignment()
        if assigned and (full or self._draining.is_set()):
            self._consumer.pause(*assigned)
        elif assigned:
            self._consumer.resume(*self._consumer.paused())
        try:
            by_partition = self._consumer.poll(POLL_MS)
        except kafka.errors.KafkaError as error:
            if not is_passing(error) or self._is_refused_for_good(error):
                raise
            self.polled_at = time.monotonic()  # the thread lives; whether a broker answers, `heard_at` shows
            self._closing.wait(RETRY_S)
            return
        self.polled_at = time.monotonic()
        self._refused_since = None
        coordinator = self._consumer._coordinator  # noqa: SLF001 - there is no public way to either
        # The client does not report brokers that have gone away: only their silence shows it.
        self.heard_at = max(self.heard_at, coordinator.heartbeat.last_receive, self.polled_at if by_partition else 0.0)
        rejoin_where_needed(coordinator, self._assignor, self._hand_over_s)
        if self._arriving:
            self._welcome()
        self.group_metadata = self._consumer.group_metadata()
        now_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
        while self._ends_seen:
            self._append_times.saw_end(*self._ends_seen.popleft())
        for partition, records in by_partition.items():
            end_offset, place = self._consumer.highwater(partition), Partition(*partition)
            for record in records:
                waited_s = self._append_times.waited_s(place, record.offset, monotonic_ns / 1e9)
                self._emit(consumed(record, now_ns, end_offset, monotonic_ns=monotonic_ns, waited_s=waited_s))

    def _is_refused_for_good(self, error: kafka.errors.KafkaError) -> bool:
        """A password that was changed is read again at the next start, so a refusal that lasts is an end."""
        if not isinstance(error, kafka.errors.SaslAuthenticationFailedError):
            return False
        now = time.monotonic()
        self._refused_since = self._refused_since or now
        return now - self._refused_since > REFUSED_S

    def _welcome(self) -> None:
        arrived = self._arriving & {Partition(*partition) for partition in self._consumer.assignment()}
        self._arriving -= arrived
        self._epochs += 1
        found = self._commits.open(arrived, self._epochs)
        self.owned |= dict.fromkeys(arrived, self._epochs)
        self._emit(Assigned(found, self._epochs))

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self._on_event()

    def _emit(self, event: Event) -> None:
        if isinstance(event, Consumed):
            with self._lock:
                self._queued_records += 1
                self._queued_bytes += event.size
        self._events.append(event)
        self._on_event()

    # The three below run on the client's own event loop.

    def _on_assigned(self, partitions: Iterable[Any]) -> None:
        self._arriving |= {Partition(*partition) for partition in partitions}

    async def _until_handed_over(self, partitions: frozenset[Partition]) -> None:
        """An answer that Kafka has but that is not committed yet would be given again by the next owner."""
        if not self._hand_over_s:
            return
        self.leaving = partitions
        self._on_event()
        deadline = time.monotonic() + self._hand_over_s
        while self.leaving is partitions and time.monotonic() < deadline and not self._closing.is_set():
            await self._consumer._net.sleep(HAND_OVER_LOOK_S)  # noqa: SLF001 - the loop that runs this
        # Nothing waits any more: whoever looks later must not give up partitions that are gone, and may be back.
        self.leaving = frozenset()

    def _on_gone(self, partitions: Iterable[Any]) -> None:
        gone = frozenset(Partition(*partition) for partition in partitions)
        self._commits.remove(gone)
        for partition in gone:
            self.owned.pop(partition, None)
        self._arriving -= gone
        self._emit(Gone(gone))


def _listener(source: GroupSource) -> kafka.AsyncConsumerRebalanceListener:
    """A synchronous listener could not commit: it runs on the loop that would have to answer."""

    class Listener(kafka.AsyncConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
        async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
            in_order = source._finished or not source._closing.is_set()  # noqa: SLF001 - its own listener
            if not source._closing.is_set():  # noqa: SLF001
                await source._until_handed_over(frozenset(Partition(*one) for one in revoked))  # noqa: SLF001
            await source._commits.leave([Partition(*one) for one in revoked], in_order=in_order)  # noqa: SLF001
            source._on_gone(revoked)  # noqa: SLF001

        async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
            source._on_assigned(assigned)  # noqa: SLF001

        async def on_partitions_lost(self, lost: Iterable[Any]) -> None:
            source._on_gone(lost)  # noqa: SLF001

    return Listener()
