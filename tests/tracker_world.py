"""A Kafka made of lists, and trackers on it that can be ended anywhere: with transactions, and without."""

import itertools
import threading
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from groundcam_events.checkpoint import Checkpoints
from groundcam_events.driver import Driver
from groundcam_events.kept_states import KeptStates
from groundcam_events.metrics import TrackerMetrics
from groundcam_events.tracking.camera import At
from groundcam_events.tracking.partition import PartitionTracker
from groundcam_events.tracking.rules import LifeRules
from groundcam_events.transactions import CheckpointPlanner
from groundcam_runtime.partitions.commit_note import take_over_note
from groundcam_runtime.records import Assigned, Consumed, Gone, Partition, Position
from groundcam_schemas import CameraZones, Event, ObjectsNow, decode, decode_answer, encode
from tracked import street

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

    def take(self, topic: str, what: Any) -> None:
        match topic:
            case "events":
                self.events.append(what)
            case "objects":
                self.objects[what.camera_id] = what
            case _:
                self.tracks.append(what)


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
            self._kafka.take(topic, what)
            self._done.append(SimpleNamespace(tag=tag, error=None, dropped=False))

    def poll(self) -> list[Any]:
        done, self._done = self._done, []
        return done


class TransactionalOutbox(Outbox):
    """Kafka takes what a planner chooses, with the offsets, or nothing."""

    def __init__(self, kafka: Kafka, planner: CheckpointPlanner) -> None:
        super().__init__(kafka)
        self._planner = planner
        self._waiting: list[Any] = []

    def event(self, event: Event, tag: Any) -> None:
        self._send("events", encode(event), tag)

    def objects(self, now: ObjectsNow, tag: Any) -> None:
        self._send("objects", now, tag)

    def state(self, camera_id: str, state: bytes, tag: Any) -> bool:
        self._send("tracks", (camera_id, state), tag)
        return True

    def acknowledge(self, _topic: str, _count: int) -> None:
        """One transaction."""
        plan = self._planner.plan(list(self._waiting))
        for one in plan.not_ours:
            one.dropped = True  # type: ignore[misc]
        for delivery in plan.deliveries:
            one: Any = delivery
            self._kafka.take(one.topic, one.what)
        for place, position in plan.positions.items():
            assert position.offset >= self._kafka.committed[place.number].offset
            self._kafka.committed[place.number] = Position(position.offset, position.note)
        done = [*plan.not_ours, *plan.deliveries]
        if done:
            self._planner.committed(plan.positions)
        self._done += done
        self._waiting = [one for one in self._waiting if one not in done]

    def _send(self, topic: str, what: Any, tag: Any) -> None:
        self._waiting.append(SimpleNamespace(topic=topic, what=what, tag=tag, error=None, dropped=False))


class Source:
    """Gives records of the partitions that are ours."""

    failure = None
    group_metadata = None

    def __init__(self, kafka: Kafka, partitions: Collection[int]) -> None:
        self._kafka = kafka
        self.leaving: frozenset[Partition] = frozenset()
        self.handed_over = 0
        self.owned: dict[Partition, int] = {}
        self._epochs = itertools.count(1)
        self._events: deque[Any] = deque()
        self._next: dict[int, int] = {}
        self._budget = 0
        for number in partitions:
            self.give(number)

    def give(self, number: int) -> None:
        found = self._kafka.committed[number]
        self._kafka.committed[number] = replace(found, note=take_over_note(found.note))
        self._next[number] = found.offset
        place, epoch = Partition(TOPIC, number), next(self._epochs)
        self.owned[place] = epoch
        self._events.append(Assigned({place: found}, epoch))

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
        del self._next[number], self.owned[Partition(TOPIC, number)]
        self._events.append(Gone(frozenset([Partition(TOPIC, number)])))

    def take(self) -> Any:
        return self._events.popleft() if self._events else None

    def commit(self, positions: dict[Partition, Position], *, written: bool = False) -> None:
        if written:
            return
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

    def __init__(self, kafka: Kafka, partitions: Collection[int] = (0, 1), *, by_transactions: bool = False) -> None:
        self.source, checkpoints = Source(kafka, partitions), Checkpoints(by_transactions=by_transactions)
        planner = CheckpointPlanner(TOPIC, self.source, checkpoints)  # type: ignore[arg-type]
        self.outbox = TransactionalOutbox(kafka, planner) if by_transactions else Outbox(kafka)
        wake = threading.Event()
        wake.wait = lambda _timeout=None: True  # type: ignore[method-assign]
        self.driver = Driver(
            TOPIC, self.source, self.outbox, checkpoints, States(kafka),  # type: ignore[arg-type]
            kafka.zones.get, LifeRules(), TrackerMetrics("1"), wake, checkpoint_s=0.0,
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
