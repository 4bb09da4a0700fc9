"""Play a file at its own speed. Pure: the caller owns the clock."""

LONGEST_WAIT_S = 5.0


class Pace:
    """Computes how long a picture is still to be delayed.

    A time stamp that goes back, or jumps ahead by more than LONGEST_WAIT_S, is where playing starts anew: nobody
    wants to look at nothing for an hour because a recording was cut.
    """

    def __init__(self) -> None:
        self._started: tuple[float, float] | None = None
        self._last_s = 0.0

    def wait_s(self, time_s: float, *, now: float) -> float:
        """Return the seconds to wait before the picture of this time is shown."""
        if self._started is None or time_s < self._last_s:
            self._started = time_s, now
        self._last_s = time_s
        first_s, began = self._started
        wait_s = began + time_s - first_s - now
        if wait_s > LONGEST_WAIT_S:
            self._started = time_s, now
            return 0.0
        return max(0.0, wait_s)
