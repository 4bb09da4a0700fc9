"""Old is old and fresh is fresh on a real Kafka: cameras with clocks of their own, workers that come and go.

Six cameras send without a break. A first worker comes to a backlog of which nobody has told anything, works at the
head, and leaves; a second one comes to a backlog with what the first has written down, and meets clocks that are set
and stamps that are absurd.
"""

import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

import pytest

from conftest import Program, Start, Wait
from footage import frame, jpeg, publisher
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, FrameId, Gap, decode_answer, encode

pytestmark = pytest.mark.broker

NS = 1_000_000_000
MAX_AGE_S = 3.0
SLACK_S = 0.5
AWAY_S = 5.0
"""So long at least nobody works."""
HEAD_S = 4.0
FPS = 5
CAMERAS = ("right", "ahead", "behind", "renewed", "set", "odd")


@dataclass
class Cameras:
    """What they send; clocks, runs and single stamps may be changed meanwhile."""

    settings: KafkaSettings
    off_s: dict[str, float] = field(
        default_factory=lambda: {
            "right": 0.0,
            "ahead": 300.0,
            "behind": -300.0,
            "renewed": 300.0,
            "set": 4.0,
            "odd": 0.0,
        }
    )
    runs: dict[str, str] = field(default_factory=lambda: dict.fromkeys(CAMERAS, "r1"))
    stamps: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    captured_ns: dict[FrameId, int] = field(default_factory=dict)
    """When each frame was truly captured."""
    absurd: set[FrameId] = field(default_factory=set)

    @contextmanager
    def sending(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._send, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)

    def _send(self, stop: threading.Event) -> None:
        data, seqs = jpeg(1, 64, 48), defaultdict[tuple[str, str], int](int)
        with publisher(self.settings) as out:
            while not stop.is_set():
                for number, camera in enumerate(CAMERAS):
                    out.send(Record(self.settings.topics.frames, self._frame(camera, data, seqs), camera, number % 4))
                out.poll()
                stop.wait(1 / FPS)
            out.flush(30)
            assert not out.unfinished

    def _frame(self, camera: str, data: bytes, seqs: dict[tuple[str, str], int]) -> bytes:
        run = self.runs[camera]
        made = frame(camera, seqs[camera, run], data, run)
        seqs[camera, run] += 1
        identity = FrameId(camera, run, made.seq)
        self.captured_ns[identity] = made.captured_at_ns
        stamp_ns = made.captured_at_ns + int(self.off_s[camera] * NS)
        if self.stamps[camera]:
            stamp_ns = self.stamps[camera].popleft()
            self.absurd.add(identity)
        return encode(made.model_copy(update={"captured_at_ns": stamp_ns}))


@dataclass(frozen=True)
class Fate:
    """What became of a frame."""

    id: FrameId
    captured_s: float
    answered_s: float | None
    """When; None where it was skipped."""

    @property
    def age_s(self) -> float:
        return (self.answered_s or 0.0) - self.captured_s


@dataclass(frozen=True)
class Shift:
    """A worker's time."""

    came_s: float
    """Its first word."""
    left_s: float
    """When it was asked to leave, or its cameras ended."""


def fates(cameras: Cameras) -> list[Fate]:
    found: dict[FrameId, Fate] = {}
    with Reader(cameras.settings, [cameras.settings.topics.detections], start="beginning") as reader:
        for record in reader.to_the_end():
            answer = decode_answer(record.value or b"")
            if isinstance(answer, Detections):
                identity = FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq)
                at_s = answer.timings_ns.published / NS
                found[identity] = Fate(identity, cameras.captured_ns[identity] / NS, at_s)
            if isinstance(answer, Gap) and answer.run_id and answer.first_seq is not None:
                assert answer.reason.value == "stale"
                for seq in range(answer.first_seq, (answer.last_seq or answer.first_seq) + 1):
                    identity = FrameId(answer.camera_id, answer.run_id, seq)
                    found.setdefault(identity, Fate(identity, cameras.captured_ns[identity] / NS, None))
    return [one for one in found.values() if one.id not in cameras.absurd]


def first_word_after(settings: KafkaSettings, at_s: float) -> float | None:
    """When a worker that came then has first been heard."""
    with Reader(settings, [settings.topics.detections], start="beginning") as reader:
        words = [record.timestamp_ms / 1000 for record in reader.to_the_end()]
    return min((word for word in words if word > at_s), default=None)


def work(cameras: Cameras, start: Start, wait: Wait) -> tuple[Program, float]:
    began_s = time.time()
    worker = start(
        cameras.settings, "work", "--model", "fake:1ms", "--question", "person", "--group",
        cameras.settings.topic_prefix + "g", "--max-age-s", MAX_AGE_S,
    )  # fmt: skip
    wait(lambda: "waiting for frames" in worker.log, 60, "the worker")
    wait(lambda: first_word_after(cameras.settings, began_s), 30, "its first word")
    return worker, first_word_after(cameras.settings, began_s) or 0.0


