"""A camera, a Kafka and a worker, each with a clock of its own, in pure code: what becomes of each frame, and how old
it truly was. Nothing here knows how ages are told."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from groundcam_runtime.partitions.append_times import AppendTimes
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import FrameId
from groundcam_worker.policy.freshness import Freshness

NS = 1_000_000_000
DAY0_S = 1_700_000_000.0
"""True time begins here."""
PARTITION = Partition("frames", 0)
POLL_S = 0.05
Clock = Callable[[float], float]
"""From true seconds to what it shows."""


def right(true_s: float) -> float:
    return true_s


def off(seconds: float) -> Clock:
    return lambda true_s: true_s + seconds


def drifting(seconds: float, rate: float) -> Clock:
    """Off by `seconds` at first, and by `rate` seconds a second more."""
    return lambda true_s: true_s + seconds + rate * (true_s - DAY0_S)


def stepping(at_s: float, before: float, after: float) -> Clock:
    """Off by `before` seconds until it is set, `at_s` after the beginning, to be off by `after`."""
    return lambda true_s: true_s + (before if true_s < DAY0_S + at_s else after)


@dataclass(frozen=True)
class Shot:
    """One frame; times are true ones, in s."""

    id: FrameId
    captured_s: float
    stamp_ns: int
    appended_s: float


def shots(
    camera: str = "gate",
    run: str = "r1",
    *,
    begin: float,
    end: float,
    fps: float = 5.0,
    clock: Clock = right,
    way_s: Callable[[float], float] = lambda _at: 0.02,
    first_seq: int = 0,
) -> list[Shot]:
    """What a camera sends from `begin` to `end`, seconds after the beginning of time.

    `way_s` is how long a frame captured then is on its way to Kafka; none overtakes another.
    """
    made: list[Shot] = []
    appended = 0.0
    for number in range(int((end - begin) * fps)):
        at = begin + number / fps
        captured = DAY0_S + at
        appended = max(appended, captured + way_s(at))
        made.append(Shot(FrameId(camera, run, first_seq + number), captured, round(clock(captured) * NS), appended))
    return made


def stamped(made: list[Shot], number: int, stamp_ns: int) -> list[Shot]:
    """The same, but one frame carries another stamp."""
    return [replace(one, stamp_ns=stamp_ns) if index == number else one for index, one in enumerate(made)]


@dataclass(frozen=True)
class Verdict:
    """What became of a frame, when, and how old it truly was then."""

    shot: Shot
    at: float
    age_s: float
    skipped: bool


@dataclass
class Worker:
    """Reads a log of one partition, and asks of each frame whether it is stale before it sees the next one."""

    freshness: Freshness
    clock: Clock = right
    append_clock: Clock | None = None
    """The broker's, where it stamps records."""
    reads: Callable[[float], bool] = lambda _at: True
    at_once: int = 64
    """Records of a poll."""
    detect_s: float = 0.0
    """0: each frame is taken up as it comes; else one after the other."""
    offset: int = 0

    def work(self, log: Iterable[Shot], *, begin: float, end: float) -> Iterator[Verdict]:
        """Read on from `offset`, as a member that has just been given the partition."""
        appended = sorted(log, key=lambda shot: shot.appended_s)
        times, now, end_offset, free_at = AppendTimes(), DAY0_S + begin, 0, 0.0
        waiting: list[tuple[Shot, Consumed]] = []
        while now < DAY0_S + end:
            if self.reads(now - DAY0_S):
                while end_offset < len(appended) and appended[end_offset].appended_s <= now:
                    end_offset += 1
                times.saw_end(PARTITION, end_offset, now - POLL_S / 10, now + POLL_S / 10)
                for offset in range(self.offset, min(end_offset, self.offset + self.at_once)):
                    record = self._consumed(appended[offset], offset, now + POLL_S / 5, times)
                    self.freshness.arrived(appended[offset].id, appended[offset].stamp_ns, record)
                    waiting.append((appended[offset], record))
                    self.offset = offset + 1
                    if not self.detect_s:
                        yield self._judge(*waiting.pop(), now + POLL_S / 5)
            now += POLL_S
            while waiting and (self._is_stale(*waiting[0], now) or free_at <= now):
                verdict = self._judge(*waiting.pop(0), now)
                free_at = free_at if verdict.skipped else now + self.detect_s
                yield verdict

    def _is_stale(self, shot: Shot, record: Consumed, now: float) -> bool:
        return self.freshness.is_stale(shot.id, shot.stamp_ns, record, round(self.clock(now) * NS))

    def _judge(self, shot: Shot, record: Consumed, now: float) -> Verdict:
        return Verdict(shot, now - DAY0_S, now - shot.captured_s, self._is_stale(shot, record, now))

    def _consumed(self, shot: Shot, offset: int, now: float, times: AppendTimes) -> Consumed:
        least_s, most_s = times.waited_s(PARTITION, offset, now)
        stamp = self.append_clock(shot.appended_s) if self.append_clock is not None else None
        return Consumed(
            PARTITION, offset, 0, b"gate", b"", (), round(self.clock(now) * NS),
            monotonic_ns=round((now - DAY0_S + 5_000) * NS),
            appended_at_ns=None if stamp is None else int(stamp * 1000) * 1_000_000,
            waited_at_least_s=least_s, waited_at_most_s=most_s,
        )  # fmt: skip
