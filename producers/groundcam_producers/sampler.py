"""Which frames of a source to keep, to get a wanted rate out of any other. Pure: times come in as arguments."""

from dataclasses import dataclass

HAIR = 1e-6
"""A stamp so close before its slot, in slots, belongs to it: 0.2 * 5 must be 1, not 0.9999."""


@dataclass(slots=True)
class _Run:
    """Time stamps that never went back."""

    origin_s: float
    last_s: float
    next_slot: int = 0


class Sampler:
    """Keeps the first frame in each slot of 1/fps seconds; None keeps every frame.

    Time stamps may come unevenly, repeat, or jump: back (a camera restarted its clock, a file began again)
    starts anew, forward just leaves slots empty.
    """

    def __init__(self, fps: float | None) -> None:
        """Raises ValueError for a rate that is not positive."""
        if fps is not None and fps <= 0:
            raise ValueError(f"{fps} frames a second cannot be kept")
        self._fps = fps
        self._run: _Run | None = None

    def keep(self, time_s: float) -> bool:
        """Whether to keep the frame of this time."""
        if self._fps is None:
            return True
        if self._run is None or time_s < self._run.last_s:
            self._run = _Run(time_s, time_s)
        run = self._run
        run.last_s = time_s
        slot = int((time_s - run.origin_s) * self._fps + HAIR)
        if slot < run.next_slot:
            return False
        run.next_slot = slot + 1
        return True
