"""Which frames of a source to keep, to get a wanted rate out of any other. Pure: times come in as arguments."""

HAIR = 1e-6
"""A stamp so close before a frame is due, in slots, is in time: 0.2 * 5 must be 1, not 0.9999."""
JITTER = 0.5
"""A stamp that is older than the one before it by so little, in slots, is no clock that went back."""
MOST_LATE = 2.0
"""Lateness that is made up for, in slots; after a longer pause there is nothing to catch up with."""


class Sampler:
    """Keeps a frame whenever one is due, every 1/fps seconds; None keeps every frame.

    A frame that comes late delays none after it, as in a leaky bucket (ITU-T I.371, A.1): so where a camera has just
    the wanted rate, jitter costs no frame, and in no time are there more than were asked for, but for the first.
    Time stamps may come unevenly, repeat, or jump: back (a camera restarted its clock, a file began again) starts
    anew, as does a long pause.
    """

    def __init__(self, fps: float | None) -> None:
        """Raises ValueError for a rate that is not positive."""
        self._slot_s = _slot_s(fps)
        self._due_s: float | None = None
        self._last_s = 0.0

    def retune(self, fps: float | None) -> None:
        """Go on at another rate: the next frame is due so much after the last one. Raises ValueError."""
        slot_s = _slot_s(fps)
        if self._due_s is not None and self._slot_s is not None and slot_s is not None:
            self._due_s += slot_s - self._slot_s
        else:
            self._due_s = None
        self._slot_s = slot_s

    def keep(self, time_s: float) -> bool:
        """Whether to keep the frame of this time."""
        slot_s = self._slot_s
        if slot_s is None:
            return True
        if self._due_s is None or time_s < self._last_s - JITTER * slot_s:
            self._due_s = time_s
        self._last_s = time_s
        late = (time_s - self._due_s) / slot_s
        if late < -HAIR:
            return False
        self._due_s = (self._due_s if late < MOST_LATE else time_s) + slot_s
        return True


def _slot_s(fps: float | None) -> float | None:
    if fps is not None and fps <= 0:
        raise ValueError(f"{fps} frames a second cannot be kept")
    return 1 / fps if fps is not None else None
