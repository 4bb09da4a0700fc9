"""When records were appended, by our own clock: from the end offsets of partitions that we saw, and when. Pure.

A partition's end offset (its high watermark, in Kafka's words) is the offset that its next record will get. A record at
or beyond one that was seen was appended after the request for it; one before it was there when the answer came. No
other clock has a part in it.
"""

from collections import deque
from typing import NamedTuple

from groundcam_runtime.records import Partition

MAX_SIGHTS = 256
"""Of each partition; a reader that is far behind sees many ends before it comes to them."""


class _EndSeen(NamedTuple):
    offset: int
    asked_s: float
    answered_s: float


class AppendTimes:
    """What was seen of each partition's end. Times are seconds of one monotonic clock, and rise."""

    def __init__(self) -> None:
        self._seen: dict[Partition, deque[_EndSeen]] = {}

    def saw_end(self, partition: Partition, offset: int, asked_s: float, answered_s: float) -> None:
        """Note a partition's end offset (high watermark), as of some moment between these two."""
        seen = self._seen.setdefault(partition, deque())
        if seen and offset < seen[-1].offset:
            seen.clear()  # the topic was recreated, or its log truncated
        if len(seen) > 1 and seen[-2].offset == seen[-1].offset == offset:
            # The first sight of an end bounds the time since when records before it have been there; the last one,
            # the time until when those after it had not come.
            seen.pop()
        elif len(seen) >= MAX_SIGHTS:
            # Bounds get wider, not wrong: the one goes whose neighbours are closest to each other.
            ends = [*seen]
            gaps = [after.asked_s - before.asked_s for before, after in zip(ends, ends[2:], strict=False)]
            del seen[1 + gaps.index(min(gaps))]
        seen.append(_EndSeen(offset, asked_s, answered_s))

    def waited_s(self, partition: Partition, offset: int, now_s: float) -> tuple[float, float | None]:
        """Return how long a record has lain there, at least and at most; None where it was there before we looked.

        Records are asked for in the order of their offsets.
        """
        seen = self._seen.get(partition, deque())
        while len(seen) > 1 and seen[1].offset <= offset:
            seen.popleft()
        least_s, most_s = 0.0, None
        for one in seen:
            if one.offset > offset:
                least_s = max(0.0, now_s - one.answered_s)
                break
            most_s = max(0.0, now_s - one.asked_s)
        return least_s, most_s
