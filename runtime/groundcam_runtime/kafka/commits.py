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

    def __init__(self, consumer: Any, take_over: Callable[[str], str], *, by_transactions: bool) -> None:
        """`take_over` gives, from the note found with a partition, the one to write when it becomes ours.

        `by_transactions`: a transaction that is under way knows better than we do what is committed.
        """
        self._consumer = consumer
        self._take_over = take_over
        self._by_transactions = by_transactions
        self._lock = threading.Lock()
        self._pending: dict[Partition, Position] = {}
        self._written: dict[Partition, Position] = {}

    def add(self, positions: Mapping[Partition, Position], *, written: bool = False) -> None:
        """Note what is to be committed, or what has been."""
        with self._lock:
            (self._written if written else self._pending).update(positions)

    def open(self, partitions: Collection[Partition]) -> dict[Partition, Position | None]:
        """Look up what was committed of new partitions, and say there that somebody works on them now."""
        found = {partition: self._committed(partition) for partition in sorted(partitions)}
        self._commit(
            {
                partition: Position(position.offset, self._take_over(position.note))
                for partition, position in found.items()
                if position is not None
            }
        )
        return found

    def write(self) -> None:
        """Commit what is new. Raises FencedInstanceIdError."""
        mine = {Partition(*partition) for partition in self._consumer.assignment()}
        with self._lock:
            taken, self._pending = self._pending, {}
        positions = {partition: position for partition, position in taken.items() if partition in mine}
        if not self._commit(positions):
            # In a rebalance, or without a broker: they are still true, and are written next time, unless their
            # partitions leave meanwhile; what has come since is newer.
            with self._lock:
                self._pending = {**positions, **self._pending}

    def say_farewell(self) -> None:
        """Commit for the last time: nothing is left half done."""
        self._commit(self._farewells({Partition(*partition) for partition in self._consumer.assignment()}))

    async def leave(self, partitions: Collection[Partition]) -> None:
        """On the client's own event loop: the last commit of partitions that are being given up."""
        positions = {} if self._by_transactions else self._farewells(partitions)
        if positions:
            try:
                await self._consumer.commit_async(_for_kafka(positions))
            except kafka.errors.KafkaError as error:
                log.info("offsets of leaving partitions were not committed (%s)", type(error).__name__)

    def forget(self, partitions: Collection[Partition]) -> None:
        """These are no longer ours."""
        with self._lock:
            for partition in partitions:
                self._pending.pop(partition, None)
                self._written.pop(partition, None)

    def _farewells(self, leaving: Collection[Partition]) -> dict[Partition, Position]:
        with self._lock:
            known = {**self._written, **self._pending}
        return {
            partition: Position(one.offset, one.farewell or one.note)
            for partition, one in known.items()
            if partition in leaving
        }

    def _committed(self, partition: Partition) -> Position | None:
        """Return what was committed of a partition, offset 0 if nothing was; None where nobody says so in time."""
        try:
            found = self._consumer.committed(kafka.TopicPartition(*partition), metadata=True, timeout_ms=TIMEOUT_MS)
        except kafka.errors.KafkaError as error:
            chatter.warning("what was committed of %s[%d] is not known (%s)", *partition, type(error).__name__)
            return None
        return Position(found.offset, found.metadata or "") if found is not None else Position(0)

    def _commit(self, positions: Mapping[Partition, Position]) -> bool:
        if not positions:
            return True
        try:
            self._consumer.commit(_for_kafka(positions), timeout_ms=TIMEOUT_MS)
        except kafka.errors.FencedInstanceIdError:
            raise
        except kafka.errors.KafkaError as error:
            chatter.info("offsets were not committed (%s)", type(error).__name__)
            return False
        self.add(positions, written=True)
        return True


def _for_kafka(positions: Mapping[Partition, Position]) -> dict[Any, Any]:
    return {
        kafka.TopicPartition(*partition): kafka.OffsetAndMetadata(one.offset, one.note, -1)
        for partition, one in positions.items()
    }
