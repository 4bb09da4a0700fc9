"""The loop with its threads, under what no broker does on demand: a source and a publisher written by hand."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from footage import frame, jpeg
from groundcam_runtime.kafka.errors import SourceLostError
from groundcam_runtime.kafka.publisher import Delivery
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.partitions.commit_note import CommitNote, read_note
from groundcam_runtime.records import Assigned, Consumed, Event, Gone, Partition, Position
from groundcam_runtime.settings import TraceSettings
from groundcam_runtime.tracing import Tracing
from groundcam_schemas import Detections, Gap, Question, Topics, decode_answer, encode
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.detectors.protocol import Detector
from groundcam_worker.errors import DetectorLostError, SandboxUnavailableError
from groundcam_worker.loop.decoding import Decoding, preparation
from groundcam_worker.loop.driver import Driver
from groundcam_worker.loop.inference import Inference
from groundcam_worker.loop.publishing import Publishing
from groundcam_worker.loop.state import LoopState
from groundcam_worker.loop.telemetry import Telemetry
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.policy.freshness import Freshness
from groundcam_worker.policy.limits import Limits
from groundcam_worker.policy.policies import Policies
from groundcam_worker.policy.questions import Questions

TOPICS = Topics()
FRAMES = Partition(TOPICS.frames, 0)
PICTURE = jpeg(1, 64, 48)


class ScriptedSource:
    """Gives events as they are written down."""

    def __init__(self, *events: Event) -> None:
        self.events = deque(events)
        self.committed: dict[Partition, int] = {}
        self.notes: dict[Partition, CommitNote] = {}
        self.failure: str | None = None
        self.polled_at = self.heard_at = time.monotonic()
        self.silence_s = 10.0
        self.paused = False
        self.leaving: frozenset[Partition] = frozenset()
        self.handed_over: list[frozenset[Partition]] = []

    def take(self) -> Event | None:
        return self.events.popleft() if self.events else None

    def commit(self, positions: Mapping[Partition, Position], *, written: bool = False) -> None:
        if not written:
            self.committed |= {partition: position.offset for partition, position in positions.items()}
            self.notes |= {partition: read_note(position.note) for partition, position in positions.items()}

    def hand_over(self, partitions: frozenset[Partition]) -> None:
        assert self.committed.keys() >= partitions
        self.handed_over.append(partitions)

    def pause(self) -> None:
        self.paused = True


class HeldPublisher:
    """Acknowledges what a test lets through."""

    is_full = False
    waiting_bytes = 0

    def __init__(self) -> None:
        self.sent: list[Delivery] = []
        self.acknowledges: Callable[[Delivery], bool] = lambda _delivery: True

    @property
    def unfinished(self) -> int:
        return sum(not delivery.done for delivery in self.sent)

    def has_room(self, size: int) -> bool:
        return True

    def send(self, record: Record, tag: Any = None) -> Delivery:
        self.sent.append(Delivery(record, tag))
        return self.sent[-1]

    def poll(self) -> list[Delivery]:
        finished = [one for one in self.sent if not one.done and self.acknowledges(one)]
        for one in finished:
            one.done = True
        return finished

    def close(self) -> None:
        """There is nothing to end."""

    def answers(self) -> list[Detections | Gap]:
        return [decode_answer(one.record.value) for one in self.sent if one.record.topic == TOPICS.detections]


def record(offset: int, value: bytes | None = None, timestamp_ms: int = 1_000) -> Consumed:
    body = encode(frame("gate", offset, PICTURE)) if value is None else value
    return Consumed(FRAMES, offset, timestamp_ms, b"gate", body, (), time.time_ns())


def run(
    source: ScriptedSource,
    publisher: HeldPublisher,
    until: Callable[[], bool],
    detector: Detector | None = None,
    drain_s: float = 5.0,
    *,
    limits: Limits | None = None,
    freshness: Freshness | None = None,
    attempts: Any = None,
    sandbox: Any = None,
) -> bool:
    """Run the loop until something holds; return whether it finished what it had begun."""
    wake = threading.Event()
    detector = detector or FakeDetector()
    limits = limits or Limits(batch_size=4, batch_wait_s=0.0)
    state = LoopState(Policies(Questions([("*", Question.of("person"))]), freshness or Freshness(0.0), limits))
    driver = Driver(
        state,
        source,
        Decoding(preparation(detector, limits.max_pixels), limits.decode_threads, wake.set),
        Inference(detector, wake.set),
        Publishing(
            publisher, TOPICS, "test", detector.model, as_json=False, tracing=Tracing(TraceSettings(), "", "test")
        ),
        Telemetry(WorkerMetrics("test")),
        wake,
        attempt_log=attempts,
        sandbox=sandbox,
    )
    deadline = time.monotonic() + 20

    def stop() -> bool:
        wake.set()
        assert time.monotonic() < deadline, "the loop did not get there"
        return until()

    return driver.run(stop, drain_s)


def ours(offset: int = 0, note: str = "") -> Assigned:
    return Assigned({FRAMES: Position(offset, note)}, 1)


def test_nothing_is_committed_before_kafka_has_the_answer() -> None:
    source, publisher = ScriptedSource(ours(), *map(record, range(5))), HeldPublisher()
    publisher.acknowledges = lambda delivery: delivery.tag.claims[0].offset != 2
    assert not run(source, publisher, lambda: len(publisher.sent) == 5 and publisher.unfinished == 1, drain_s=0.3)
    assert source.committed == {FRAMES: 2}
    assert source.paused


def test_a_partition_that_left_is_neither_answered_nor_committed() -> None:
    """Its frames were on their way; the next owner answers them."""
    source, publisher = ScriptedSource(ours(), record(0), record(1)), HeldPublisher()
    release, gone = threading.Event(), threading.Event()
    slow = FakeDetector(1.0, sleep=lambda _seconds: release.wait(10))

    def until() -> bool:
        if not source.events and not gone.is_set():
            gone.set()
            source.events.append(Gone(frozenset([FRAMES])))
            source.events.append(record(2))  # came just before it left
            return False
        if not source.events:
            release.set()
        return release.is_set()

    assert run(source, publisher, until, slow)
    assert publisher.answers() == []
    assert source.committed == {}


def test_a_partition_is_handed_over_once_kafka_has_what_was_published_and_nothing_more_is() -> None:
    """Otherwise the next owner would give the same answer again."""
    source, publisher = ScriptedSource(ours(), *map(record, range(2))), HeldPublisher()
    acknowledged = threading.Event()
    publisher.acknowledges = lambda _delivery: acknowledged.is_set()

    def until() -> bool:
        if len(publisher.sent) == 2 and not source.leaving:
            source.leaving = frozenset([FRAMES])
            source.events.append(record(2))
        elif source.leaving and not source.events:
            assert acknowledged.is_set() or not source.handed_over
            acknowledged.set()
        return bool(source.handed_over)

    assert run(source, publisher, until, limits=Limits(batch_size=1, batch_wait_s=0.0))
    assert source.handed_over == [frozenset([FRAMES])]
    assert source.committed == {FRAMES: 2}
    assert len(publisher.sent) == 2


def test_a_partition_that_comes_back_is_read_from_its_last_commit() -> None:
    source, publisher = (
        ScriptedSource(ours(), record(0), record(1), Gone(frozenset([FRAMES])), ours(), record(1), record(2)),
        HeldPublisher(),
    )
    assert run(source, publisher, lambda: source.committed.get(FRAMES) == 3)


def test_a_topic_that_was_made_anew_does_not_end_the_worker() -> None:
    source, publisher = ScriptedSource(ours(), record(500), record(501), record(0), record(1)), HeldPublisher()
    assert run(source, publisher, lambda: source.committed.get(FRAMES) == 2)


class Narrow(FakeDetector):
    """Says of a flat picture what transformers' processor says."""

    def input_shape(self, width: int, height: int) -> tuple[int, int]:
        if height == 1:
            raise ValueError("mean must have 1 elements if it is an iterable, got 3")
        return width, height


