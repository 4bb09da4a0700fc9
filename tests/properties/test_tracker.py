"""The tracker's loop on a Kafka made of lists: killed anywhere, overtaken, and told of other zones in the middle."""

import itertools
import random
import threading
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from groundcam_events.driver import Driver
from groundcam_events.kept_states import KeptStates
from groundcam_events.metrics import TrackerMetrics
from groundcam_events.tracking.camera import At
from groundcam_events.tracking.partition import PartitionTracker
from groundcam_events.tracking.rules import LifeRules
from groundcam_runtime.partitions.commit_note import take_over_note
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_schemas import CameraZones, Event, ObjectsNow, decode, decode_answer, encode
from tracked import street, zones_of

CAMERAS = ("a", "b", "c")
PARTITIONS = {"a": 0, "b": 0, "c": 1}
TOPIC = "detections"


def made(seconds: float, seed: int) -> dict[int, list[bytes]]:
    """The detections of some cameras, by partition."""
    log: dict[int, list[bytes]] = {0: [], 1: []}
    streets = [street(name, seconds, 4, seed) for name in CAMERAS]
    for one in itertools.chain.from_iterable(itertools.zip_longest(*streets)):
        if one is not None:
            log[PARTITIONS[one.camera_id]].append(encode(one))
    return log


LOGS = [made(25, seed) for seed in range(3)]


class Kafka:
    """What survives."""

    def __init__(self, log: dict[int, list[bytes]]) -> None:
        self.log = log
        self.events: list[bytes] = []
        self.objects: dict[str, ObjectsNow] = {}
        self.tracks: list[tuple[str, bytes]] = []
        self.ends = dict.fromkeys(log, 0)
        """What has come by now."""
        self.committed = {number: Position(0) for number in log}
        self.zones: dict[str, CameraZones | None] = dict.fromkeys(CAMERAS)

    def record(self, number: int, offset: int) -> Consumed:
        value = self.log[number][offset]
        time_ms = 1_700_000_000_000 + offset * 80
        behind = len(self.log[number]) - offset - 1
        return Consumed(Partition(TOPIC, number), offset, time_ms, None, value, (), 0, behind)


class States(KeptStates):
    def __init__(self, kafka: Kafka) -> None:
        self._lists = kafka
        self._decoded = {}

    def read(self) -> None:
        self._decode(dict(self._lists.tracks))

    def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        return {one: self._lists.ends[one.number] for one in partitions}

    def read_again(self, partition: Partition, end: int, cameras: Collection[str]) -> Iterator[Consumed]:
        for offset in range(end):
            yield self._lists.record(partition.number, offset)


class Outbox:
    """Kafka takes what is sent in the order in which the test says, within a topic in order."""

    is_full = False

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.sent: dict[str, deque[tuple[Any, Any]]] = {"events": deque(), "objects": deque(), "tracks": deque()}
        self._done: list[Any] = []

    def event(self, event: Event, tag: Any) -> None:
        self.sent["events"].append((encode(event), tag))

    def objects(self, now: ObjectsNow, tag: Any) -> None:
        self.sent["objects"].append((now, tag))

    def state(self, camera_id: str, state: bytes, tag: Any) -> bool:
        self.sent["tracks"].append(((camera_id, state), tag))
        return True

    def acknowledge(self, topic: str, count: int) -> None:
        for _ in range(min(count, len(self.sent[topic]))):
            what, tag = self.sent[topic].popleft()
            match topic:
                case "events":
                    self._kafka.events.append(what)
                case "objects":
                    self._kafka.objects[what.camera_id] = what
                case _:
                    self._kafka.tracks.append(what)
            self._done.append(SimpleNamespace(tag=tag, error=None))

    def poll(self) -> list[Any]:
        done, self._done = self._done, []
        return done


class Source:
    """Gives records of the partitions that are ours."""

    failure = None

    def __init__(self, kafka: Kafka, partitions: Collection[int]) -> None:
        self._kafka = kafka
        self.leaving: frozenset[Partition] = frozenset()
        self.handed_over = 0
        self._events: deque[Any] = deque()
        self._next: dict[int, int] = {}
        self._budget = 0
        for number in partitions:
            self.give(number)

    def give(self, number: int) -> None:
        found = self._kafka.committed[number]
        self._kafka.committed[number] = replace(found, note=take_over_note(found.note))
        self._next[number] = found.offset
        self._events.append(Assigned({Partition(TOPIC, number): found}, 1))

    def allow(self, records: int) -> None:
        for _ in range(records):
            number = min(self._next, key=lambda one: (self._next[one], one), default=None)
            ready = [one for one in self._next if self._next[one] < len(self._kafka.log[one])]
            if number is None or not ready:
                return
            number = min(ready, key=lambda one: self._next[one])
            self._events.append(self._kafka.record(number, self._next[number]))
            self._next[number] += 1
            self._kafka.ends[number] = max(self._kafka.ends[number], self._next[number])

    def revoke(self, number: int) -> None:
        del self._next[number]
        self._events.append(Gone(frozenset([Partition(TOPIC, number)])))

    def take(self) -> Any:
        return self._events.popleft() if self._events else None

    def commit(self, positions: dict[Partition, Position]) -> None:
        for place, position in positions.items():
            if place.number in self._next:
                assert position.offset >= self._kafka.committed[place.number].offset
                self._kafka.committed[place.number] = Position(position.offset, position.note)

    def hand_over(self, partitions: frozenset[Partition]) -> None:
        assert partitions is self.leaving
        self.leaving = frozenset()
        self.handed_over += 1

    def pause(self) -> None:
        pass


