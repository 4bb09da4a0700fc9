"""Which looks come after which, and how much time lies between them, whatever a camera's clock does. Pure."""

from collections import OrderedDict
from dataclasses import dataclass, field

NS = 1_000_000_000
USUAL_S = 0.2
"""Between two looks, before that is known."""
MEMORY = 0.2
LONGEST_S = 3600.0
"""No look is further from the one before: beyond it nothing is told by the time anyway."""
LEAP = 20.0
"""A frame that follows its neighbour by so many times the usual, and LEAP_S, comes from a clock that was set."""
LEAP_S = 60.0
RUNS = 8
CONFIRMED = 5
"""Looks of another run in a row that were captured before the newest one: the clock of that one was wrong, or is."""


@dataclass(frozen=True, slots=True)
class Step:
    """From one look to the next."""

    passed_s: float
    looked_s: float
    """Of it, so long somebody looked: frames that nobody looked at stop this clock."""

    @property
    def blind_s(self) -> float:
        """Of it, so long nobody looked."""
        return self.passed_s - self.looked_s


@dataclass(slots=True)
class Order:
    """The newest look of one camera, and the time since its first one by a clock that only goes forward."""

    run_id: str = ""
    seq: int = -1
    captured_at_ns: int = 0
    at_s: float = 0.0
    measured_s: float = 0.0
    """Between two looks, as it was until now; 0 before two followed each other."""
    runs: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """The newest seq of runs before this one, the latest last."""
    refused_run: str = ""
    """The run of the looks since the newest one that were captured before it, though they are in order in their run."""
    refused_seq: int = -1
    refused: int = 0

    @property
    def usual_s(self) -> float:
        """Between two looks."""
        return self.measured_s or USUAL_S

    def take(self, run_id: str, seq: int, captured_at_ns: int) -> Step | None:
        """Take a look; None for one that comes late, or again."""
        if not self.run_id:
            self.run_id, self.seq, self.captured_at_ns = run_id, seq, captured_at_ns
            return Step(0.0, 0.0)
        passed_s = (captured_at_ns - self.captured_at_ns) / NS
        if run_id == self.run_id:
            if seq <= self.seq:
                return None
            follows = seq == self.seq + 1
        else:
            if seq <= self.runs.get(run_id, -1) or (passed_s <= 0 and not self._is_confirmed(run_id, seq)):
                return None
            follows = False
            self._remember_run()
        step = self._step(passed_s, follows=follows)
        self.run_id, self.seq, self.captured_at_ns = run_id, seq, captured_at_ns
        self.refused_run = ""
        self.at_s += step.passed_s
        return step

    def is_over(self, run_id: str, seq: int) -> bool:
        """Whether a frame lies before the newest look."""
        return seq <= (self.seq if run_id == self.run_id else self.runs.get(run_id, -1))

    def has_passed(self, run_id: str, captured_at_ns: int) -> bool:
        """Whether a time lies before the newest look; by the clock of a run that is not known nobody can tell."""
        return captured_at_ns <= self.captured_at_ns and (run_id == self.run_id or run_id in self.runs)

    def _is_confirmed(self, run_id: str, seq: int) -> bool:
        """Whether so many looks lie before the newest one that they are what comes now: a clock was set back.

        Fewer are late ones of a run that is over.
        """
        if run_id != self.refused_run:
            self.refused_run, self.refused_seq, self.refused = run_id, -1, 0
        if seq > self.refused_seq:
            self.refused_seq = seq
            self.refused += 1
        return self.refused >= CONFIRMED

    def _step(self, passed_s: float, *, follows: bool) -> Step:
        was_set = passed_s <= 0 or (follows and passed_s > max(LEAP_S, LEAP * self.usual_s))
        if was_set:
            return Step(self.usual_s, self.usual_s)
        passed_s = min(passed_s, LONGEST_S)
        if follows:
            self.measured_s += (MEMORY if self.measured_s else 1.0) * (passed_s - self.measured_s)
            return Step(passed_s, passed_s)
        return Step(passed_s, min(passed_s, self.usual_s))

    def _remember_run(self) -> None:
        self.runs[self.run_id] = self.seq
        self.runs.move_to_end(self.run_id)
        while len(self.runs) > RUNS:
            self.runs.popitem(last=False)
