"""Is a frame too old to be worth an answer? Pure: the caller owns the clock.

A frame's delay (now minus its capture time) compares two clocks, so a producer whose clock is wrong by minutes
would look old, or young, for ever. Its *age* is therefore the delay beyond the smallest one seen lately in that
run. Only frames at the end of their partition teach that: those of a backlog were delayed by waiting. Until the
first of them has come, the clocks are believed: skipping is fast, and leads to the end.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

REMEMBERED_RUNS = 4096
NS = 1_000_000_000
WINDOW_NS = 60 * NS
"""The smallest delay is that of the last one to two windows, so that a clock that was set right is believed."""

FORGET = 0.99


@dataclass(slots=True)
class _Smallest:
    window: int
    now_ns: int
    before_ns: int

    @property
    def ns(self) -> int:
        return min(self.now_ns, self.before_ns)


class Freshness:
    """Knows the smallest delay of each camera's run, and how long a frame takes from here to its answer."""

    def __init__(self, max_age_s: float, by_camera: Mapping[str, float] | None = None) -> None:
        """`max_age_s` is the largest age of a frame when it is answered; 0 looks at every frame.

        `by_camera` overrides it for some cameras.
        """
        self._max_age_s = max_age_s
        self._by_camera = dict(by_camera or {})
        self._smallest: OrderedDict[tuple[str, str], _Smallest] = OrderedDict()
        self.lead_s = 0.0
        """About how long a frame that is taken up now will need until it is answered."""

    def arrived(self, camera_id: str, run_id: str, captured_at_ns: int, *, consumed_at_ns: int) -> float:
        """Note how long a frame at the end of its partition took to come here; return the smallest such delay, in s.

        It is the way's, and the difference of the two clocks.
        """
        run, window = (camera_id, run_id), consumed_at_ns // WINDOW_NS
        delay_ns = consumed_at_ns - captured_at_ns
        known = self._smallest.get(run)
        if known is None or window > known.window + 1:
            known = _Smallest(window, delay_ns, delay_ns)
        elif window > known.window:
            known = _Smallest(window, delay_ns, known.now_ns)
        else:
            known.now_ns = min(known.now_ns, delay_ns)
        self._smallest[run] = known
        self._smallest.move_to_end(run)
        if len(self._smallest) > REMEMBERED_RUNS:
            self._smallest.popitem(last=False)
        return known.ns / NS

    def took(self, seconds: float) -> None:
        """Note how long a frame needed from here to its answer: the longest counts, and is forgotten slowly."""
        self.lead_s = max(seconds, self.lead_s * FORGET)

    def age_s(self, camera_id: str, run_id: str, captured_at_ns: int, *, now_ns: int) -> float:
        """Return a frame's age."""
        known = self._smallest.get((camera_id, run_id))
        return max(0, now_ns - captured_at_ns - (known.ns if known else 0)) / NS

    def is_stale(self, camera_id: str, run_id: str, captured_at_ns: int, *, now_ns: int) -> bool:
        """Whether a frame that is taken up now would be too old when it is answered.

        A detector that needs longer than half of the largest age gets frames all the same, the newest ones.
        """
        limit_s = self._by_camera.get(camera_id, self._max_age_s)
        if limit_s <= 0:
            return False
        lead_s = min(self.lead_s, limit_s / 2)
        return self.age_s(camera_id, run_id, captured_at_ns, now_ns=now_ns) > limit_s - lead_s
