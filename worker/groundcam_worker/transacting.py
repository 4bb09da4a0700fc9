"""Which answers and which offsets go into one transaction."""

from collections.abc import Mapping, Sequence

from groundcam_runtime.kafka.publisher import Delivery
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.transactions import Cut
from groundcam_runtime.records import Partition, Position
from groundcam_worker.holdings import Holdings
from groundcam_worker.item import Item
from groundcam_worker.outbox import Outbox


class Transacting:
    """Keeps the rule that an offset and the answers before it become visible together, or not at all."""

    def __init__(self, source: GroupSource, holdings: Holdings) -> None:
        self._source = source
        self._holdings = holdings
        self._finished: set[Delivery] = set()
        self._positions: dict[Partition, tuple[int, Position]] = {}
        """Of transactions that were aborted: with the tenure in which they hold."""
        self.outbox: Outbox | None = None
        """Set once it is made: the two know each other."""

    def cut(self, deliveries: Sequence[Delivery]) -> Cut:
        """Take what is still ours."""
        # In this order: with a membership from before a partition left, the broker refuses the offsets.
        membership, owned = self._source.group_metadata, dict(self._source.owned)
        kept = [one for one in deliveries if self._is_ours(one, owned)]
        items: list[Item] = []
        for delivery in kept:
            if delivery not in self._finished and self.outbox is not None:
                self._finished.add(delivery)
                items += self.outbox.answered_by(delivery.tag)
        for partition, position in self._holdings.finish(items).items():
            self._positions[partition] = owned.get(partition, 0), position
        positions = {
            partition: position
            for partition, (tenure, position) in self._positions.items()
            if owned.get(partition) == tenure
        }
        return Cut(kept, positions, membership)

    def committed(self, positions: Mapping[Partition, Position]) -> None:
        """Kafka has them, and everything that was cut with them."""
        self._finished.clear()
        self._positions.clear()
        self._source.commit(positions, written=True)

    def _is_ours(self, delivery: Delivery, owned: Mapping[Partition, int]) -> bool:
        items: Sequence[Item] = delivery.tag.items
        return not items or any(
            self._holdings.is_mine(item) and owned.get(item.record.partition) == item.holding.tenure for item in items
        )
