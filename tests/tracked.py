"""What a tracker should have told, and what it told: compared byte for byte."""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from footage import publisher
from groundcam_events.tracking.camera import At
from groundcam_events.tracking.partition import PartitionTracker
from groundcam_events.tracking.rules import LifeRules
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import (
    CameraZones,
    Detections,
    Event,
    Gap,
    Line,
    ObjectsNow,
    Severity,
    Zone,
    decode,
    decode_answer,
    encode,
)
from walks import HEIGHT, Walker, across, film, gap, standing


def zones_of(camera_id: str) -> CameraZones:
    """A yard in the middle, and a door across it."""
    return CameraZones(
        camera_id=camera_id,
        zones=(
            Zone(name="yard", polygon=((0.3, 0.0), (0.6, 0.0), (0.6, 1.0), (0.3, 1.0)), dwell_s=2.0, severity=Severity.ALERT),
        ),
        lines=(Line(name="door", start=(0.5, 0.0), end=(0.5, 1.0)),),
    )  # fmt: skip


def street(camera_id: str, seconds: float, fps: float, seed: int) -> list[Detections | Gap]:
    """People and cars that come and go, seen by a detector that misses some, in frames of which some are skipped."""
    chance = random.Random(f"{camera_id}/{seed}")
    walkers = []
    at_s = 0.0
    while at_s < seconds:
        speed, y = chance.uniform(60, 220) * chance.choice((1, -1)), chance.uniform(200, HEIGHT)
        start = -30.0 if speed > 0 else 1030.0
        way = across(y, speed, start - speed * at_s)
        walkers.append(Walker(chance.choice(("person", "person", "dog")), way, at_s, at_s + 20))
        at_s += chance.uniform(0.5, 4)
    walkers.append(Walker("car", standing(chance.uniform(200, 800), 300), 2.0, seconds - 3, width=150, height=100))
    answers: list[Detections | Gap] = []
    skipped: list[int] = []
    for one in film(walkers, seconds=seconds, fps=fps, seed=seed, missed=0.1, camera_id=camera_id):
        if skipped or chance.random() < 0.01:
            skipped.append(one.frame.seq)
            if chance.random() < 0.2:
                told = gap(skipped[0], skipped[-1])
                answers.append(told.model_copy(update={"camera_id": camera_id}))
                skipped.clear()
            continue
        answers.append(one)
    return answers


def send(settings: KafkaSettings, answers: Iterable[Detections | Gap]) -> None:
    """Put answers on the detections topic, as workers do."""
    with publisher(settings) as out:
        for one in answers:
            out.send(Record(settings.topics.detections, encode(one), one.camera_id))
            out.poll()
        out.flush(60)
        assert not out.unfinished


def set_zones(settings: KafkaSettings, cameras: Iterable[str]) -> None:
    with publisher(settings) as out:
        for name in cameras:
            out.send(Record(settings.topics.zones, encode(zones_of(name)), name))
        out.flush(30)


@dataclass
class Told:
    """Events by camera, each once, in order."""

    events: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    repeated: int = 0
    different: int = 0
    _known: dict[tuple[str, int], bytes] = field(default_factory=dict)
    _open: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))

    def take(self, value: bytes) -> None:
        event = decode(Event, value)
        if value.startswith(b"{"):
            value = encode(event)
        known = self._known.setdefault((event.id, event.n), value)
        if known is not value:
            self.repeated += known == value
            self.different += known != value
            return
        self.add(event, value)

    def add(self, event: Event, value: bytes) -> None:
        self.events[event.camera_id].append(value)
        self._open[event.camera_id][event.id] = event.n
        if event.end:
            del self._open[event.camera_id][event.id]

    def __len__(self) -> int:
        return sum(map(len, self.events.values()))

    def open(self, camera_id: str) -> dict[str, int]:
        """The objects that have not ended, with the number of their newest event."""
        return dict(self._open[camera_id])


class Expected:
    """What follows from the detections that lie on Kafka; each is read once. A context manager."""

    def __init__(self, settings: KafkaSettings, rules: LifeRules | None = None, *, zones: bool = True) -> None:
        self._reader = Reader(settings, [settings.topics.detections], start="beginning")
        self._rules, self._zones = rules or LifeRules(), zones_of if zones else lambda _: None
        self._trackers: dict[int, PartitionTracker] = {}
        self._told = Told()

    def by_now(self) -> Told:
        for record in self._reader.to_the_end():
            number = record.partition.number
            tracker = self._trackers.setdefault(
                number, PartitionTracker(number, 0, self._rules, lambda _: None, self._zones)
            )
            at = At(number, record.offset, record.timestamp_ms)
            for event in tracker.take(decode_answer(record.value or b""), at):
                self._told.add(event, encode(event))
        return self._told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._reader.__exit__(None, None, None)


def expected(settings: KafkaSettings, rules: LifeRules | None = None, *, zones: bool = True) -> Told:
    """What follows from the detections that lie on Kafka."""
    with Expected(settings, rules, zones=zones) as one:
        return one.by_now()


class Heard:
    """What lies on the events topic; each record is read once. A context manager."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._reader = Reader(settings, [settings.topics.events], start="beginning")
        self._told = Told()

    def by_now(self) -> Told:
        for record in self._reader.to_the_end():
            self._told.take(record.value or b"")
        return self._told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._reader.__exit__(None, None, None)


def told(settings: KafkaSettings) -> Told:
    """What lies on the events topic."""
    with Heard(settings) as one:
        return one.by_now()


class OpenObjects:
    """What the objects topic says is open, by camera. A context manager."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._reader = Reader(settings, [settings.topics.objects], start="beginning")
        self._found: dict[str, dict[str, int]] = {}

    def now(self) -> dict[str, dict[str, int]]:
        for record in self._reader.to_the_end():
            message = decode(ObjectsNow, record.value or b"")
            self._found[message.camera_id] = {one.id: one.n for one in message.objects}
        return self._found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._reader.__exit__(None, None, None)


def objects_now(settings: KafkaSettings) -> dict[str, dict[str, int]]:
    """What the objects topic says is open, by camera."""
    with OpenObjects(settings) as one:
        return one.now()
