"""Frames that wait to be admitted: fair over cameras, or one by one in quarantine after a worker died. Pure."""

from collections.abc import Callable

from groundcam_runtime.partitions.partition import Claim
from groundcam_worker.frames import Received
from groundcam_worker.policy.backlog import Backlog
from groundcam_worker.policy.limits import SHED_EVERY_S
from groundcam_worker.policy.picture_budget import PictureBudget
from groundcam_worker.quarantine.quarantine import Quarantine


class AdmissionQueue:
    """The admission queue: which frame is admitted next, and which are shed because they are stale."""

    def __init__(
        self, is_ours: Callable[[Received], bool], is_stale: Callable[[Received], bool], *, calm_s: float
    ) -> None:
        """Both predicates are of this moment; a camera that has kept up for `calm_s` has caught up."""
        self._is_ours = is_ours
        self._is_stale = is_stale
        self._backlog: Backlog[Received] = Backlog(is_stale, calm_s)
        self.quarantine = Quarantine()
        self._shed_at = 0.0

    @property
    def bytes(self) -> int:
        """Memory of the queued frames."""
        return self._backlog.bytes + self.quarantine.bytes

    @property
    def deadline(self) -> float | None:
        """When to check next for stale frames (monotonic, s); None while no frame is queued."""
        return self._shed_at + SHED_EVERY_S if self._backlog else None

    @property
    def claims(self) -> list[Claim]:
        """The records that wait here, the one that is being marked included."""
        current = [self.quarantine.current] if self.quarantine.current else []
        return [frame.claim for frame in (*self._backlog.items, *self.quarantine.waiting, *current)]

    def push(self, frame: Received, now_s: float) -> None:
        """Let a frame wait for its turn: in quarantine where it may have been in flight when a worker died."""
        if frame.claim.offset < (frame.claim.state.suspects_end or 0):
            self.quarantine.push(frame)
        else:
            self._backlog.push(frame, line=frame.lane, size=frame.memory, now=now_s)

    def drop_revoked(self) -> None:
        """Drop the frames of partitions that were revoked."""
        self._backlog.drop(lambda frame: not self._is_ours(frame))

    def shed(self, now_s: float) -> list[Received]:
        """Take out the frames that are skipped, or whose partition was revoked."""
        shed = []
        if now_s >= self._shed_at + SHED_EVERY_S:
            self._shed_at = now_s
            shed = self._backlog.shed(now_s)
        return shed + self.quarantine.drop(lambda frame: self._is_stale(frame) or not self._is_ours(frame))

    def mark(self, pictures: PictureBudget[Claim], now_s: float) -> tuple[Received, bool] | None:
        """Return the next quarantined frame once nothing else is in work; and whether to read marks before."""
        return None if pictures else self.quarantine.begin(now_s)

    def pop(self, pictures: PictureBudget[Claim]) -> Received | None:
        """Return the next frame for whose picture there is room; none while frames are in quarantine."""
        if self.quarantine.is_active:
            return None
        waiting = self._backlog.peek()
        return self._backlog.pop() if waiting and pictures.fits(waiting.picture_bytes) else None
