"""How long to wait before the next try: exponential, with full jitter. Pure: chance comes in as an argument.

Full jitter spreads the tries of many cameras over the whole interval, so that they do not all dial at once when
a switch comes back (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from collections.abc import Callable


class Backoff:
    """Waits longer after each failure, up to a ceiling, until `succeeded`."""

    def __init__(self, first_s: float, longest_s: float, random: Callable[[], float]) -> None:
        """`random` returns a number in [0, 1)."""
        self._first_s = first_s
        self._longest_s = longest_s
        self._random = random
        self._failures = 0

    def failed(self) -> float:
        """Note a failure and return the seconds to wait."""
        ceiling_s = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return ceiling_s * self._random()

    def succeeded(self) -> None:
        """Begin anew."""
        self._failures = 0
