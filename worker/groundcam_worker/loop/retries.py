"""Frames for which there was too little memory, and what follows when that goes on. Pure."""

from groundcam_runtime.partitions.partition import Claim
from groundcam_worker.errors import DetectorLostError, OutOfMemoryError, UnansweredError
from groundcam_worker.frames import Admitted
from groundcam_worker.policy.shortage import PATIENCE_S, Shortage, Verdict


class Retries:
    """Frames that wait for their next attempt."""

    def __init__(self) -> None:
        self._shortage: Shortage[Admitted] = Shortage()

    def __len__(self) -> int:
        return len(self._shortage.waiting)

    @property
    def claims(self) -> list[Claim]:
        """The records that wait here."""
        return [admitted.frame.claim for admitted in self._shortage.waiting]

    @property
    def deadline(self) -> float | None:
        """When the next attempt is due (monotonic, s)."""
        return self._shortage.deadline

    def succeeded(self, now_s: float) -> None:
        """A batch was answered."""
        self._shortage.succeeded(now_s)

    def postpone(
        self, admitted: Admitted, error: OutOfMemoryError, now_s: float
    ) -> UnansweredError | DetectorLostError | None:
        """Let a frame wait; return the error to end with where it has failed for too long."""
        verdict = self._shortage.failed(admitted, admitted.frame.claim, now_s)
        if verdict is Verdict.ITS_FAULT:
            return UnansweredError(f"for {PATIENCE_S:.0f} s, while others were answered: {error}")
        if verdict is Verdict.RETRY:
            return None
        if admitted.attempts > 1:
            # In quarantine no other frame is tried, and this one has ended a process before.
            self._shortage.remove(lambda one: one is admitted)
            return UnansweredError(f"for {PATIENCE_S:.0f} s, alone: {error}")
        return DetectorLostError(f"no picture was answered for {PATIENCE_S:.0f} s: {error}")

    def due(self, now_s: float) -> list[Admitted]:
        """Take out what can be tried again."""
        return self._shortage.due(now_s)

    def defer(self, admitted: Admitted, now_s: float) -> None:
        """There is no room yet for the picture of a frame that was due."""
        self._shortage.defer(admitted, now_s)

    def withdraw(self, claim: Claim) -> bool:
        """Take a frame out without another attempt; return whether it waited here."""
        if claim not in self.claims:
            return False
        self._shortage.remove(lambda admitted: admitted.frame.claim is claim)
        self._shortage.forget(claim)
        return True

    def forget(self, claim: Claim) -> None:
        """A frame is through."""
        self._shortage.forget(claim)
