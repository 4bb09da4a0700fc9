"""Transactions of a tracker: each is a whole checkpoint, its events, its states, what is open, and the offsets."""

from collections.abc import Mapping, Sequence

from groundcam_events.checkpoint import Checkpoints
from groundcam_events.telling import Sent
from groundcam_runtime.kafka.publisher import Delivery
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.transactions import TransactionPlan
from groundcam_runtime.records import Partition, Position


class CheckpointPlanner:
    """Called by the publisher, on the driver's thread."""

    def __init__(self, topic: str, source: GroupSource, checkpoints: Checkpoints) -> None:
        """`topic` is that of the detections."""
        self._topic, self._source, self._checkpoints = topic, source, checkpoints

    def plan(self, deliveries: Sequence[Delivery]) -> TransactionPlan:
        """Choose from everything that waits: all of the checkpoint that is under way, or nothing.

        What comes after it waits for the next: its answers lie behind the offsets that are committed now.
        """
        # In this order: with a membership from before a partition left, the broker refuses the offsets.
        membership, owned = self._source.group_metadata, dict(self._source.owned)

        def is_ours(sent: Sent) -> bool:
            return owned.get(Partition(self._topic, sent.partition)) == sent.epoch

        not_ours = [one for one in deliveries if not is_ours(one.tag)]
        frozen = self._checkpoints.frozen
        if frozen is None or not frozen.states_sent:
            return TransactionPlan([], {}, membership, not_ours)
        chosen = [one for one in deliveries if is_ours(one.tag) and one.tag.generation <= frozen.generation]
        positions = {place: at for place, at in frozen.positions.items() if owned.get(place) == at.epoch}
        return TransactionPlan(chosen, positions if chosen else {}, membership, not_ours)

    def committed(self, positions: Mapping[Partition, Position]) -> None:
        """Kafka has them, and everything that was sent with them."""
        self._source.commit(positions, written=True)
