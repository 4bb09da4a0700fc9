"""Transactions of answers and offsets: the publisher requests a plan, the state machine makes it."""

import time
from collections.abc import Mapping, Sequence

from groundcam_runtime.kafka.publisher import Delivery
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.transactions import TransactionPlan
from groundcam_runtime.records import Partition, Position
from groundcam_worker.frames import Instant
from groundcam_worker.loop.events import Event, TransactionCommitted, TransactionDue
from groundcam_worker.loop.instructions import Commit, Instruction, Transact
from groundcam_worker.loop.state import LoopState


class TransactionPlanner:
    """Called by the publisher, on the loop's thread."""

    def __init__(self, source: GroupSource, state: LoopState) -> None:
        self._source = source
        self._state = state

    def plan(self, deliveries: Sequence[Delivery]) -> TransactionPlan:
        """Choose from everything that waits."""
        # In this order: with a membership from before a partition left, the broker refuses the offsets.
        membership, owned = self._source.group_metadata, dict(self._source.owned)
        by_publication = {delivery.tag: delivery for delivery in deliveries}
        plan = TransactionPlan([], {}, membership)
        for instruction in self._handle(TransactionDue(list(by_publication), owned)):
            if isinstance(instruction, Transact):
                plan = TransactionPlan(
                    [by_publication[one] for one in instruction.publications],
                    instruction.positions,
                    membership,
                    [by_publication[one] for one in instruction.not_ours],
                )
        return plan

    def committed(self, positions: Mapping[Partition, Position]) -> None:
        """Kafka has them, and everything that was sent with them."""
        for instruction in self._handle(TransactionCommitted(positions)):
            if isinstance(instruction, Commit):
                self._source.commit(instruction.positions, written=instruction.written)

    def _handle(self, event: Event) -> list[Instruction]:
        return self._state.handle(event, Instant(time.monotonic(), time.time_ns()))
