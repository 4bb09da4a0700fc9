"""What may be committed, and when. Pure.

1. A record that is taken is opened in its partition's ledger (`Assignment.begin`); its `Claim` names the assignment
   epoch, so that nothing of an earlier epoch is ever finished in a later one.
2. A record is finished once Kafka has acknowledged what was published about it (`finish`).
3. The end of the unbroken prefix of finished offsets may be committed (`OffsetLedger`), and nothing beyond it.
4. Beside the offset goes the commit note (`CommitNote`): partition in use, and each camera's last frame before it.
5. When a partition is given up in order, the farewell replaces the note: nobody was interrupted here.
6. With transactions, answers and offsets become visible together (`plan`): an answer waits until every earlier record
   of its partition is answered, since whoever reads on from the committed offset would answer it again. Gaps and dead
   letters do not wait: they span frames, and may be repeated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.records import Partition, Position


class Publication(Protocol):
    """Something that is published, and the records that it answers."""

    @property
    def about(self) -> Sequence[Claim]:
        """The records that it concerns."""

    @property
    def claims(self) -> Sequence[Claim]:
        """Those of them that are answered once Kafka has it."""

    @property
    def is_answer(self) -> bool:
        """Whether readers must see it once only."""


P = TypeVar("P", bound=Publication)


@dataclass(frozen=True, slots=True)
class Plan(Generic[P]):
    """What goes into a transaction."""

    publications: list[P]
    not_ours: list[P]
    """Another member's to publish: dropped."""
    positions: Mapping[Partition, Position]


class Checkpoint:
    """Turns acknowledgements into positions."""

    def __init__(self, assignment: Assignment, *, by_transactions: bool) -> None:
        """`by_transactions`: positions travel with the answers, and `finish` gives none."""
        self._assignment = assignment
        self._by_transactions = by_transactions
        self._planned: dict[Partition, Position] = {}
        """Of transactions that are under way or were aborted."""

    def finish(self, claims: Iterable[Claim]) -> Mapping[Partition, Position]:
        """Kafka has everything about these records; return what may be committed now."""
        return {} if self._by_transactions else self._assignment.finish(claims)

    def plan(self, waiting: Sequence[P], owned: Mapping[Partition, int]) -> Plan[P]:
        """Choose from what waits for the next transaction. `owned` is the epoch of each partition that is ours."""
        ours = [one for one in waiting if self._is_ours(one, owned)]
        chosen = set(map(id, ours))
        not_ours = [one for one in waiting if id(one) not in chosen]
        # Not ours to publish, but not open either: the event of their revocation waits behind the room that they take.
        self._assignment.finish(claim for one in not_ours for claim in one.claims)
        self._planned |= self._assignment.finish(claim for one in ours for claim in one.claims)
        self._planned = {
            partition: position
            for partition, position in self._planned.items()
            if owned.get(partition) == position.epoch
        }
        return Plan([one for one in ours if _may_go(one)], not_ours, dict(self._planned))

    def committed(self) -> None:
        """The last plan's positions are on Kafka."""
        self._planned.clear()

    def _is_ours(self, publication: Publication, owned: Mapping[Partition, int]) -> bool:
        about = publication.about
        return not about or any(
            self._assignment.is_ours(claim) and owned.get(claim.partition) == claim.state.epoch for claim in about
        )


def _may_go(publication: Publication) -> bool:
    return not publication.is_answer or all(claim.offset < claim.state.ledger.end for claim in publication.claims)
