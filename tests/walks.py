"""Things that walk through a camera's picture, as answers of a worker: what trackers are fed with."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from groundcam_events.tracking.camera import At, Camera, CameraState
from groundcam_events.tracking.rules import LifeRules
from groundcam_schemas import (
    CameraZones,
    Detections,
    Event,
    FrameRef,
    Gap,
    GapReason,
    Model,
    Object,
    QuestionRef,
    TimingsNs,
    detections_id,
)
from groundcam_schemas.identity import FrameId

NS = 1_000_000_000
BEGIN_NS = 1_700_000_000 * NS
WIDTH, HEIGHT = 1000, 500
CLASSES = ("person", "car", "dog")
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Walker:
    """A box that is somewhere from one time to another."""

    label: str
    at: Callable[[float], tuple[float, float]]
    """The middle of its lower edge at a time, in pixels."""
    from_s: float = 0.0
    to_s: float = 1e9
    width: float = 60.0
    height: float = 150.0
    score: float = 0.5

    def box(self, time_s: float) -> Box | None:
        """Where it is, inside the picture; None where it is not there, or outside."""
        if not self.from_s <= time_s <= self.to_s:
            return None
        x, y = self.at(time_s)
        x1, x2 = max(0.0, x - self.width / 2), min(float(WIDTH), x + self.width / 2)
        y1, y2 = max(0.0, y - self.height), min(float(HEIGHT), y)
        return (x1, y1, x2, y2) if x2 - x1 > 5 and y2 - y1 > 5 else None


def across(y: float, speed: float, start: float = -30.0) -> Callable[[float], tuple[float, float]]:
    """From the left to the right, in pixels a second."""
    return lambda time_s: (start + speed * time_s, y)


def standing(x: float, y: float) -> Callable[[float], tuple[float, float]]:
    return lambda _time_s: (x, y)


def answer(
    seq: int,
    time_s: float,
    objects: Iterable[Object],
    *,
    camera_id: str = "gate",
    run_id: str = "run-1",
    version: str = "v1",
    classes: tuple[str, ...] = CLASSES,
) -> Detections:
    at_ns = BEGIN_NS + int(time_s * NS)
    return Detections(
        id=detections_id(FrameId(camera_id, run_id, seq), version, "demo", ""),
        camera_id=camera_id,
        frame=FrameRef(run_id=run_id, seq=seq, topic="frames", partition=0, offset=seq),
        captured_at_ns=at_ns,
        source_width=WIDTH,
        source_height=HEIGHT,
        question=QuestionRef(id="*", version=version, classes=classes),
        model=Model(name="demo"),
        objects=tuple(objects),
        timings_ns=TimingsNs(
            captured=at_ns, published_to_kafka=at_ns, consumed=at_ns, batched=at_ns, inferred=at_ns, published=at_ns
        ),
    )


def found(label: str, box: Box, score: float = 0.5, classes: tuple[str, ...] = CLASSES) -> Object:
    return Object(label=label, class_id=classes.index(label), score=score, box=box)


def film(
    walkers: Iterable[Walker], *, seconds: float, fps: float, seed: int = 0, jitter: float = 0.02, missed: float = 0.0,
    camera_id: str = "gate", run_id: str = "run-1", first_seq: int = 0, from_s: float = 0.0,
) -> Iterator[Detections]:  # fmt: skip
    """What a worker answers of a film: boxes tremble, and some are not found."""
    chance = random.Random(seed)
    for number in range(int(seconds * fps)):
        time_s = from_s + number / fps
        objects = []
        for walker in walkers:
            box = walker.box(time_s)
            if box is None or chance.random() < missed:
                continue
            x1, y1, x2, y2 = box
            size = min(x2 - x1, y2 - y1)
            dx, dy = chance.gauss(0, jitter * size), chance.gauss(0, jitter * size)
            moved = (
                max(0.0, x1 + dx), max(0.0, y1 + dy), min(float(WIDTH), x2 + dx), min(float(HEIGHT), y2 + dy),
            )  # fmt: skip
            score = min(0.99, max(0.3, chance.gauss(walker.score, 0.05)))
            objects.append(found(walker.label, moved, score))
        yield answer(first_seq + number, time_s, objects, camera_id=camera_id, run_id=run_id)


def gap(first: int, last: int, reason: GapReason = GapReason.STALE) -> Gap:
    return Gap(camera_id="gate", run_id="run-1", reason=reason, first_seq=first, last_seq=last)


def away(from_s: float, to_s: float) -> Gap:
    begin, end = BEGIN_NS + int(from_s * NS), BEGIN_NS + int(to_s * NS)
    return Gap(camera_id="gate", run_id="run-1", reason=GapReason.CAMERA_OFFLINE, from_ns=begin, to_ns=end)


def at(answered: Detections | Gap, offset: int) -> At:
    """Where a record lay: it came as it was captured."""
    time_ns = answered.captured_at_ns if isinstance(answered, Detections) else (answered.to_ns or 0)
    return At(0, offset, time_ns // 1_000_000)


def followed(
    answers: Iterable[Detections | Gap], rules: LifeRules | None = None, zones: CameraZones | None = None
) -> tuple[list[Event], Camera]:
    """The events of a camera that is followed from its first record on."""
    camera = Camera(CameraState("gate"), rules or LifeRules())
    camera.change_zones(zones)
    events: list[Event] = []
    for offset, one in enumerate(answers):
        events += camera.take(one, at(one, offset))
    return events, camera
