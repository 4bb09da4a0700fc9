"""Which answers and which offsets go into one transaction."""

from collections.abc import Iterable, Mapping, Sequence

from groundcam_runtime.kafka.publisher import Delivery
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.transactions import TransactionPlan
from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.records import Partition, Position
from groundcam_worker.frame_in_flight import Item
from groundcam_worker.loop.outbox import Outbox


class TransactionPlanner:
    """Keeps the rule that an offset and the answers before it become visible together, or not at all.

    An answer waits until every earlier frame of its partition is answered: whoever reads on from the committed offset
    would answer it again.
    """

    def __init__(self, source: GroupSource, assignment: Assignment) -> None:
        self._source = source
        self._assignment = assignment
        self._positions: dict[Partition, Position] = {}
        """Of transactions that were aborted."""
        self.outbox: Outbox | None = None
        """Set once it is made: the two know each other."""

    def cut(self, deliveries: Sequence[Delivery]) -> TransactionPlan:
        """Choose from everything that waits."""
        # In this order: with a membership from before a partition left, the broker refuses the offsets.
        membership, owned = self._source.group_metadata, dict(self._source.owned)
        kept = [one for one in deliveries if self._is_ours(one, owned)]
        not_ours = [one for one in deliveries if not self._is_ours(one, owned)]
        # Not ours to say, but not open either: the news that they left waits behind the room that they take.
        self._assignment.finish(item.claim for item in self._answered(not_ours))
        self._positions |= self._assignment.finish(item.claim for item in self._answered(kept))
        self._positions = {
            partition: position
            for partition, position in self._positions.items()
            if owned.get(partition) == position.epoch
        }
        return TransactionPlan([one for one in kept if self._may_go(one)], dict(self._positions), membership, not_ours)

    def committed(self, positions: Mapping[Partition, Position]) -> None:
        """Kafka has them, and everything that was cut with them."""
        self._positions.clear()
        self._source.commit(positions, written=True)

    def _answered(self, deliveries: Iterable[Delivery]) -> list[Item]:
        if self.outbox is None:
            return []
        return [item for delivery in deliveries for item in self.outbox.answered_by(delivery.tag)]

    def _may_go(self, delivery: Delivery) -> bool:
        """Gaps and dead letters do: they span frames, and may be said twice."""
        if self.outbox is None or not self.outbox.is_answer(delivery.tag):
            return True
        return all(item.record.offset < item.claim.state.ledger.end for item in delivery.tag.items)

    def _is_ours(self, delivery: Delivery, owned: Mapping[Partition, int]) -> bool:
        items: Sequence[Item] = delivery.tag.items
        return not items or any(
            self._assignment.is_ours(item.claim) and owned.get(item.record.partition) == item.claim.state.epoch
            for item in items
        )
