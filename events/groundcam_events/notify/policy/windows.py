"""Times of day and of the week in which a webhook wants events. Pure.

A window is by the wall clock of its time zone: where the clock is put forward, a window inside the hour that is left
out does not come that day; where it is put back, one inside the hour that comes twice is there twice.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
NS_PER_US = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True, slots=True)
class Window:
    """From one minute of a day to another; where that is not later, to the one of the next day."""

    days: frozenset[int]
    """Those on which it begins, 0 for Monday."""
    begin: int
    end: int

    def is_open(self, day: int, minute: float) -> bool:
        """Whether it is open at a minute of a weekday."""
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        since_yesterday = (day - 1) % len(DAYS) in self.days and minute < self.end
        return since_yesterday or (day in self.days and minute >= self.begin)


def window(text: str) -> Window:
    """Read `22:00-06:00`, `sat,sun`, or `mon-fri 08:00-18:00`. Raises ValueError."""
    words = text.lower().split()
    clock = words.pop() if words and _CLOCK.fullmatch(words[-1]) else "00:00-24:00"
    if len(words) > 1 or not text.strip():
        raise ValueError(f"{text!r} is not like 22:00-06:00, or mon-fri 22:00-06:00")
    match = _CLOCK.fullmatch(clock)
    assert match is not None  # noqa: S101 - for the type checker
    begin, end = _minute(match[1], match[2], text), _minute(match[3], match[4], text)
    if begin == DAY_MINUTES:
        raise ValueError(f"{text!r} begins at 24:00")
    return Window(_days(words[0]) if words else frozenset(range(len(DAYS))), begin, end)


def is_open(windows: Sequence[Window], zone: ZoneInfo, at_ns: int) -> bool:
    """Whether any of them is open at a time; without any it always is."""
    if not windows:
        return True
    # By way of a difference, since the year 2200 is not within reach of a float's microseconds.
    local = (_EPOCH + timedelta(microseconds=at_ns // NS_PER_US)).astimezone(zone)
    minute = local.hour * 60 + local.minute + _part_of_minute(local.time())
    return any(one.is_open(local.weekday(), minute) for one in windows)


def _part_of_minute(clock: time) -> float:
    return clock.second / 60 + clock.microsecond / 60e6


def _minute(hours: str, minutes: str, text: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) >= 60 or minute > DAY_MINUTES:
        raise ValueError(f"{text!r}: {hours}:{minutes} is no time of day")
    return minute


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin, end = _day(first, text), _day(last if dash else first, text)
        found.update((begin + step) % len(DAYS) for step in range((end - begin) % len(DAYS) + 1))
    return frozenset(found)


def _day(name: str, text: str) -> int:
    if name not in DAYS:
        raise ValueError(f"{text!r} is not like 22:00-06:00, or mon-fri 22:00-06:00: {name!r} is no day")
    return DAYS.index(name)


def windows_of(texts: Iterable[str]) -> tuple[Window, ...]:
    """Read several. Raises ValueError."""
    return tuple(map(window, texts))
