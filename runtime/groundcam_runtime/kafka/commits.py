"""What a group member has committed, is about to, and leaves behind with a partition. Safe between threads."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

import kafka
import kafka.errors

from groundcam_runtime.kafka.errors import chatter
from groundcam_runtime.records import Partition, Position

log = logging.getLogger(__name__)

TIMEOUT_MS = 5000


class Commits:
    """Writes positions for one consumer. `add` may be called from any thread, the rest from the consumer's."""

    def __init__(
        self,
        consumer: Any,
        owned: Mapping[Partition, int],
        take_over: Callable[[str], str],
        *,
        by_transactions: bool,
    ) -> None:
        """`owned` is kept up to date with the assignment epoch of each partition that is ours.

        `take_over` gives, from the note found with a partition, the one to write when it becomes ours.

        `by_transactions`: what is committed is decided by the transaction under way, not here.
        """
        self._consumer = consumer
        self._owned = owned
        self._take_over = take_over
        self._by_transactions = by_transactions
        self._lock = threading.Lock()
        self._pending: dict[Partition, Position] = {}
        self._written: dict[Partition, Position] = {}

    def add(self, positions: Mapping[Partition, Position], *, written: bool = False) -> None:
        """Note what is to be committed, or what has been."""
        with self._lock:
            (self._written if written else self._pending).update(positions)

    def open(self, partitions: Collection[Partition], epoch: int) -> dict[Partition, Position | None]:
        """Look up what was committed of new partitions, and mark them there as in use."""
        found = self._committed(partitions)
        self._commit(
            {
                partition: Position(position.offset, self._take_over(position.note), epoch=epoch)
                for partition, position in found.items()
                if position is not None
            }
        )
        return found

    def write(self) -> None:
        """Commit what is new. Raises FencedInstanceIdError."""
        with self._lock:
            taken, self._pending = self._pending, {}
        positions = self._still_true(taken)
        if not self._commit(positions):
            # In a rebalance, or without a broker: they are still true, and are written next time, unless their
            # partitions leave meanwhile; what has come since is newer.
            with self._lock:
                self._pending = {**positions, **self._pending}

    def say_farewell(self) -> None:
        """Commit for the last time: nothing is left half done."""
        mine = {Partition(*partition) for partition in self._consumer.assignment()}
        self._commit(self._farewells(mine, in_order=True))

    async def leave(self, partitions: Collection[Partition], *, in_order: bool) -> None:
        """On the client's own event loop: the last commit of partitions that are being given up.

        Not `in_order` when the process ends with work half done: then the notes stay as they are.
        """
        positions = {} if self._by_transactions else self._farewells(partitions, in_order=in_order)
        if positions:
            try:
                await self._consumer.commit_async(_for_kafka(positions))
            except kafka.errors.KafkaError as error:
                log.info("offsets of leaving partitions were not committed (%s)", type(error).__name__)

    def remove(self, partitions: Collection[Partition]) -> None:
        """Drop partitions that were revoked."""
        with self._lock:
            for partition in partitions:
                self._pending.pop(partition, None)
                self._written.pop(partition, None)

    def _farewells(self, leaving: Collection[Partition], *, in_order: bool) -> dict[Partition, Position]:
        with self._lock:
            known = {**self._written, **self._pending}
        return {
            partition: Position(one.offset, (one.farewell if in_order else "") or one.note, epoch=one.epoch)
            for partition, one in self._still_true(known).items()
            if partition in leaving
        }

    def _still_true(self, positions: Mapping[Partition, Position]) -> dict[Partition, Position]:
        """Leave out partitions that are not ours, and what comes from an earlier epoch."""
        owned = dict(self._owned)
        return {partition: one for partition, one in positions.items() if owned.get(partition) == one.epoch}

    def _committed(self, partitions: Collection[Partition]) -> dict[Partition, Position | None]:
        """Return what was committed, offset 0 where nothing was; None where no broker answers in time.

        All in one request: one after the other might take longer than the group waits for us.
        """
        asked = {partition: kafka.TopicPartition(*partition) for partition in sorted(partitions)}
        try:
            found = self._consumer._coordinator.fetch_committed_offsets(  # noqa: SLF001 - the public API looks up one
                list(asked.values()), timeout_ms=TIMEOUT_MS
            )
        except kafka.errors.KafkaError as error:
            chatter.warning("what was committed of new partitions is not known (%s)", type(error).__name__)
            return dict.fromkeys(asked)
        return {
            partition: Position(found[one].offset, found[one].metadata or "") if one in found else Position(0)
            for partition, one in asked.items()
        }

    def _commit(self, positions: Mapping[Partition, Position]) -> bool:
        if not positions:
            return True
        try:
            self._consumer.commit(_for_kafka(positions), timeout_ms=TIMEOUT_MS)
        except kafka.errors.FencedInstanceIdError:
            raise
        except kafka.errors.KafkaError as error:
            level = logging.INFO if error.retriable else logging.WARNING
            chatter.log(level, "offsets were not committed (%s)", type(error).__name__)
            return False
        self.add(positions, written=True)
        return True


def _for_kafka(positions: Mapping[Partition, Position]) -> dict[Any, Any]:
    return {
        kafka.TopicPartition(*partition): kafka.OffsetAndMetadata(one.offset, one.note, -1)
        for partition, one in positions.items()
    }
