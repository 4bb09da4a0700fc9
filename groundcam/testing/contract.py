"""Everything that a subscriber has to take, case by case: what is rare in a quiet stream, and happens on a bad day."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgpack

from groundcam.testing.story import Story, stands, walks
from groundcam.testing.stream import Recorded, Stream
from groundcam_schemas import Cause, Detections, Event, EventType, Gap, GapReason, Object, encode
from groundcam_schemas.examples import examples
from groundcam_schemas.limits import MAX_OBJECTS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Case:
    """Something that may lie on a topic."""

    name: str
    why: str
    """When it happens, and what a subscriber does then."""
    stream: Stream

    def __str__(self) -> str:
        """Its name, as test reports show it."""
        return self.name

    @property
    def answers(self) -> list[Detections | Gap]:
        """What groundcam's own `subscribe` makes of it, repeats included; what it passes over is not there."""
        return list(self.stream.answers)


def cases(*, as_json: bool = False) -> tuple[Case, ...]:
    """Return every case, in either form of the messages."""
    return tuple(Case(name, why, Stream.of(messages, as_json=as_json)) for name, why, messages in _messages()) + tuple(
        Case(name, why, Stream(records)) for name, why, records in _records()
    )


def redelivered(messages: Iterable[T], seed: int = 0, share: float = 0.1) -> Iterator[T]:
    """Yield messages as a reader sees them that is stopped now and then: some of the last ones come again, in order.

    Whoever handles each message as often as it comes, and ends in another state than without, loses or doubles.
    """
    chance, kept = random.Random(seed), list[T]()  # noqa: S311 - the same again for the same seed
    for one in messages:
        kept = [*kept[-19:], one]
        yield one
        if chance.random() < share:
            yield from kept[-chance.randint(1, len(kept)) :]


def _messages() -> Iterator[tuple[str, str, list[Detections | Gap]]]:
    seen = Story().shows(1, stands("person"))
    answers = [one for one in seen if isinstance(one, Detections)]
    yield "nothing found", "Most frames of most cameras: an answer without objects.", list(Story().nothing(1))
    yield "twice", "Delivery is at least once: the same answer comes again.", [answers[0], answers[0], *answers[1:]]
    yield (
        "two questions",
        "A frame may be asked two questions: two ids, one frame.",
        [answers[0], _asked_else(answers[0])],
    )
    yield "as many objects as there can be", "A crowd, or a low threshold.", [_crowd(answers[0])]
    yield "odd labels", "A label is any text that people asked for.", list(_odd_labels())
    yield (
        "at the edges",
        "Boxes end at the picture's edges, and need not be whole pixels.",
        list(Story().shows(1, walks("person", (0.0, 1.0), (1.0, 0.2)))),
    )
    for reason in GapReason:
        yield (
            f"gap: {reason.value}",
            "Nobody looked at these frames: that is not `nothing found`.",
            list(Story().shows(1, stands("car")).gap(2, reason).shows(1, stands("car"))),
        )
    yield (
        "away",
        "A camera that delivers nothing is a gap by time, without numbers of frames.",
        list(Story().nothing(1).away(60).nothing(1)),
    )
    yield (
        "restarted",
        "A producer that is started again begins at 0, in another run.",
        list(Story().shows(1, stands("dog")).restarts().shows(1, stands("dog"))),
    )
    early = Story(begin_ns=seen.begin_ns - 3600 * 10**9).shows(1, stands("person"))
    yield "clock set back", "Capture times may go back; the order on Kafka holds.", [*answers, *early.restarts()]
    yield "another size", "A camera's pictures may change their size at any time.", [
        *answers, *Story(size=(640, 480)).restarts().shows(1, stands("person"))
    ]  # fmt: skip
    gate, yard = Story("gate").shows(1, stands("car")), Story("yard").shows(1, stands("dog"))
    yield (
        "two cameras",
        "Cameras take turns; only one camera's messages are in order.",
        [one for pair in zip(gate, yard, strict=True) for one in pair],
    )
    yield "unknown camera", "A camera may be added while you run.", list(Story("new-1.b_2").nothing(1))


def _records() -> Iterator[tuple[str, str, tuple[Recorded, ...]]]:
    answer, gap = list(Story().shows(0.2, stands("person")).gap(1))
    newer = msgpack.unpackb(encode(answer))
    newer |= {"schema": "detections/1.99", "mood": {"of": ["the", "day"]}}
    newer["objects"][0]["depth_m"] = 4.5
    yield "newer", "A newer minor version has fields that you do not know: pass over them.", (_raw(newer),)
    reason = msgpack.unpackb(encode(gap)) | {"schema": "gap/1.99", "reason": "solar_eclipse"}
    yield "new reason", "A newer minor version may have a value that you do not know: take it as another.", (
        Recorded.of(answer), _raw(reason), Recorded.of(answer),
    )  # fmt: skip
    major = {"schema": "detections/2.0", "camera_id": "gate"}
    yield "next major", "A message of another major version is refused, never read as one of this.", (
        _raw(major), Recorded.of(answer),
    )  # fmt: skip
    yield "no headers", "A record need not have headers: its bytes say what it is.", (
        Recorded("detections", b"gate", encode(answer)),
    )  # fmt: skip
    yield "both forms", "While a setting is changed, one topic has msgpack and JSON.", (
        Recorded.of(answer), Recorded.of(gap, as_json=True), Recorded.of(answer, as_json=True),
    )  # fmt: skip
    yield "no message", "Whatever else lies there is passed over, and what comes after it is read.", (
        Recorded("detections", b"gate", b"\xff\x00 is no message"), Recorded("detections", None, b""),
        Recorded("detections", b"gate", None), Recorded.of(answer),
    )  # fmt: skip
    event = Event.model_validate(examples()[Event])
    before = {"n": event.n - 1, "type": EventType.UPDATE, "cause": Cause.STILL_THERE, "end": None}
    earlier = event.model_copy(update=before)
    yield "an end without a beginning", "Who begins late hears of ends of objects that it has not heard of.", (
        Recorded.of(event),
    )  # fmt: skip
    yield "events twice", "An event comes again, also after later ones: `id` and `n` tell.", (
        Recorded.of(earlier), Recorded.of(event), Recorded.of(earlier), Recorded.of(event),
    )  # fmt: skip
    yield "other topics", "Events and answers may come to one reader.", (
        Recorded.of(answer), Recorded.of(event), Recorded.of(answer),
    )  # fmt: skip


def _raw(content: object) -> Recorded:
    return Recorded("detections", b"gate", bytes(msgpack.packb(content)))


def _asked_else(answer: Detections) -> Detections:
    question = answer.question.model_copy(update={"id": "frame", "version": "0123456789abcdef"})
    return answer.model_copy(update={"id": f"{answer.id[:-4]}ffff", "question": question})


def _crowd(answer: Detections) -> Detections:
    whole = Object(label="person", class_id=0, score=0.3, box=(0.0, 0.0, 1920.0, 1080.0))
    return answer.model_copy(update={"objects": (whole,) * MAX_OBJECTS})


def _odd_labels() -> Iterator[Detections | Gap]:
    labels = (
        "forklift, red",
        'a "quoted" word',
        "ein Gabelstapler, größer",
        "人",
        "شخص",
        "x" * 256,
        "<b>bold</b>",
        "%s{}",
    )
    yield from Story(classes=labels).shows(0.2, *(stands(one) for one in labels))