def until(seconds: float, wait: Wait) -> None:
    """Let time go by, which is what makes frames old."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end, seconds + 10)


def test_how_long_a_record_lay_there_is_known_by_our_own_clock(kafka: KafkaSettings, wait: Wait) -> None:
    """Of records that were there, that came to an idle partition, and that came while the reader was full."""
    sent: list[tuple[float, float]] = []
    source = GroupSource(kafka, [kafka.topics.frames], group_id=kafka.topic_prefix, max_records=4, max_bytes=10**8)

    def send(out: Publisher) -> None:
        began = time.monotonic()
        out.send(Record(kafka.topics.frames, b"x", "gate", 0))
        out.flush(30)
        sent.append((began, time.monotonic()))

    taken: list[Consumed] = []

    def take(count: int) -> bool:
        while len(taken) < count and (event := source.take()) is not None:
            taken.extend([event] if isinstance(event, Consumed) else [])
        return len(taken) >= count

    with publisher(kafka) as out, closing_source(source):
        send(out)
        send(out)
        source.start()
        wait(lambda: take(2), 60, "what was there")
        until(1.5, wait)
        for number in range(3, 6):
            send(out)
            wait(lambda count=number: take(count), 10, "what came")
        for _ in range(40):
            send(out)
            until(0.05, wait)
        wait(lambda: take(45), 30, "what waited")
    for record, (began, acknowledged) in zip(taken, sent, strict=True):
        at = (record.monotonic_ns or 0) / 1e9
        assert record.waited_at_least_s <= at - began
        assert (record.waited_at_most_s is None) == (record.offset < 2)
        assert record.waited_at_most_s is None or record.waited_at_most_s >= min(at - acknowledged, at - began)
    came = taken[2:5]
    assert all(one.waited_at_most_s is not None and one.waited_at_most_s < 1.0 for one in came)
    assert max(one.waited_at_most_s or 0.0 for one in taken[5:]) > 1.0, "they waited until there was room"
    assert all(one.appended_at_ns is not None for one in taken)


@contextmanager
def closing_source(source: GroupSource) -> Iterator[None]:
    try:
        yield
    finally:
        source.close(5)


@pytest.mark.parametrize("stamped", [True, False], ids=["append time", "no append time"])
def test_old_is_old_and_fresh_is_fresh(cluster: str, start: Start, wait: Wait, stamped: bool) -> None:
    bare = KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}.")
    topics = [
        one if stamped else replace(one, config={**one.config, "message.timestamp.type": "CreateTime"})
        for one in wanted(bare.topics, 4, 4 * MIB)
    ]
    with closing(TopicAdmin(bare)) as admin:
        admin.ensure(topics, None)
    cameras = Cameras(bare)
    with cameras.sending():
        until(AWAY_S, wait)
        first_worker, came_s = work(cameras, start, wait)
        until(HEAD_S, wait)
        left_s = time.time()
        assert first_worker.stop() == 0
        first = Shift(came_s, left_s)
        cameras.runs["renewed"] = "r2"
        until(AWAY_S, wait)
        second_worker, came_s = work(cameras, start, wait)
        until(HEAD_S, wait)
        cameras.off_s["set"] = cameras.off_s["behind"] = 0.0
        cameras.stamps["odd"].append(2**62)
        until(1, wait)
        cameras.stamps["odd"].append(0)
        until(2, wait)
        second = Shift(came_s, time.time())
    wait(lambda: totals(audit(bare)).missing == 0, 60, "every frame accounted for")
    assert second_worker.stop() == 0
    judge(fates(cameras), first, second, stamped=stamped)


def judge(found: list[Fate], first: Shift, second: Shift, *, stamped: bool) -> None:
    # What nobody can tell without append time: clocks ahead of which nothing is known, a run of which nothing is known.
    doubtful = {first: set[str](), second: set[str]()}
    if not stamped:
        doubtful = {first: {"ahead", "renewed", "set"}, second: {"renewed"}}
    for one in found:
        shift = first if one.answered_s is None or one.answered_s < second.came_s - 1 else second
        if one.answered_s is not None and one.age_s > MAX_AGE_S + SLACK_S:
            assert one.id.camera_id in doubtful[shift], f"{one} was looked at"
            assert one.answered_s < shift.came_s + MAX_AGE_S + SLACK_S, f"{one} was looked at"
    for shift in (first, second):
        at_head = [one for one in found if shift.came_s + 1 < one.captured_s < shift.left_s - 1]
        assert {one.id.camera_id for one in at_head} == set(CAMERAS)
        assert not [one for one in at_head if one.answered_s is None], "fresh ones were skipped"
    for camera in CAMERAS:
        for begin, shift in ((0.0, first), (first.left_s + 1, second)):
            end = shift.came_s - MAX_AGE_S - SLACK_S
            lay = [one for one in found if one.id.camera_id == camera and begin < one.captured_s < end]
            assert len(lay) > FPS, f"{camera} has sent while nobody worked"
            assert camera in doubtful[shift] or all(one.answered_s is None for one in lay), f"{camera}: old ones"
    young = [one for one in found if one.id.camera_id == "right" and one.answered_s and one.captured_s < first.came_s]
    assert young, "the newest of the backlog were fresh"
