"""Share out each topic's partitions evenly by themselves, cooperatively.

kafka-python's cooperative assignor evens out all topics together: of four workers two may get three of the live
frames' partitions and two get one, made up for by recordings, on which nothing may lie. Here it runs once for each
topic. It keeps its name, since it sends and understands the same: whichever member leads decides.
"""

from types import SimpleNamespace
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment


class EachTopicAssignor(CooperativeStickyAssignor):  # type: ignore[misc] # kafka-python has no types
    """Assigns one topic after the other."""

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        """Return each member's share: of each topic the same, give or take one partition, once all have moved."""
        members = list(members)
        shares: dict[str, list[Any]] = {member.member_id: [] for member in members}
        for topic in sorted({topic for member in members for topic in member.metadata.topics}):
            interested = [_about(topic, member) for member in members if topic in member.metadata.topics]
            for member_id, share in super().assign(cluster, interested).items():
                shares[member_id] += share.assigned_partitions
        return {member_id: ConsumerProtocolAssignment(self.version, share, b"") for member_id, share in shares.items()}


def _about(topic: str, member: Any) -> SimpleNamespace:
    """Return a member's subscription, as if there were one topic only."""
    said = member.metadata
    owned = [one for one in getattr(said, "owned_partitions", None) or () if one.topic == topic]
    metadata = SimpleNamespace(topics=[topic], owned_partitions=owned, generation_id=said.generation_id)
    return SimpleNamespace(member_id=member.member_id, metadata=metadata)
