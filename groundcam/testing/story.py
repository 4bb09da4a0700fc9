"""What a camera sees, told in a few words, as the messages that workers, producers and trackers send of it. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from groundcam.extras import needs
from groundcam_schemas import (
    CameraQuestion,
    CameraZones,
    ClassSpec,
    Detections,
    Event,
    FrameId,
    FrameRef,
    Gap,
    GapReason,
    Model,
    Object,
    QuestionRef,
    TimingsNs,
    detections_id,
)

NS = 1_000_000_000
MS = 1_000_000
BEGIN_NS = 1_795_405_362 * NS
PARTITION = 0
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Thing:
    """Something in the picture; places and sizes are in fractions of the picture's width and height."""

    label: str
    path: Callable[[float], Point]
    """The middle of its lower edge, at a part of the scene's time from 0 to 1."""
    width: float = 0.08
    height: float = 0.3
    score: float = 0.6

    def box(self, part: float, size: tuple[int, int]) -> tuple[float, float, float, float] | None:
        """Return x1, y1, x2, y2 in pixels, cut off at the picture's edges; None where it is outside."""
        x, y = self.path(part)
        sides = ((x - self.width / 2, x + self.width / 2), (y - self.height, y))
        (x1, x2), (y1, y2) = ((max(0.0, low), min(1.0, high)) for low, high in sides)
        width, height = size
        left, top, right, bottom = (round(one, 3) for one in (x1 * width, y1 * height, x2 * width, y2 * height))
        return (left, top, right, bottom) if left < right and top < bottom else None


def walks(label: str, start: Point = (0.0, 0.9), end: Point = (1.0, 0.9), **look: float) -> Thing:
    """Return a thing that goes straight from one point to another while its scene lasts. `look` is of `Thing`."""
    (x1, y1), (x2, y2) = start, end
    return Thing(label, lambda part: (x1 + (x2 - x1) * part, y1 + (y2 - y1) * part), **look)


def stands(label: str, at: Point = (0.5, 0.9), **look: float) -> Thing:
    """Return a thing that stays where it is. `look` is of `Thing`."""
    return Thing(label, lambda _part: at, **look)


@dataclass
class Story:
    """One camera's answers, scene by scene; the same words give the same messages, byte for byte.

    Each method adds a scene and returns the story. Iterating gives Detections and Gaps as they lie on Kafka, in order.
    """

    camera_id: str = "gate"
    fps: float = 5.0
    classes: Sequence[str] = ("person", "car", "dog")
    """What was asked; a thing's label is one of them."""
    size: tuple[int, int] = (1920, 1080)
    """Of the source's pictures, in pixels."""
    latency_s: float = 0.08
    """From the capture to the answer."""
    begin_ns: int = BEGIN_NS
    _messages: list[Detections | Gap] = field(default_factory=list, init=False, repr=False)
    _now_ns: int = field(default=0, init=False, repr=False)
    _seq: int = field(default=0, init=False, repr=False)
    _offset: int = field(default=0, init=False, repr=False)
    _run: int = field(default=1, init=False, repr=False)

    def __iter__(self) -> Iterator[Detections | Gap]:
        return iter(list(self._messages))

    def shows(self, seconds: float, *things: Thing) -> Self:
        """Add answers to the frames of so many seconds. Raises ValueError for a label that is not asked for."""
        if strangers := [one.label for one in things if one.label not in self.classes]:
            raise ValueError(f"{strangers[0]!r} is not among the classes {', '.join(self.classes)}")
        frames = round(seconds * self.fps)
        for number in range(frames):
            found = [self._object(one, number / max(1, frames - 1)) for one in things]
            self._messages.append(self._answer([one for one in found if one is not None]))
            self._pass(1)
        return self

    def nothing(self, seconds: float) -> Self:
        """Add answers in which nothing was found."""
        return self.shows(seconds)

    def gap(self, seconds: float, reason: str = GapReason.STALE) -> Self:
        """Add a gap: nobody looked at the frames of so many seconds. Raises ValueError for an unknown reason."""
        first, frames = self._seq, max(1, round(seconds * self.fps))
        self._pass(frames)
        self._messages.append(
            Gap(
                camera_id=self.camera_id, run_id=self._run_id, reason=GapReason(reason),
                first_seq=first, last_seq=self._seq - 1,
            )
        )  # fmt: skip
        return self

    def away(self, seconds: float) -> Self:
        """Add a time in which the camera delivered nothing."""
        begin, self._now_ns = self._time_ns, self._now_ns + int(seconds * NS)
        self._messages.append(
            Gap(
                camera_id=self.camera_id, run_id=self._run_id, reason=GapReason.CAMERA_OFFLINE,
                from_ns=begin, to_ns=self._time_ns,
            )
        )  # fmt: skip
        return self

    def restarts(self) -> Self:
        """Begin another run: the producer was restarted, and numbers its frames from 0 again."""
        self._run, self._seq = self._run + 1, 0
        return self

    def events(self, zones: CameraZones | None = None, rules: Any = None) -> list[Event]:
        """Return what a tracker tells of this story, with its usual rules unless others are given.

        `rules` are groundcam_events.tracking.rules.LifeRules. Raises SettingError where the extra `events` is missing.
        """
        with needs("Story.events", "events"):
            from groundcam_events.tracking.camera import At, Camera, CameraState
            from groundcam_events.tracking.rules import LifeRules
        camera, told = Camera(CameraState(self.camera_id), rules or LifeRules()), []
        camera.change_zones(zones)
        for offset, one in enumerate(self._messages):
            ended_ns = one.captured_at_ns if isinstance(one, Detections) else one.to_ns or self.begin_ns
            told += camera.take(one, At(PARTITION, offset, ended_ns // MS))
        return told

    @property
    def question(self) -> CameraQuestion:
        """What was asked."""
        return CameraQuestion(
            camera_id=self.camera_id, classes=tuple(ClassSpec(phrase=one) for one in self.classes),
            set_by="story", set_at_ns=self.begin_ns,
        )  # fmt: skip

    @property
    def _time_ns(self) -> int:
        return self.begin_ns + self._now_ns

    @property
    def _run_id(self) -> str:
        return f"run-{self._run}"

    def _pass(self, frames: int) -> None:
        self._seq, self._offset = self._seq + frames, self._offset + frames
        self._now_ns += round(frames * NS / self.fps)

    def _object(self, thing: Thing, part: float) -> Object | None:
        box = thing.box(part, self.size)
        if box is None:
            return None
        return Object(label=thing.label, class_id=list(self.classes).index(thing.label), score=thing.score, box=box)

    def _answer(self, objects: list[Object]) -> Detections:
        frame, model = FrameId(self.camera_id, self._run_id, self._seq), Model(name="story")
        at, asked, took = self._time_ns, self.question, int(self.latency_s * NS)
        return Detections(
            id=detections_id(frame, asked.version, model.name, model.revision), camera_id=self.camera_id,
            frame=FrameRef(
                run_id=frame.run_id, seq=frame.seq, topic="groundcam.frames", partition=PARTITION, offset=self._offset
            ),
            captured_at_ns=at, source_width=self.size[0], source_height=self.size[1],
            question=QuestionRef(id=self.camera_id, version=asked.version, classes=asked.labels), model=model,
            objects=tuple(sorted(objects, key=lambda one: -one.score)),
            timings_ns=TimingsNs(
                captured=at, published_to_kafka=(at + took // 5) // MS * MS, consumed=at + took // 4,
                batched=at + took // 3, inferred=at + took - took // 20, published=at + took,
            ),
        )  # fmt: skip
