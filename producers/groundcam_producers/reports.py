"""What a camera reports besides its frames: gaps and its state, merged while Kafka takes nothing. Pure."""

from collections.abc import Iterable, Iterator

from groundcam_runtime.gaps import Collected, GapCollector
from groundcam_schemas import CameraStatus, FrameId, Gap, GapReason

GAP_DELAY_S = 1.0
MOST_UNACKNOWLEDGED = 32
"""Reports on their way to Kafka: with more of them it is slow or away, and further ones are merged."""
MOST_RANGES = 1000
"""Of frames, and again of times, that wait meanwhile; beyond it neighbours are merged more coarsely."""


class Reports:
    """One camera's reports, in bounded memory however long Kafka is away. Frames are accounted for one by one.

    Of states the newest waits. Skipped frames that follow each other are one gap; beyond `most_ranges` also where their
    reasons differ, and then the earlier one's reason is given for both. Only frames that were published part two gaps,
    and those that wait for Kafka are bounded by their bytes. Beyond `most_ranges` times of absence the last one is
    extended.
    """

    def __init__(
        self,
        camera_id: str,
        run_id: str,
        *,
        most_unacknowledged: int = MOST_UNACKNOWLEDGED,
        most_ranges: int = MOST_RANGES,
    ) -> None:
        self._camera_id = camera_id
        self._run_id = run_id
        self._most_unacknowledged = most_unacknowledged
        self._most_ranges = most_ranges
        self._gaps = GapCollector(GAP_DELAY_S, most_ranges)
        self._away: list[tuple[int, int]] = []
        self._status: CameraStatus | None = None
        self.unacknowledged = 0
        """Reports that were taken and are not known to be on Kafka."""

    def skipped(self, seq: int, reason: GapReason, *, now: float) -> None:
        """Nobody will look at a frame that was numbered."""
        self._gaps.add(FrameId(self._camera_id, self._run_id, seq), reason, now=now)

    def away(self, from_ns: int, to_ns: int) -> None:
        """There were no frames for a time; its begin counts where the clock was set back meanwhile."""
        span = (from_ns, max(from_ns, to_ns))
        if len(self._away) < self._most_ranges:
            self._away.append(span)
        else:
            last = self._away[-1]
            self._away[-1] = min(last[0], span[0]), max(last[1], span[1])

    def state(self, status: CameraStatus) -> None:
        """The camera has a new state."""
        self._status = status

    def due(self, now: float) -> Iterator[Gap | CameraStatus]:
        """Take what should be sent now: nothing while too much is on its way."""
        if self.unacknowledged < self._most_unacknowledged:
            yield from self._take(self._gaps.due(now))

    def everything(self) -> Iterator[Gap | CameraStatus]:
        """Take all of it: there will be no later time."""
        yield from self._take(self._gaps.all())

    def acknowledged(self) -> None:
        """Kafka has one of those that were taken, or will never have it."""
        self.unacknowledged -= 1

    def _take(self, gaps: Iterable[Collected]) -> Iterator[Gap | CameraStatus]:
        away, self._away = self._away, []
        status, self._status = self._status, None
        found: list[Gap | CameraStatus] = [self._absence(*span) for span in away]
        found += [status] if status else []
        found += [collected.gap for collected in gaps]
        self.unacknowledged += len(found)
        yield from found

    def _absence(self, from_ns: int, to_ns: int) -> Gap:
        reason = GapReason.CAMERA_OFFLINE
        return Gap(camera_id=self._camera_id, run_id=self._run_id, reason=reason, from_ns=from_ns, to_ns=to_ns)
