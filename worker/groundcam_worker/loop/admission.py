"""Where frames wait until they are decoded: all together, or one by one after a worker died."""

import time
from collections.abc import Callable, Iterator

from groundcam_worker.frame_in_flight import Item
from groundcam_worker.loop.intake import Received
from groundcam_worker.policy.backlog import Backlog
from groundcam_worker.policy.picture_budget import PictureBudget
from groundcam_worker.quarantine.quarantine import Quarantine

SHED_EVERY_S = 0.05


class AdmissionQueue:
    """Says which frame is next, and which are not worth it any more."""

    def __init__(
        self,
        quarantine: Quarantine,
        is_mine: Callable[[Item], bool],
        is_stale: Callable[[Item], bool],
        *,
        calm_s: float,
    ) -> None:
        self._quarantine = quarantine
        self._is_mine = is_mine
        self._is_stale = is_stale
        self._backlog: Backlog[Item] = Backlog(is_stale, calm_s)
        self._shed_at = 0.0

    @property
    def bytes(self) -> int:
        """What waits takes so much memory."""
        return self._backlog.bytes + self._quarantine.bytes

    @property
    def deadline(self) -> float | None:
        """When somebody should look whether frames have become too old; None while none waits."""
        return self._shed_at + SHED_EVERY_S if self._backlog else None

    def push(self, received: Received) -> None:
        """Let a frame wait for its turn."""
        item = received.item
        if received.suspect:
            self._quarantine.push(item)
        else:
            line = item.record.partition, item.camera
            self._backlog.push(item, line=line, size=item.memory, now=time.monotonic())

    def forget_strangers(self) -> None:
        """Partitions have left."""
        self._backlog.drop(lambda item: not self._is_mine(item))

    def shed(self) -> Iterator[Item]:
        """Yield what will not be looked at."""
        now = time.monotonic()
        if now >= self._shed_at + SHED_EVERY_S:
            self._shed_at = now
            yield from self._backlog.shed(now)
        while (waiting := self._quarantine.peek()) and (self._is_stale(waiting) or not self._is_mine(waiting)):
            yield self._quarantine.skip()

    def next(self, pictures: PictureBudget, *, another: bool) -> Item | None:
        """Return a frame to begin with, if there is one and room for its picture.

        Its `attempts` are more than one if a process has ended while it was tried alone. `another` is False when only
        what is marked already may begin.
        """
        if self._quarantine.is_active:
            if another and not pictures:
                self._quarantine.begin()
            ready = self._quarantine.ready()
            if ready is None:
                return None
            item, deaths = ready
            item.attempts = deaths + 1
            return item
        waiting = self._backlog.peek()
        return self._backlog.pop() if another and waiting and pictures.fits(waiting.picture_bytes) else None

    def done(self, item: Item) -> None:
        """A frame is through."""
        self._quarantine.done(item)

    @property
    def is_busy(self) -> bool:
        """Whether a frame is marked as tried alone and is not through."""
        return self._quarantine.is_busy
