"""Share out each topic's partitions evenly by themselves, cooperatively.

kafka-python's cooperative assignor evens out all topics together: of four workers two may get three of the live
frames' partitions and two get one, made up for by recordings, on which nothing may lie. Here it runs once for each
topic. It keeps its name, since it sends and understands the same: whichever member leads decides.

A partition that moves is given to nobody at first: its owner gives it up, and asks for the rebalance that gives it to
its new one. An owner that dies in between, and comes back by its name (static membership), gets what the group
remembers, asks for nothing, and the partition is nobody's. So an assignment that is not the last says so in its user
data, which the group remembers too, and whoever has such a one for too long asks for the next.
"""

import time
from types import SimpleNamespace
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

UNFINISHED = b"unfinished"


class EachTopicAssignor(CooperativeStickyAssignor):  # type: ignore[misc] # kafka-python has no types
    """Assigns one topic after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._unfinished_at: float | None = None

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        """Return each member's share: of each topic the same, give or take one partition, once all have moved."""
        members = list(members)
        shares: dict[str, list[Any]] = {member.member_id: [] for member in members}
        topics = sorted({topic for member in members for topic in member.metadata.topics})
        for topic in topics:
            interested = [_about(topic, member) for member in members if topic in member.metadata.topics]
            for member_id, share in super().assign(cluster, interested).items():
                shares[member_id] += share.assigned_partitions
        there = sum(len(cluster.partitions_for_topic(topic) or ()) for topic in topics)
        given = sum(len(partitions) for share in shares.values() for _, partitions in share)
        mark = UNFINISHED if given < there else b""
        return {member_id: ConsumerProtocolAssignment(self.version, share, mark) for member_id, share in shares.items()}

    def on_assignment(self, assignment: Any, generation: int) -> None:
        """Take note of whether another assignment has to follow."""
        super().on_assignment(assignment, generation)
        self._unfinished_at = time.monotonic() if bytes(assignment.user_data or b"") == UNFINISHED else None

    def is_overdue(self, within_s: float) -> bool:
        """Whether what has to follow has not followed within so many seconds; then it is waited for anew."""
        now, since = time.monotonic(), self._unfinished_at
        if since is None or now - since < within_s:
            return False
        self._unfinished_at = now
        return True


def _about(topic: str, member: Any) -> SimpleNamespace:
    """Return a member's subscription, as if there were one topic only."""
    said = member.metadata
    owned = [one for one in getattr(said, "owned_partitions", None) or () if one.topic == topic]
    metadata = SimpleNamespace(topics=[topic], owned_partitions=owned, generation_id=said.generation_id)
    return SimpleNamespace(member_id=member.member_id, metadata=metadata)
