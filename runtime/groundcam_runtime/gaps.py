"""Collect skipped frames into few Gap messages. Pure: the caller owns the clock."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from groundcam_schemas import FrameId, Gap, GapReason


@dataclass(slots=True)
class Collected:
    """One gap on its way, and the caller's own tags of the frames in it."""

    gap: Gap
    tags: list[Any]


@dataclass(slots=True)
class _Range:
    run_id: str
    reason: GapReason
    first: int
    last: int
    since: float
    tags: list[Any] = field(default_factory=list)


class GapCollector:
    """Merges neighbouring frames of one camera, run and reason. A gap never covers a frame that was not added.

    Time only rises: cameras are kept in the order in which their oldest gaps began, so that finding what is due
    costs the same however many names somebody invents. What is collected is bounded by whoever takes what is due.
    """

    def __init__(self, max_age_s: float, most_ranges: int | None = None) -> None:
        """Once a camera has `most_ranges`, neighbouring frames are merged under the first one's reason."""
        self._max_age_s = max_age_s
        self._most_ranges = most_ranges
        self._open: dict[str, list[_Range]] = {}

    def add(self, frame: FrameId, reason: GapReason, *, now: float, tag: Any = None, count: int = 1) -> None:
        """Add a frame, or `count` of them from this one on."""
        ranges = self._open.setdefault(frame.camera_id, [])
        last_seq = frame.seq + count - 1
        last = ranges[-1] if ranges else None
        is_full = self._most_ranges is not None and len(ranges) >= self._most_ranges
        if last and (last.run_id, last.last + 1) == (frame.run_id, frame.seq) and (is_full or last.reason is reason):
            last.last = last_seq
        else:
            last = _Range(frame.run_id, reason, frame.seq, last_seq, now)
            ranges.append(last)
        if tag is not None:
            last.tags.append(tag)

    @property
    def deadline(self) -> float | None:
        """When `due` will have something, at the latest; None while nothing is collected."""
        oldest = next(iter(self._open.values()), None)
        return oldest[0].since + self._max_age_s if oldest else None

    @property
    def tags(self) -> list[Any]:
        """The tags of everything that is collected."""
        return [tag for ranges in self._open.values() for one in ranges for tag in one.tags]

    def take(self, camera_id: str) -> Iterator[Collected]:
        """Take a camera's gaps, in order: they must go out before its next answer."""
        for one in self._open.pop(camera_id, ()):
            gap = Gap(
                camera_id=camera_id,
                run_id=one.run_id,
                reason=one.reason,
                first_seq=one.first,
                last_seq=one.last,
            )
            yield Collected(gap, one.tags)

    def due(self, now: float) -> Iterator[Collected]:
        """Take the gaps of every camera whose oldest has waited long enough."""
        due = takewhile(lambda one: now >= one[1][0].since + self._max_age_s, self._open.items())
        for camera_id in [name for name, _ in due]:
            yield from self.take(camera_id)

    def all(self) -> Iterator[Collected]:
        """Take everything."""
        for camera_id in list(self._open):
            yield from self.take(camera_id)
