"""Which runs of the network are worth recording, and which recording leaves when there are too many. Pure.

A recording costs a second or so, in which every camera waits, and memory for as long as it is kept: so what comes up
while frames are answered is recorded at its second sight, within a share of the time, and nothing that is used more
makes room for it.
"""

from collections import Counter
from collections.abc import Collection, Hashable

SHARE = 0.02
"""Of the time, for recording while frames wait."""
BURST_S = 5.0
"""So much of it may be spent at once."""
RETRY_S = 600.0
"""After a failure, or a lack of memory."""
FAILURES = 3
"""Faults one behind the other after which nothing is recorded any more."""
SIGHTS = 2
AGED_AFTER = 4096
"""Uses, after which all counts are halved: what was used much last week makes room."""
REMEMBERED = 1024


class RecordingPolicy:
    """Counts uses of runs by their sizes. Time is passed in, in seconds."""

    def __init__(self, most: int, now: float) -> None:
        """`most` recordings are kept."""
        self._most = most
        self._uses: Counter[Hashable] = Counter()
        self._since_aged = 0
        self._budget_s, self._at = BURST_S, now
        self._not_before: dict[Hashable, float] = {}
        self._none_before = now
        self._faults = 0

    @property
    def is_off(self) -> bool:
        """Whether recording failed so often that it is left alone."""
        return self._faults >= FAILURES

    def used(self, key: Hashable) -> None:
        """A run of this size was needed."""
        self._uses[key] += 1
        self._since_aged += 1
        if self._since_aged >= AGED_AFTER or len(self._uses) > REMEMBERED:
            self._since_aged = 0
            self._uses = Counter({one: count // 2 for one, count in self._uses.items() if count > 1})

    def wants(self, key: Hashable, kept: Collection[Hashable], now: float) -> bool:
        """Whether to record a run of this size now, with these kept; `victim` tells which of them leaves for it."""
        self._budget_s = min(BURST_S, self._budget_s + SHARE * (now - self._at))
        self._at = now
        if self.is_off or self._budget_s <= 0 or now < max(self._none_before, self._not_before.get(key, now)):
            return False
        if self._uses[key] < SIGHTS:
            return False
        # Twice as much as what leaves: else two that are used alike would be recorded in turns.
        return len(kept) < self._most or self._uses[key] > 2 * self._uses[self.victim(kept)]

    def victim(self, kept: Collection[Hashable]) -> Hashable:
        """Return the least used of what is kept."""
        return min(kept, key=self._uses.__getitem__)

    def spent(self, seconds: float) -> None:
        """Frames waited so long for a recording."""
        self._budget_s -= seconds

    def succeeded(self) -> None:
        """A recording was made."""
        self._faults = 0

    def failed(self, key: Hashable, now: float) -> None:
        """The network could not be recorded at this size."""
        self._faults += 1
        self._not_before[key] = now + RETRY_S

    def had_no_room(self, key: Hashable, now: float) -> None:
        """There was too little memory to record this size."""
        self._not_before[key] = now + RETRY_S

    def is_released(self, now: float) -> bool:
        """Whether recordings were given up, and it is too early for new ones."""
        return now < self._none_before

    def released(self, now: float) -> None:
        """All recordings were given up for their memory."""
        self._none_before = now + RETRY_S
