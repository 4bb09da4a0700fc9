"""Asking for a rebalance that is needed, and that neither the client nor the group begins."""

import logging
from typing import Any

from groundcam_runtime.kafka.assignor import EachTopicAssignor

log = logging.getLogger(__name__)

FOLLOW_UP_S = 2.0
"""So long after the time to hand partitions over, those that were given up should have a new owner."""


def rejoin_where_needed(coordinator: Any, assignor: EachTopicAssignor, hand_over_s: float) -> None:
    """Look once, after a poll, on the thread that polls; `coordinator` is the client's."""
    if coordinator.rejoining and not coordinator.need_rejoin():
        # A leader whose topics changed joins again; once it has assigned, the client believes that there is
        # nothing to do, and a poll that ended meanwhile is the last to look: no heartbeats, no frames, for ever.
        coordinator.request_rejoin()
    elif not coordinator.need_rejoin() and assignor.knew_less(_known(coordinator)):
        # A leader sees to that itself, unless it died, and came back by its name as a member like any other.
        log.info("the group shares out fewer partitions than there are: another rebalance")
        coordinator.request_rejoin()
    elif assignor.is_overdue(hand_over_s + FOLLOW_UP_S):
        log.warning("partitions of the group have no owner: whoever gave them up did not join again; another rebalance")
        coordinator.request_rejoin()


def _known(coordinator: Any) -> int:
    """Return how many partitions the topics have of which the client heard, those of other members for a leader."""
    return sum(map(len, coordinator._metadata_snapshot.values()))  # noqa: SLF001 - there is no public way
