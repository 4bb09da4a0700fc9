"""Readers whose callers take their time, or want little of what comes."""

from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any, Self

import pytest

from groundcam import event_subscriber, subscriber
from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.kafka import history, reader
from groundcam_runtime.kafka.errors import UnreachableError
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed, Partition
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Gap, GapReason, encode

FRAMES = Partition("frames", 0)


def record(offset: int, key: bytes = b"gate", value: bytes = b"") -> Consumed:
    return Consumed(FRAMES, offset, 0, key, value, (), 0)


class Busy:
    """A reader of a topic on which others are told of without a pause."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def poll(self, _timeout_s: float) -> list[Consumed]:
        gap = Gap(camera_id="yard", run_id="r", reason=GapReason.STALE, first_seq=1, last_seq=2)
        return [record(1, b"yard", encode(gap))]


def test_who_follows_one_camera_can_look_around_while_others_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else Ctrl-C would not end a watch of a camera that is silent."""
    for module in (subscriber, event_subscriber):
        monkeypatch.setattr(module, "Reader", Busy)
    answers = subscriber.follow(KafkaSettings(), {"gate"}, "end", drop_repeats=True)
    assert list(islice(answers, 3)) == [None] * 3
    events = event_subscriber.follow_events(
        KafkaSettings(), EventFilter(cameras=frozenset({"gate"})), "end", drop_repeats=True
    )
    assert list(islice(events, 3)) == [None] * 3


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A reader of ten records, one at a time with a poll in between that brings none; and the time that passes."""
    passed = SimpleNamespace(s=0.0)
    monkeypatch.setattr(reader, "time", SimpleNamespace(monotonic=lambda: passed.s))
    made = Reader.__new__(Reader)
    place = reader.kafka.TopicPartition(*FRAMES)
    left = [one for number in range(10) for one in ([record(number)], [])]

    def fetch(timeout_s: float) -> list[Consumed]:
        passed.s += timeout_s
        return left.pop(0) if left else []

    monkeypatch.setattr(made, "_fetch", fetch, raising=False)
    monkeypatch.setattr(made, "_rest", lambda ends: ends if left else {}, raising=False)
    made._patience_s, made._where, made._consumer = 1.0, "Kafka", SimpleNamespace(resume=lambda *_: None)
    return SimpleNamespace(passed=passed, left=left, read=lambda: made._until({place: 10}))


def test_what_a_caller_does_with_its_records_is_no_silence_of_kafka(slow: Any) -> None:
    read = []
    for one in slow.read():
        read.append(one.offset)
        slow.passed.s += 30.0
    assert read == list(range(10))


def test_a_kafka_that_stops_answering_is_told(slow: Any) -> None:
    slow.left[2:] = [[]] * 20
    with pytest.raises(UnreachableError, match="has stopped answering"):
        list(slow.read())


def test_of_what_is_read_backwards_nothing_is_held_but_what_is_wanted() -> None:
    """Pictures are large, and those of one object few."""
    held = []

    class Topic:
        def first_offsets(self) -> dict[Partition, int]:
            return {FRAMES: 0}

        def span(self, begin: dict[Partition, int], end: dict[Partition, int]) -> Iterator[Consumed]:
            yield from (
                record(offset, b"wanted" if offset % 100 == 7 else b"other")
                for offset in range(begin[FRAMES], end[FRAMES])
            )

    topic: Any = Topic()
    for block in history.backwards(topic, {}, {FRAMES: 1000}, 100, lambda one: one.key == b"wanted"):
        held += [one.offset for one in block.records]
    assert sorted(held) == list(range(7, 1000, 100))
    assert held[0] == 907, "the newest first"
