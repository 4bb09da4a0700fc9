"""What is learned of clocks that are not ours: a camera's, and a broker's. Pure: time comes in as an argument.

Two clocks cannot be compared, but a difference between them can be watched. A frame was appended to Kafka some time
after it was captured, so *appended minus captured* is the path's delay plus the difference of the two clocks. The
path has a shortest delay; so the smallest such difference lately is taken for the clocks', and what a frame has beyond
it is time that it lost on its way.
"""

from dataclasses import dataclass, field

NS = 1_000_000_000
BUCKET_NS = 5 * NS // 2
"""What was smallest is believed for one to two of these: so long may a camera be blind after its clock was set."""
TOLERANCE_NS = NS
"""Clocks that differ by less are taken for the same; stamps that fall by less, for the same clock's."""


class Smallest:
    """The smallest value of the last two buckets. Buckets end only when a value comes, one at a time.

    So silence forgets nothing: what comes after it is compared with what came before it. A bucket whose values fall
    is a queue that empties, not a clock that was set: the smallest value from before it is kept.
    """

    __slots__ = ("_before", "_first", "_now", "_since_ns")

    def __init__(self, believed: int | None = None) -> None:
        """`believed` is what somebody else has learned."""
        self._before = believed
        self._first = self._now = 0
        self._since_ns: int | None = None

    @property
    def value(self) -> int | None:
        """None until there is one."""
        if self._since_ns is None:
            return self._before
        return self._now if self._before is None else min(self._before, self._now)

    def note(self, value: int, at_ns: int) -> None:
        """Note a value of this moment."""
        if self._since_ns is not None and 0 <= at_ns - self._since_ns < BUCKET_NS:
            self._now = min(self._now, value)
            return
        if self._since_ns is not None and self._first - self._now <= TOLERANCE_NS:
            self._before = self._now
        elif self._since_ns is not None and self._before is not None:
            self._before = min(self._before, self._now)
        self._first = self._now = value
        self._since_ns = at_ns


@dataclass(frozen=True, slots=True)
class Sight:
    """What one record says of its camera's clock; all in ns."""

    captured: int
    """By the camera's clock."""
    came: int
    """When it was taken, by ours."""
    waited: int
    """How long it lay on Kafka: exactly where it `is_exact`, else at least."""
    is_exact: bool
    """By our own observation."""
    appended: int | None
    """By the broker's clock, where Kafka says so."""

    @property
    def most(self) -> int:
        """The difference of the clocks is this at most, and this where the path was at its shortest and it is exact."""
        return self.came - self.captured - self.waited

    @property
    def to_kafka(self) -> int | None:
        """The same between the camera's clock and the broker's."""
        return None if self.appended is None else self.appended - self.captured


@dataclass(slots=True)
class RunClock:
    """The clock of one run of a camera, for as long as nobody sets it back."""

    known: Smallest = field(default_factory=Smallest)
    """Differences between it and ours."""
    most: Smallest = field(default_factory=Smallest)
    """Of frames that may have lain on Kafka for long: the difference is not larger."""
    to_broker: Smallest = field(default_factory=Smallest)
    """Differences between it and the broker's."""
    first_seq: int = 0
    seq: int = -1
    captured: int = 0
    """The latest time that it has shown and that is believed."""
    frames: int = 0
    _ahead: Sight | None = None
    """The newest frame, if it is ahead of all before: believed when a later one is not behind it."""

    def came(self, seq: int, sight: Sight) -> bool:
        """Learn from a frame; return whether the difference to our clock was learned."""
        if seq <= self.seq and not (sight.is_exact and sight.captured > self.captured):
            return False  # it has come before, or was replayed
        if self._ahead is not None:
            if sight.captured >= self._ahead.captured - TOLERANCE_NS:
                self._learn(self._ahead)
            self._ahead = None
        if self.frames and sight.captured < self.captured - TOLERANCE_NS:
            # Its frames are numbered in order, so the clock was set back, and what was learned is of another one.
            self.known, self.most, self.to_broker = Smallest(), Smallest(), Smallest()
            self.first_seq, self.frames = seq, 0
        self.first_seq, self.seq = min(self.first_seq, seq), seq
        if self._is_ahead(sight):
            self._ahead = sight
            return False
        self._learn(sight)
        return sight.is_exact

    def difference(self, sight: Sight, guesses: tuple[int, ...]) -> int:
        """Return how much later our clock is than the camera's, on its shortest path, as far as a frame can tell.

        `guesses` are tried where nothing is known, or where what is known would let the frame come from the future:
        the one that makes it look youngest counts.
        """
        most = sight.most if self.most.value is None else min(sight.most, self.most.value)
        known = self.known.value
        if sight.is_exact:
            return sight.most if known is None else min(sight.most, known)
        for group in ((known,), guesses):
            possible = [guess for guess in group if guess is not None and guess <= most + TOLERANCE_NS]
            if possible:
                return min(most, max(possible))
        return most

    def _is_ahead(self, sight: Sight) -> bool:
        pairs = [(sight.most, self.most.value), (sight.to_kafka, self.to_broker.value)]
        if sight.is_exact:
            pairs.append((sight.most, self.known.value))
        return any(
            now is not None and smallest is not None and now < smallest - TOLERANCE_NS for now, smallest in pairs
        )

    def _learn(self, sight: Sight) -> None:
        self.frames += 1
        self.captured = sight.captured if self.frames == 1 else max(self.captured, sight.captured)
        self.most.note(sight.most, sight.came)
        if sight.is_exact:
            self.known.note(sight.most, sight.came)
        if sight.appended is not None and sight.to_kafka is not None:
            self.to_broker.note(sight.to_kafka, sight.appended)