class Tracker:
    """One life of a tracker."""

    def __init__(self, kafka: Kafka, partitions: Collection[int] = (0, 1)) -> None:
        self.source, self.outbox = Source(kafka, partitions), Outbox(kafka)
        wake = threading.Event()
        wake.wait = lambda _timeout=None: True  # type: ignore[method-assign]
        self.driver = Driver(
            TOPIC, self.source, self.outbox, States(kafka), kafka.zones.get, LifeRules(),  # type: ignore[arg-type]
            TrackerMetrics("1"), wake, checkpoint_s=0.0,
        )  # fmt: skip

    def turn(self) -> None:
        self.driver._turn(draining=False)

    def finish(self) -> None:
        """Until Kafka has everything."""
        self.source.allow(10_000)
        for _ in range(40):
            self.turn()
            for topic in ("events", "objects", "tracks"):
                self.outbox.acknowledge(topic, 10_000)


def expected(kafka: Kafka) -> dict[str, list[bytes]]:
    """What a tracker that is never killed tells."""
    told: dict[str, list[bytes]] = {name: [] for name in CAMERAS}
    for number, values in kafka.log.items():
        one = PartitionTracker(number, 0, LifeRules(), lambda _: None, kafka.zones.get)
        for offset, value in enumerate(values):
            record = kafka.record(number, offset)
            for event in one.take(decode_answer(value), At(number, offset, record.timestamp_ms)):
                told[event.camera_id].append(encode(event))
    return told


def once(events: list[bytes]) -> dict[str, list[bytes]]:
    """Each camera's events without repeats. One that was told in two ways is an error."""
    known: dict[tuple[str, int], bytes] = {}
    told: dict[str, list[bytes]] = {name: [] for name in CAMERAS}
    for value in events:
        event = decode(Event, value)
        if (event.id, event.n) not in known:
            known[event.id, event.n] = value
            told[event.camera_id].append(value)
        assert known[event.id, event.n] == value, "an event was told in two ways"
    return told


STEPS = 150


def play(kafka: Kafka, rng: random.Random, *, zones: bool) -> Tracker:
    """Do things to a tracker, and to Kafka."""
    tracker = Tracker(kafka)
    for _ in range(STEPS):
        what = rng.random()
        if what < 0.3:
            tracker.source.allow(rng.randint(1, 6))
        elif what < 0.85:
            topic = rng.choices(("events", "objects", "tracks"), (3, 3, 4))[0]
            tracker.outbox.acknowledge(topic, rng.randint(1, 10))
        elif what < 0.91:
            tracker = Tracker(kafka)  # the one before was killed
        elif what < 0.94 and kafka.tracks and not zones:
            kafka.tracks.append(rng.choice(kafka.tracks[-8:]))  # one that was taken for dead writes what it had
            tracker = Tracker(kafka)
        elif what < 0.97 and len(tracker.source._next) == 2:
            number = rng.randint(0, 1)
            tracker.source.revoke(number)
            tracker.turn()
            tracker.source.give(number)
        elif zones:
            name = rng.choice(CAMERAS)
            kafka.zones[name] = None if kafka.zones[name] else zones_of(name)
        tracker.turn()
    return tracker


@settings(max_examples=24, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2), st.booleans())
def test_however_a_tracker_is_killed_and_overtaken_its_events_are_those_of_one_that_never_was(
    seed: int, which: int, with_zones: bool
) -> None:
    kafka = Kafka(LOGS[which])
    if with_zones:
        kafka.zones = {name: zones_of(name) for name in CAMERAS}
    play(kafka, random.Random(seed), zones=False).finish()
    wanted = expected(kafka)
    assert once(kafka.events) == wanted
    for name, now in kafka.objects.items():
        newest = {one.id: one for one in (decode(Event, value) for value in wanted[name])}
        right = {(one.id, one.n) for one in newest.values() if not one.end}
        assert {(one.id, one.n) for one in now.objects} == right, "what is open is right"


@settings(max_examples=14, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2))
@example(2816, 0)  # a partition that comes back before the checkpoint is through in which it left
def test_zones_that_change_in_the_middle_of_kills_never_tell_an_event_in_two_ways(seed: int, which: int) -> None:
    kafka = Kafka(LOGS[which])
    play(kafka, random.Random(seed), zones=True).finish()
    for events in once(kafka.events).values():
        by_id: dict[str, list[int]] = {}
        for value in events:
            event = decode(Event, value)
            by_id.setdefault(event.id, []).append(event.n)
        assert all(numbers == list(range(len(numbers))) for numbers in by_id.values()), "no number is missing"


@pytest.mark.parametrize("junk", [b"junk", b"\x82\xa6schema\xa8tracks/0\xa5state\x80"])
def test_states_that_cannot_be_read_are_made_again_from_the_answers(
    junk: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = Kafka(LOGS[0])
    play(kafka, random.Random(1), zones=False)
    kafka.tracks += [(name, junk) for name in CAMERAS]
    Tracker(kafka).finish()
    assert once(kafka.events) == expected(kafka)
    assert "its kept state is not used" in caplog.text
    assert "are old: their answers are read again" in caplog.text
