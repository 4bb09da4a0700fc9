"""Log lines that may come a million times: the first of a kind are written, the others counted and summed up."""

import atexit
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

EVERY_S = 60.0
FIRST_LINES = 3
MOST_KINDS = 50
OTHER = "of other kinds"


class Kinds:
    """Decides which lines are written. Pure: the caller owns the clock.

    Of each kind the first few lines in a while are written and the others counted; then the count is due. Of more than
    `most` kinds the others are one.
    """

    def __init__(self, first: int = FIRST_LINES, every_s: float = EVERY_S, most: int = MOST_KINDS) -> None:
        self._first, self._every_s, self._most = first, every_s, most
        self._open: dict[str, tuple[float, int]] = {}
        """Of each kind, when its while ends and how many have come in it."""

    def is_due(self, kind: str, now: float) -> bool:
        """Count a line; return whether to write it."""
        if kind not in self._open and len(self._open) >= self._most:
            kind = OTHER
        ends_at, count = self._open.get(kind, (now + self._every_s, 0))
        self._open[kind] = ends_at, count + 1
        return count < self._first

    def ended(self, now: float) -> list[tuple[str, int]]:
        """Return the kinds whose while has ended, each with the number of its lines that were left out."""
        over = [(kind, count) for kind, (ends_at, count) in self._open.items() if ends_at <= now]
        for kind, _ in over:
            del self._open[kind]
        return [(kind, count - self._first) for kind, count in over if count > self._first]

    @property
    def next_end(self) -> float | None:
        """When the first while ends; None where there is none."""
        return min((ends_at for ends_at, _ in self._open.values()), default=None)


_in_use: weakref.WeakSet["Recurring"] = weakref.WeakSet()


@atexit.register
def sum_up_all() -> None:
    """Say what was left out so far, before the process ends; one that ends by os._exit has to call this."""
    for one in list(_in_use):
        one.sum_up(math.inf)


class Recurring:
    """Writes to a log what may recur without bound. Any thread may call it."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._kinds = Kinds()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def warning(self, kind: str, message: str, *arguments: object, **fields: object) -> None:
        """Write a warning, unless many of its kind were written lately.

        `kind` comes from the program, never from a message; `fields` are camera, topic, partition and offset.
        """
        self._say(logging.WARNING, kind, message, arguments, fields)

    def error(self, kind: str, message: str, *arguments: object, **fields: object) -> None:
        """Write an error in the same way."""
        self._say(logging.ERROR, kind, message, arguments, fields)

    def sum_up(self, until: float | None = None) -> None:
        """Say of each kind whose while has ended, by now or `until` then, how many lines were left out."""
        with self._lock:
            ended = self._kinds.ended(self._clock() if until is None else until)
            self._timer = None
            self._wait()
        for kind, left_out in ended:
            self._log.warning("%d more like this were counted and not written (%s)", left_out, kind)

    def _say(self, level: int, kind: str, message: str, arguments: tuple[Any, ...], fields: dict[str, object]) -> None:
        with self._lock:
            is_due = self._kinds.is_due(kind, self._clock())
            self._wait()
        if is_due:
            self._log.log(level, message, *arguments, extra=fields)

    def _wait(self) -> None:
        """Have the sums written when they are due, whether anything comes then or not."""
        _in_use.add(self)
        if self._timer is None and (next_end := self._kinds.next_end) is not None:
            self._timer = threading.Timer(max(0.0, next_end - self._clock()) + 0.01, self.sum_up)
            self._timer.daemon = True
            self._timer.start()
