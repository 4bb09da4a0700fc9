"""Is a frame too old to be worth an answer? Pure: the caller owns the clock.

A frame's delay (now minus its capture time) compares two clocks, so a producer whose clock is wrong by minutes
would look old, or young, for ever. Its *age* is therefore the delay beyond the smallest one seen lately in that
run. Only frames at the end of their partition teach that: those of a backlog were delayed by waiting. Until the
first of them has come, the clocks are believed: skipping is fast, and leads to the end.
"""

from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED_RUNS = 4096
NS = 1_000_000_000
WINDOW_NS = 60 * NS
"""The smallest delay is that of the last one to two windows, so that a clock that was set right is believed."""


@dataclass(slots=True)
class _Smallest:
    window: int
    now_ns: int
    before_ns: int

    @property
    def ns(self) -> int:
        return min(self.now_ns, self.before_ns)


class Freshness:
    """Knows the smallest delay of each camera's run."""

    def __init__(self, max_age_s: float) -> None:
        """`max_age_s` is the largest age of a frame that is still looked at; 0 looks at every frame."""
        self._max_age_s = max_age_s
        self._smallest: OrderedDict[tuple[str, str], _Smallest] = OrderedDict()

    def arrived(self, camera_id: str, run_id: str, captured_at_ns: int, *, consumed_at_ns: int) -> None:
        """Note how long a frame at the end of its partition took to come here."""
        run, window = (camera_id, run_id), consumed_at_ns // WINDOW_NS
        delay_ns = consumed_at_ns - captured_at_ns
        known = self._smallest.get(run)
        if known is None or window > known.window + 1:
            self._smallest[run] = _Smallest(window, delay_ns, delay_ns)
        elif window > known.window:
            self._smallest[run] = _Smallest(window, delay_ns, known.now_ns)
        else:
            known.now_ns = min(known.now_ns, delay_ns)
        self._smallest.move_to_end(run)
        if len(self._smallest) > REMEMBERED_RUNS:
            self._smallest.popitem(last=False)

    def age_s(self, camera_id: str, run_id: str, captured_at_ns: int, *, now_ns: int) -> float:
        """Return a frame's age."""
        known = self._smallest.get((camera_id, run_id))
        return max(0, now_ns - captured_at_ns - (known.ns if known else 0)) / NS

    def is_stale(self, camera_id: str, run_id: str, captured_at_ns: int, *, now_ns: int) -> bool:
        """Whether a frame is too old now."""
        return 0 < self._max_age_s < self.age_s(camera_id, run_id, captured_at_ns, now_ns=now_ns)
