"""Send a frame to each partition, and see whether it is answered: the whole path but for the camera."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from groundcam_runtime.kafka.connect import describe
from groundcam_runtime.kafka.errors import RefusedError, UnreachableError
from groundcam_runtime.kafka.publisher import Delivery, Publisher
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.printable import printable
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import (
    Detections,
    Frame,
    Gap,
    Question,
    SchemaError,
    decode_answer,
)
from groundcam_schemas.identity import PROBE

WIDTH, HEIGHT = 320, 180
"""Of the picture that comes with the package: a red circle and a blue square."""
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Probed:
    """What became of the frame on one partition."""

    partition: int
    answer: Detections | Gap | None
    """None where none came in time."""
    seconds: float
    """From the capture, which is the sending, to the answer's arrival here."""

    @property
    def is_answered(self) -> bool:
        """Whether somebody looked."""
        return isinstance(self.answer, Detections)

    def __str__(self) -> str:
        if isinstance(self.answer, Detections):
            found = ", ".join(printable(one.label) for one in self.answer.objects) or "nothing found"
            by = printable(self.answer.model.name)
            outcome = f"answered after {self.seconds * 1000:.0f} ms by {by}: {found}"
        elif self.answer is not None:
            outcome = f"not looked at: {self.answer.reason.value}"
        else:
            outcome = f"no answer after {self.seconds:.0f} s"
        return f"partition {self.partition}: {outcome}"


def probe(
    settings: KafkaSettings, question: Question, timeout_s: float, *, go_on: Callable[[], bool] = lambda: True
) -> Iterator[Probed]:
    """Send one frame to each partition of the frames; yield what becomes of each, as it comes. Raises KafkaProblem.

    The frames bring their question along, so that no camera's own is touched.
    """
    topics = settings.topics
    admin = TopicAdmin(settings)
    try:
        partitions = admin.require([topics.frames, topics.detections])[topics.frames]
    finally:
        admin.close()
    picture, run_id = files("groundcam").joinpath("probe.jpg").read_bytes(), uuid.uuid4().hex
    publisher = Publisher(settings, max_waiting_bytes=16_000_000, max_record_bytes=1_000_000)
    waiting: dict[int, int] = {}
    with Reader(settings, [topics.detections], start="end") as reader:
        try:
            for number in range(partitions):
                waiting[number] = time.time_ns()
                frame = Frame(
                    camera_id=PROBE, run_id=run_id, seq=number, captured_at_ns=waiting[number],
                    width=WIDTH, height=HEIGHT, source_width=WIDTH, source_height=HEIGHT,
                    data=picture, question=question,
                )  # fmt: skip
                publisher.send(Record.of(topics.frames, frame, PROBE, number))
            deadline = time.monotonic() + timeout_s
            while waiting and time.monotonic() < deadline and go_on():
                _require_taken(publisher.poll())
                for record in reader.poll(POLL_S):
                    for number, answer in _answers(record.value, run_id):
                        if number in waiting:
                            yield Probed(number, answer, (time.time_ns() - waiting.pop(number)) / 1e9)
            _require_taken(publisher.poll())
            if publisher.unfinished and go_on():
                why = f" ({publisher.trouble})" if publisher.trouble else ""
                raise UnreachableError(
                    f"Kafka at {settings.bootstrap_servers} has not taken {publisher.unfinished} of {partitions}"
                    f" pictures for {topics.frames} in {timeout_s:.0f} s{why}"
                )
        finally:
            publisher.close()
    for number, sent_ns in waiting.items():
        yield Probed(number, None, (time.time_ns() - sent_ns) / 1e9)


def _require_taken(finished: list[Delivery]) -> None:
    """Raise RefusedError for a picture that Kafka does not take."""
    for one in finished:
        if one.error is not None:
            raise RefusedError(f"Kafka refuses the picture for {one.record.topic}: {describe(one.error)}")


def _answers(value: bytes | None, run_id: str) -> Iterator[tuple[int, Detections | Gap]]:
    """Yield which of our frames an answer is about."""
    try:
        answer = decode_answer(value or b"")
    except SchemaError:
        return  # somebody else's
    if answer.camera_id != PROBE:
        return
    if isinstance(answer, Detections):
        if answer.frame.run_id == run_id:
            yield answer.frame.seq, answer
    elif answer.run_id == run_id and answer.first_seq is not None and answer.last_seq is not None:
        for number in range(answer.first_seq, answer.last_seq + 1):
            yield number, answer
