"""Which events wait for which webhooks, and which offsets may be committed. Pure.

An offset is committable once every webhook that wants its event has it, or the undelivered topic has it for that one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from groundcam_runtime.partitions.offsets import OffsetLedger
from groundcam_runtime.records import Partition, Position


@dataclass(frozen=True, slots=True)
class Claim:
    """A record that was taken, and the assignment epoch in which it was."""

    partition: Partition
    offset: int
    epoch: int


@dataclass(slots=True)
class _Page:
    epoch: int
    ledger: OffsetLedger = field(default_factory=OffsetLedger)
    waiting: dict[int, set[str]] = field(default_factory=dict)
    """Of each offset that is open, the webhooks that it waits for."""


class Book:
    """Keeps account of the partitions that are ours."""

    def __init__(self) -> None:
        self._pages: dict[Partition, _Page] = {}

    @property
    def partitions(self) -> int:
        """How many are ours."""
        return len(self._pages)

    @property
    def unsettled(self) -> int:
        """How many events are taken and not committable: those that wait, and those that are done behind one."""
        return sum(len(page.waiting) + len(page.ledger.ahead) for page in self._pages.values())

    def assigned(self, partitions: Iterable[Partition], epoch: int) -> None:
        """Partitions are ours from now on."""
        self._pages |= {partition: _Page(epoch) for partition in partitions}

    def gone(self, partitions: Collection[Partition]) -> None:
        """Partitions are another's: what was taken of them is his to deliver again."""
        for partition in partitions:
            self._pages.pop(partition, None)

    def claim(self, partition: Partition, offset: int) -> Claim | None:
        """Return the claim on a record; None where its partition is not ours."""
        page = self._pages.get(partition)
        return Claim(partition, offset, page.epoch) if page else None

    def holds(self, claim: Claim) -> bool:
        """Whether a claim is still ours."""
        page = self._pages.get(claim.partition)
        return page is not None and page.epoch == claim.epoch

    def begin(self, claim: Claim, hooks: Collection[str]) -> Position | None:
        """Note who is to get an event; return what may be committed where that is nobody.

        Raises ValueError where its offset is not above those before.
        """
        page = self._pages[claim.partition]
        page.ledger.begin(claim.offset)
        if not hooks:
            return self._finish(page, claim)
        page.waiting[claim.offset] = set(hooks)
        return None

    def settle(self, claim: Claim, hook: str) -> Position | None:
        """Note that a webhook has an event, or will not get it; return what may be committed where that is more now."""
        page = self._pages.get(claim.partition)
        if page is None or page.epoch != claim.epoch or claim.offset not in page.waiting:
            return None  # of a partition that went, or settled before
        waiting = page.waiting[claim.offset]
        waiting.discard(hook)
        if waiting:
            return None
        del page.waiting[claim.offset]
        return self._finish(page, claim)

    @staticmethod
    def _finish(page: _Page, claim: Claim) -> Position | None:
        end = page.ledger.finish(claim.offset)
        return None if end is None else Position(end, epoch=page.epoch)
