"""Frames that wait to be admitted: fair over cameras, or one by one in quarantine after a worker died. Pure.

Requests wait beside them, and have turns of their own.
"""

import math
from collections.abc import Callable

from groundcam_runtime.partitions.partition import Claim
from groundcam_worker.frames import Decoded, Received
from groundcam_worker.loop.batches import Batch
from groundcam_worker.policy.backlog import Backlog
from groundcam_worker.policy.limits import SHED_EVERY_S, Limits
from groundcam_worker.policy.picture_budget import PictureBudget
from groundcam_worker.policy.turns import Turns
from groundcam_worker.quarantine.quarantine import Quarantine


class AdmissionQueue:
    """The admission queue: which frame is admitted next, and which are shed because they are stale."""

    def __init__(
        self,
        is_ours: Callable[[Claim], bool],
        is_stale: Callable[[Received], bool],
        limits: Limits,
        requests: str = "",
    ) -> None:
        """Both predicates are of this moment; `requests` is the topic of those."""
        self._is_ours = is_ours
        self._is_stale = is_stale
        self._limits = limits
        self._topic = requests
        self._backlog: Backlog[Received] = Backlog(is_stale, limits.calm_s)
        # A newer request is no reason to drop an older one.
        self._requests: Backlog[Received] = Backlog(is_stale, math.inf)
        self._turns = Turns(limits.request_share, limits.batch_size, limits.calm_s)
        self.quarantine = Quarantine()
        self._shed_at = 0.0

    @property
    def bytes(self) -> int:
        """Memory of the queued frames."""
        return self._backlog.bytes + self._requests.bytes + self.quarantine.bytes

    @property
    def deadline(self) -> float | None:
        """When to check next for stale frames (monotonic, s); None while no frame is queued."""
        return self._shed_at + SHED_EVERY_S if self._backlog or self._requests else None

    @property
    def claims(self) -> list[Claim]:
        """The records that wait here, the one that is being marked included."""
        current = [self.quarantine.current] if self.quarantine.current else []
        waiting = (*self._backlog.items, *self._requests.items, *self.quarantine.waiting, *current)
        return [frame.claim for frame in waiting]

    def push(self, frame: Received, now_s: float) -> bool:
        """Let a frame wait for its turn: in quarantine where it may have been in flight when a worker died.

        Returns False for a request where too many wait.
        """
        if frame.claim.offset < (frame.claim.state.suspects_end or 0):
            self.quarantine.push(frame)
        elif frame.reply_to is None:
            self._turns.camera_came(now_s)
            self._backlog.push(frame, line=frame.line, size=frame.memory, now=now_s)
        else:
            waiting, limits = self._requests, self._limits
            if len(waiting) >= limits.requests or (waiting and waiting.bytes + frame.memory > limits.request_bytes):
                return False
            waiting.push(frame, line=frame.line, size=frame.memory, now=now_s)
        return True

    def drop_revoked(self) -> None:
        """Drop the frames of partitions that were revoked."""
        for backlog in (self._backlog, self._requests):
            backlog.drop(lambda frame: not self._is_ours(frame.claim))

    def shed(self, now_s: float) -> list[Received]:
        """Take out the frames that are skipped, or whose partition was revoked."""
        shed = []
        if now_s >= self._shed_at + SHED_EVERY_S:
            self._shed_at = now_s
            shed = self._backlog.shed(now_s) + self._requests.shed(now_s)
        return shed + self.quarantine.drop(lambda frame: self._is_stale(frame) or not self._is_ours(frame.claim))

    def mark(self, pictures: PictureBudget[Claim], now_s: float) -> tuple[Received, bool] | None:
        """Return the next quarantined frame once nothing else is in work; and whether to read marks before."""
        return None if pictures else self.quarantine.begin(now_s)

    def pop(self, pictures: PictureBudget[Claim], now_s: float) -> Received | None:
        """Return the next frame for whose picture there is room; none while frames are in quarantine."""
        if self.quarantine.is_active:
            return None
        backlog = self._requests if self._requests and self._may_be_requests(pictures, now_s) else self._backlog
        waiting = backlog.peek()
        return backlog.pop() if waiting and pictures.fits(waiting.picture_bytes) else None

    def spent(self, batch: Batch, seconds: float) -> None:
        """Note the detector's time, of which each job of a batch had the same."""
        frames = [job.origin.admitted.frame for job in batch.jobs if isinstance(job.origin, Decoded)]
        requests, each_s = sum(frame.reply_to is not None for frame in frames), seconds / len(batch.jobs)
        self._turns.spent(
            cameras_s=each_s * (len(frames) - requests), requests_s=each_s * requests, cameras_wait=bool(self._backlog)
        )

    def _may_be_requests(self, pictures: PictureBudget[Claim], now_s: float) -> bool:
        in_work = sum(claim.partition.topic == self._topic for claim in pictures.owners)
        return self._turns.may_be_requests(in_work, now_s, cameras_wait=bool(self._backlog))
