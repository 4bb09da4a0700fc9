"""What programs hold while they run: memory, threads and open files, sampled; and whether it grew."""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

MIB = 1 << 20
WARM_SHARE, PART_SHARE = 0.4, 0.2
"""Of all samples: those at the beginning that say nothing yet, and those that are compared, behind them and at the end.

After the first long faults a program has held as much at once as it ever will; what it frees, its allocator keeps.
"""
ROOM = {"MiB": 24.0, "threads": 4.0, "descriptors": 8.0}
"""So much more at the end is no growth."""


@dataclass(frozen=True)
class Held:
    """What a program and its children held, at the beginning and at the end (medians)."""

    program: str
    unit: str
    first: float
    last: float

    @property
    def grew(self) -> bool:
        """Whether it is more at the end than what comes and goes."""
        return self.last > self.first + max(ROOM[self.unit], 0.1 * self.first)

    def __str__(self) -> str:
        """As a line of a table."""
        return f"{self.program:12} {self.unit:12} {self.first:8.1f} {self.last:8.1f}"


class Vitals:
    """Samples programs that live as long as the test."""

    def __init__(self, every_s: float, **programs: int) -> None:
        """`programs` are process ids by name."""
        self._every_s, self._next = every_s, time.monotonic()
        self._programs = {name: psutil.Process(number) for name, number in programs.items()}
        self._samples: dict[tuple[str, str], list[float]] = defaultdict(list)

    def sample(self) -> None:
        """Look at all, where it is time to."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_s
        for name, program in self._programs.items():
            for unit, value in _held(program).items():
                self._samples[name, unit].append(value)

    def held(self) -> Iterator[Held]:
        """Yield what each program held of each."""
        for (name, unit), values in self._samples.items():
            begin, part = int(len(values) * WARM_SHARE), max(1, int(len(values) * PART_SHARE))
            yield Held(name, unit, statistics.median(values[begin : begin + part]), statistics.median(values[-part:]))


def _held(program: psutil.Process) -> dict[str, float]:
    total = dict.fromkeys(ROOM, 0.0)
    for one in (program, *program.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # a child that has just been killed
            total["MiB"] += one.memory_info().rss / MIB
            total["threads"] += one.num_threads()
            total["descriptors"] += one.num_fds()
    return total
