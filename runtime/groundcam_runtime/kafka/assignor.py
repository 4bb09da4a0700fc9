"""Share out each topic's partitions evenly by themselves, cooperatively.

kafka-python's cooperative assignor evens out all topics together: of four workers two may get three of the live
frames' partitions and two get one, made up for by recordings, on which nothing may lie. Here it runs once for each
topic. It keeps its name, since it sends and understands the same: whichever member leads decides.

A partition that moves is given to nobody at first: its owner gives it up, and asks for the rebalance that gives it to
its new one. An owner that dies in between, and comes back by its name (static membership), gets what the group
remembers, asks for nothing, and the partition is nobody's. So an assignment that is not the last says so in its user
data, which the group remembers too, and whoever has such a one for too long asks for the next.

A leader shares out the partitions that it knows of, in its first second none, and looks whether there are more for as
long as it lives. So every assignment says of how many it is: whoever knows of more asks for the next.
"""

import time
from types import SimpleNamespace
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

UNFINISHED = b"unfinished"
OF = b"of "
ASK_AGAIN_S = 5.0
"""Between two rebalances that are asked for since there are more partitions: the leader may have to hear of them."""


class EachTopicAssignor(CooperativeStickyAssignor):  # type: ignore[misc] # kafka-python has no types
    """Assigns one topic after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._unfinished_at: float | None = None
        self._of: int | None = None
        self._ask_at = 0.0

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
        mark = UNFINISHED if given < there else OF + str(there).encode()
        return {member_id: ConsumerProtocolAssignment(self.version, share, mark) for member_id, share in shares.items()}

    def on_assignment(self, assignment: Any, generation: int) -> None:
        """Take note of whether another assignment has to follow."""
        super().on_assignment(assignment, generation)
        mark = bytes(assignment.user_data or b"")
        self._unfinished_at = time.monotonic() if mark == UNFINISHED else None
        self._of = int(mark.removeprefix(OF)) if mark.startswith(OF) and mark[len(OF) :].isdigit() else None

    def is_overdue(self, within_s: float) -> bool:
        """Whether what has to follow has not followed within so many seconds; then it is waited for anew."""
        now, since = time.monotonic(), self._unfinished_at
        if since is None or now - since < within_s:
            return False
        self._unfinished_at = now
        return True

    def knew_less(self, partitions: int) -> bool:
        """Whether the assignment is of fewer partitions than there are; then another one is waited for."""
        now = time.monotonic()
        if self._of is None or self._of >= partitions or now < self._ask_at:
            return False
        self._ask_at = now + ASK_AGAIN_S
        return True


def _about(topic: str, member: Any) -> SimpleNamespace:
    """Return a member's subscription, as if there were one topic only."""
    said = member.metadata
    owned = [one for one in getattr(said, "owned_partitions", None) or () if one.topic == topic]
    metadata = SimpleNamespace(topics=[topic], owned_partitions=owned, generation_id=said.generation_id)
    return SimpleNamespace(member_id=member.member_id, metadata=metadata)
