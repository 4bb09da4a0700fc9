"""Frames of the loop made by hand: records of a partition that is ours, parsed and claimed."""

from typing import Any

from footage import frame, jpeg
from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.records import Assigned, Consumed, Partition, Position
from groundcam_schemas import Question, QuestionRef, encode
from groundcam_worker.frames import Admitted, Answered, Received, Stamps, answered
from groundcam_worker.parse import ParsedFrame, parse

PARTITION = Partition("frames", 0)
WIDE = jpeg(1, 64, 16)
"""64 pixels wide, 16 high."""
QUESTION = Question.of("person")
REFERENCE = QuestionRef(id="*", version=QUESTION.version, classes=QUESTION.labels)


def ours(suspects: int = 0, note: str = "") -> Assignment:
    """An assignment of one partition, from its beginning."""
    assignment = Assignment(suspects)
    assignment.arrive(Assigned({PARTITION: Position(0, note)}, 1))
    return assignment


def record(offset: int, camera: str = "gate", value: bytes | None = None, **fields: Any) -> Consumed:
    """A record of that partition: a frame in our envelope where no value is given."""
    body = encode(frame(camera, offset, WIDE)) if value is None else value
    return Consumed(PARTITION, offset, 1000, camera.encode(), body, (), 0, **fields)


def received(
    assignment: Assignment, offset: int, camera: str = "gate", value: bytes | None = None, *, is_live: bool = True
) -> Received:
    """A frame that waits for admission."""
    one = record(offset, camera, value)
    parsed = parse(one, 10**6)
    assert isinstance(parsed, ParsedFrame)
    claim = assignment.begin(one, parsed.id)
    assert claim is not None
    return Received(claim, one, parsed, is_live)


def an_answer(frame: Received, **stamps: int) -> Answered:
    """The frame with no objects in it."""
    return answered(Admitted(frame, REFERENCE, QUESTION, 1, 5), (), Stamps(**stamps))
