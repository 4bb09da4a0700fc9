"""Which frames of a source to keep, to get a wanted rate out of any other. Pure: times come in as arguments."""


class Sampler:
    """Keeps the first frame in each slot of 1/fps seconds; None keeps every frame.

    Time stamps may come unevenly, stand still, or jump: back (a camera restarted its clock, a file began again)
    starts anew, forward just leaves slots empty.
    """

    def __init__(self, fps: float | None) -> None:
        """Raises ValueError for a rate that is not positive."""
        if fps is not None and fps <= 0:
            raise ValueError(f"{fps} frames a second cannot be kept")
        self._fps = fps
        self._origin_s = 0.0
        self._last_s: float | None = None
        self._last_slot = -1

    def keep(self, time_s: float) -> bool:
        """Whether to keep the frame of this time."""
        if self._fps is None:
            return True
        if self._last_s is None or time_s < self._last_s:
            self._origin_s, self._last_slot = time_s, -1
        self._last_s = time_s
        # A stamp a hair before its slot belongs to it: 0.2 * 5 must be 1, not 0.9999.
        slot = int((time_s - self._origin_s) * self._fps + 1e-6)
        if slot <= self._last_slot:
            return False
        self._last_slot = slot
        return True
