"""Topics with what cameras' frames led to, for the examples to read: answers, gaps, events, pictures."""

import uuid
from dataclasses import dataclass
from functools import cached_property

from conftest import Program, Start, make_topics, until
from footage import publisher, video
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Event, Gap, GapReason, decode, decode_answer
from groundcam_schemas.headers import Header, packed
from walks import answer, found

NS = 1_000_000_000
CLASSES = ("person", "forklift")
JSON = {
    "GROUNDCAM_PRODUCE__JSON_REPORTS": "true",
    "GROUNDCAM_WORK__JSON_ANSWERS": "true",
    "GROUNDCAM_TRACK__JSON_EVENTS": "true",
}


@dataclass(frozen=True)
class Filled:
    """Topics with all that was found, which nobody writes to any more. What was read once is kept."""

    kafka: KafkaSettings

    def records(self, topic: str) -> list[Consumed]:
        with Reader(self.kafka, [topic], start="beginning") as reader:
            return list(reader.to_the_end())

    @cached_property
    def _values(self) -> list[bytes]:
        return [record.value or b"" for record in self.records(self.kafka.topics.detections)]

    @cached_property
    def answers(self) -> list[Detections | Gap]:
        return [decode_answer(value) for value in self._values]

    @cached_property
    def in_json(self) -> list[Detections | Gap]:
        """Those that who reads JSON alone finds: what was written before that was asked for lies among them."""
        found = [decode_answer(value) for value in self._values if value.startswith(b"{")]
        assert len(found) < len(self.answers)
        return found

    @cached_property
    def detections(self) -> list[Detections]:
        return [one for one in self.answers if isinstance(one, Detections)]

    @cached_property
    def events(self) -> list[Event]:
        return [decode(Event, record.value or b"") for record in self.records(self.kafka.topics.events)]

    @cached_property
    def pictures(self) -> dict[str, bytes]:
        """By event id."""
        records = self.records(self.kafka.topics.pictures)
        return {(record.key or b"").decode(): record.value for record in records if record.value}


def fill(cluster: str, start: Start) -> dict[bool, Filled]:
    """Play the same clip twice at once; returns whether it is JSON, and what lies there in the end."""
    found = {}
    for as_json in (True, False):
        settings = KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}.")
        found[as_json] = Filled(make_topics(settings))
    workers = [_answer(one, start, JSON if as_json else {}) for as_json, one in found.items()]
    until(lambda: all("waiting for frames" in one.log for one in workers), 60, "the workers")
    producers = [_play(one, start, JSON if as_json else {}) for as_json, one in found.items()]
    for one, producer in zip(found.values(), producers, strict=True):
        assert producer.process.wait(60) == 0, producer.log
        until(lambda: _is_complete(one.kafka), 60, "answers and pictures")  # noqa: B023 - called at once
    publish(found[True].kafka, *_before(), as_json=False)
    for as_json, one in found.items():
        publish(one.kafka, _away(one.detections), as_json=as_json)
    return {as_json: Filled(one.kafka) for as_json, one in found.items()}


def _answer(one: Filled, start: Start, variables: dict[str, str]) -> Program:
    """Ask one camera for one class, another for several of which some are not there, and a third for nothing."""
    start(one.kafka, "track", "--from-beginning", **variables)
    questions = ("--question", "gate=person", "--question", "yard=person, forklift, open door")
    return start(one.kafka, "work", "--model", "fake", *questions, module="several_worker", **variables)


def _play(one: Filled, start: Start, variables: dict[str, str]) -> Program:
    cameras = [word for name in ("gate", "yard", "cellar") for word in ("--camera", f"{name}={video('bikes.mp4')}")]
    return start(one.kafka, "produce", *cameras, **variables)


def _is_complete(kafka: KafkaSettings) -> bool:
    now = Filled(kafka)
    return (
        bool(now.pictures) and set(now.pictures) == {one.id for one in now.events} and not totals(audit(kafka)).missing
    )


def _before() -> tuple[Detections, Gap]:
    """What a worker wrote that was not told to write JSON; of a camera of its own, so that no object ends by it."""
    gap = Gap(camera_id="attic", run_id="run-1", reason=GapReason.STALE, first_seq=2, last_seq=3)
    return look(1, 1, "forklift", "person").model_copy(update={"camera_id": "attic"}), gap


def _away(answers: list[Detections]) -> Gap:
    """A range of time after all answers, which a file that is played never leaves."""
    from_ns = max(one.captured_at_ns for one in answers) + NS
    return Gap(
        camera_id="gate", run_id="later", reason=GapReason.CAMERA_OFFLINE, from_ns=from_ns, to_ns=from_ns + 90 * NS + 1
    )


def look(seq: int, at_s: float, *labels: str, classes: tuple[str, ...] = CLASSES) -> Detections:
    """An answer in which these labels were found, side by side, so many seconds after the beginning."""
    boxes = [(60.0 * place, 2.0, 60.0 * place + 30, 40.0) for place in range(len(labels))]
    things = [found(label, box, classes=classes) for label, box in zip(labels, boxes, strict=True)]
    return answer(seq, at_s, things, classes=classes)


def publish(kafka: KafkaSettings, *messages: Detections | Gap, as_json: bool) -> None:
    """Put more answers on the detections topic, as groundcam does."""
    put(kafka, kafka.topics.detections, *(packed(one, as_json=as_json) for one in messages))


def put(kafka: KafkaSettings, topic: str, *records: tuple[bytes, tuple[Header, ...]], key: str = "gate") -> None:
    """Put any values with their headers on a topic's first partition, in order."""
    with publisher(kafka) as out:
        for value, headers in records:
            out.send(Record(topic, value, key, 0, headers))
        out.flush(30)
        assert not out.unfinished