def test_a_picture_that_the_processor_cannot_take_is_dead_lettered() -> None:
    source = ScriptedSource(ours(), record(0), record(1, jpeg(1, 2000, 1)), record(2))
    publisher = HeldPublisher()
    assert run(source, publisher, lambda: source.committed.get(FRAMES) == 3, Narrow())
    letters = [one.record.value for one in publisher.sent if one.record.topic == TOPICS.dead_letters]
    assert letters == [jpeg(1, 2000, 1)]


def test_a_time_in_the_wrong_unit_does_not_end_the_worker() -> None:
    """Nanoseconds where Kafka wants milliseconds."""
    source = ScriptedSource(ours(), record(0, PICTURE, timestamp_ms=time.time_ns()), record(1))
    assert run(source, HeldPublisher(), lambda: source.committed.get(FRAMES) == 2)


class Deaths:
    """Marks that say how often each offset has ended a process."""

    def __init__(self, **deaths: int) -> None:
        self.deaths = {int(offset.removeprefix("at_")): count for offset, count in deaths.items()}
        self.announced: list[int] = []

    def announce(self, place: tuple[Partition, int], camera_id: str | None, *, read: bool) -> int:
        self.announced.append(place[1])
        return self.deaths.get(place[1], 0)

    def clear(self) -> None:
        self.announced.append(-1)


class NoRoomForTwo:
    """A device on which a second model does not fit."""

    def answer(self, jpeg: bytes, size: tuple[int, int], ask: Question) -> Any:
        raise SandboxUnavailableError("CUDA out of memory")


