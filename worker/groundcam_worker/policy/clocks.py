"""What is learned of clocks that are not ours: a camera's, and a broker's. Pure: time comes in as an argument.

Two clocks cannot be compared, but a difference between them can be watched. A frame was appended to Kafka some time
after it was captured, so *appended minus captured* is the path's delay plus the difference of the two clocks. The
path has a shortest delay; so the smallest such difference lately is taken for the clocks', and what a frame has beyond
it is the delay that it met on its way.
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
        if self._since_ns is not None:
            falls = self._first - min(self._now, value) > TOLERANCE_NS
            self._before = self._now if not falls or self._before is None else min(self._before, self._now)
        self._first = self._now = value
        self._since_ns = at_ns


@dataclass(frozen=True, slots=True)
class Sight:
    """One record's evidence about its camera's clock; all in ns."""

    captured: int
    """By the camera's clock."""
    came: int
    """When it was taken, by ours."""
    waited: int
    """How long it lay on Kafka: exactly where it `is_exact`, else at least."""
    is_exact: bool
    """By our own observation."""
    appended: int | None
    """By the broker's clock, where the topic uses LogAppendTime."""

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
    """The clock of one run of a camera.

    A stamp that does not go on from those before it changes nothing until the next one goes on from it: it may be the
    first after the clock was set, or a single absurd one.
    """

    known: Smallest = field(default_factory=Smallest)
    """Differences between it and ours."""
    frames: int = 0
    """So many have shown it since it was last set back."""
    _most: Smallest = field(default_factory=Smallest)
    """Also of frames that may have lain on Kafka for long: the difference is not larger."""
    _to_broker: Smallest = field(default_factory=Smallest)
    """Differences between it and the broker's."""
    _seq: int = -1
    _captured: int = 0
    """The latest time that it has shown and that is believed."""
    _odd: Sight | None = None
    """The newest frame's, if it does not go on from those before."""

    def came(self, seq: int, sight: Sight) -> bool:
        """Learn from a frame; return whether the difference to our clock was learned."""
        if seq <= self._seq and not (sight.is_exact and sight.captured > self._captured):
            return False  # it has come before, or was replayed
        odd, self._odd, self._seq = self._odd, None, seq
        if odd is not None and sight.captured >= odd.captured - TOLERANCE_NS:
            if odd.captured > self._captured:
                self._learn(odd)
            elif self._is_behind(sight) or abs(sight.most - odd.most) <= TOLERANCE_NS:
                # Frames are numbered in order, so the clock was set back, and what was learned is of another one.
                self.known, self._most, self._to_broker, self.frames = Smallest(), Smallest(), Smallest(), 0
                self._learn(odd)
        if self._is_behind(sight) or self._is_ahead(sight):
            self._odd = sight
            return False
        self._learn(sight)
        return sight.is_exact

    def age(self, seq: int, sight: Sight, guesses: tuple[int, ...]) -> int:
        """Return how old a frame was when it came, in ns, as far as is known.

        `guesses` are differences to our clock, for where none is known, or where a frame would come from the future by
        the known one: the one that makes it look youngest counts.
        """
        if sight.is_exact:
            is_odd = self._odd is not None and seq == self._seq
            known = None if is_odd else self.known.value
            difference = sight.most if known is None else min(sight.most, known)
        elif sight.to_kafka is not None and (smallest := self._to_broker.value) is not None:
            return sight.waited + max(0, sight.to_kafka - smallest)
        else:
            difference = self._guess(sight, guesses)
        return sight.came - sight.captured - difference

    def _guess(self, sight: Sight, guesses: tuple[int, ...]) -> int:
        # No frame was captured after it came, so each is an upper bound of the difference.
        most = sight.most if self._most.value is None else min(sight.most, self._most.value)
        for group in ((self.known.value,), guesses):
            possible = [guess for guess in group if guess is not None and guess <= most + TOLERANCE_NS]
            if possible:
                return min(most, max(possible))
        return most

    def _is_behind(self, sight: Sight) -> bool:
        return self.frames > 0 and sight.captured < self._captured - TOLERANCE_NS

    def _is_ahead(self, sight: Sight) -> bool:
        pairs = [(sight.most, self._most.value), (sight.to_kafka, self._to_broker.value)]
        if sight.is_exact:
            pairs.append((sight.most, self.known.value))
        return any(
            now is not None and smallest is not None and now < smallest - TOLERANCE_NS for now, smallest in pairs
        )

    def _learn(self, sight: Sight) -> None:
        self.frames += 1
        self._captured = sight.captured if self.frames == 1 else max(self._captured, sight.captured)
        self._most.note(sight.most, sight.came)
        if sight.is_exact:
            self.known.note(sight.most, sight.came)
        if sight.appended is not None and sight.to_kafka is not None:
            self._to_broker.note(sight.to_kafka, sight.appended)