IN_USE = CommitNote(in_use=True).text()


def test_after_a_death_frames_are_marked_and_tried_one_by_one_and_the_mark_is_taken_back() -> None:
    quarantine: list[int] = []

    class Counting(FakeDetector):
        def detect(self, images: Any, asks: Any) -> Any:
            quarantine.append(len(images))
            return super().detect(images, asks)

    source, attempts = ScriptedSource(ours(0, IN_USE), *map(record, range(30))), Deaths()
    limits = Limits(batch_size=4, batch_wait_s=0.0)
    assert run(source, HeldPublisher(), lambda: source.committed.get(FRAMES) == 30, Counting(), attempts=attempts)
    suspects = limits.suspects
    assert attempts.announced == [*range(suspects), -1]
    assert quarantine[:suspects] == [1] * suspects
    assert max(quarantine[suspects:]) > 1


def test_a_frame_that_ended_five_processes_without_a_sandbox_is_dead_lettered() -> None:
    source, publisher = ScriptedSource(ours(0, IN_USE), *map(record, range(5))), HeldPublisher()
    assert run(source, publisher, lambda: source.committed.get(FRAMES) == 5, attempts=Deaths(at_2=5))
    (letter,) = [one for one in publisher.sent if one.record.topic == TOPICS.dead_letters]
    assert dict(letter.record.headers)["groundcam-dlq-error-class"] == b"FatalFrameError"
    assert sum(isinstance(answer, Detections) for answer in publisher.answers()) == 4


def test_without_room_for_a_sandbox_a_frame_is_tried_again_by_the_worker_itself() -> None:
    source, publisher = ScriptedSource(ours(0, IN_USE), *map(record, range(5))), HeldPublisher()
    assert run(
        source, publisher, lambda: source.committed.get(FRAMES) == 5, attempts=Deaths(at_2=1), sandbox=NoRoomForTwo()
    )
    assert sum(isinstance(answer, Detections) for answer in publisher.answers()) == 5


def test_frames_that_kafka_deleted_are_told_before_the_next_answer() -> None:
    note = CommitNote(last={"gate": ("run-1", 9)}).text()
    source, publisher = ScriptedSource(ours(10, note), *map(record, range(20, 23))), HeldPublisher()
    assert run(source, publisher, lambda: source.committed.get(FRAMES) == 23)
    gap, first, *_ = publisher.answers()
    assert isinstance(gap, Gap)
    assert (gap.reason.value, gap.first_seq, gap.last_seq) == ("expired", 10, 19)
    assert isinstance(first, Detections)
    assert first.frame.seq == 20
    assert source.notes[FRAMES] == CommitNote(True, {"gate": ("run-1", 22)})


def test_a_camera_may_have_a_largest_age_of_its_own() -> None:
    old = frame("gate", 0, PICTURE).model_copy(update={"captured_at_ns": time.time_ns() - 5 * 10**9})
    behind = Consumed(FRAMES, 0, 1_000, b"gate", encode(old), (), time.time_ns(), behind=100)
    for freshness, kind in ((Freshness(10.0), Detections), (Freshness(10.0, {"gate": 1.0}), Gap)):
        source, publisher = ScriptedSource(ours(), behind), HeldPublisher()
        assert run(source, publisher, lambda one=source: one.committed.get(FRAMES) == 1, freshness=freshness)
        assert [type(answer) for answer in publisher.answers()] == [kind]


def test_unanswered_frames_are_bounded_and_hold_no_pictures() -> None:
    source, publisher = ScriptedSource(ours(), *map(record, range(1500))), HeldPublisher()
    publisher.acknowledges = lambda _delivery: False
    assert not run(source, publisher, lambda: len(publisher.sent) >= 1024, drain_s=0.2)
    assert len(publisher.sent) == 1024
    assert not any(delivery.tag.answered.record.value for delivery in publisher.sent)


def test_a_lost_source_ends_the_worker_even_while_kafka_takes_nothing() -> None:
    source, publisher = ScriptedSource(ours(), record(0)), HeldPublisher()
    publisher.acknowledges = lambda _delivery: False

    def until() -> bool:
        source.failure = "fenced"
        return False

    with pytest.raises(SourceLostError, match="fenced"):
        run(source, publisher, until)


def test_a_lost_detector_ends_the_worker_without_a_commit() -> None:
    class Lost(FakeDetector):
        def detect(self, images: Any, asks: Any) -> Any:
            raise DetectorLostError("CUDA error: an illegal memory access was encountered")

    source = ScriptedSource(ours(), record(0))
    with pytest.raises(DetectorLostError):
        run(source, HeldPublisher(), lambda: False, Lost())
    assert source.committed == {}
