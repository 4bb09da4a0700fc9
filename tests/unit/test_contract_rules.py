"""Rules of the contract that no single field shows: names of topics, replies, versions and thresholds of questions."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from footage import frame
from groundcam_schemas import (
    CameraZones,
    Frame,
    Line,
    Question,
    Reply,
    SchemaError,
    Severity,
    Topics,
    WorkerStatus,
    Zone,
    decode_json,
)
from groundcam_schemas.codec import VERSIONS
from groundcam_schemas.examples import examples
from groundcam_schemas.questions import ClassSpec

NAMES = {
    "frames": "frames", "recordings": "recordings", "detections": "detections", "prompts": "prompts",
    "cameras": "cameras", "requests": "requests", "replies": "replies", "dead_letters": "dead-letters",
    "attempts": "attempts", "workers": "workers", "events": "events", "objects": "objects", "zones": "zones",
    "tracks": "tracks", "pictures": "pictures", "undelivered": "undelivered",
}  # fmt: skip


def test_topics_have_the_names_that_others_subscribe_to() -> None:
    found = {name for name, one in vars(Topics).items() if isinstance(one, property)}
    assert found == set(NAMES)
    for name, topic in NAMES.items():
        assert getattr(Topics(), name) == f"groundcam.{topic}"
        assert getattr(Topics("site-b."), name) == f"site-b.{topic}"


def reply(**changes: Any) -> Reply:
    """The example of a reply, changed; a field that is to be None is left out."""
    content = {name: value for name, value in (examples()[Reply] | changes).items() if value is not None}
    return decode_json(Reply, json.dumps(content).encode())


def test_a_reply_is_an_answer_or_says_why_there_is_none() -> None:
    answer = reply(problem=None).answer
    assert answer is not None
    declined = reply(answer=None, problem="expired", detail="too late")
    assert (declined.answer, declined.problem) == (None, "expired")
    with pytest.raises(SchemaError):
        reply(answer=None, problem=None)
    with pytest.raises(SchemaError):
        reply(problem="expired")


def test_every_choice_of_how_many_objects_is_another_question() -> None:
    for overlap in (None, 0.7):
        plain = Question.of("a").model_copy(update={"nms_iou": overlap})
        versions = {plain.model_copy(update={"max_objects": most}).version for most in (1, 999, 1000)}
        assert len(versions) == 3
        assert plain.version in versions


def test_a_decoy_competes_from_the_lowest_threshold_on() -> None:
    classes = (ClassSpec(phrase="a", box_threshold=0.5), ClassSpec(phrase="b", box_threshold=0.2))
    question = Question(classes=classes, decoys=("c", "d"), box_threshold=0.4)
    assert [question.threshold_of(number) for number in range(4)] == [0.5, 0.2, 0.2, 0.2]
    assert Question.of("a", "b", decoys=("c",), box_threshold=0.4).threshold_of(2) == 0.4


def test_with_scores_of_all_classes_a_message_has_room_for_18500_entries() -> None:
    """Thirteen of each object, and one of each class."""
    for classes, most in ((1, 1000), (8, 880), (10, 804), (24, 500), (100, 163), (500, 36)):
        question = Question.of(*(f"class {number}" for number in range(classes)), class_scores=True)
        assert question.most_objects == most


def test_a_zone_that_says_no_more_asks_for_no_stay_and_has_no_date() -> None:
    zones = CameraZones(camera_id="gate", zones=(Zone(name="yard", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),))
    assert (zones.zones[0].dwell_s, zones.set_at_ns) == (0.0, 0)


def test_severities_are_compared_by_their_order() -> None:
    assert [one.rank for one in (Severity.INFO, Severity.WARNING, Severity.ALERT)] == [0, 1, 2]


def test_a_worker_that_says_no_more_has_no_partitions() -> None:
    content = {name: value for name, value in examples()[WorkerStatus].items() if name != "partitions"}
    assert decode_json(WorkerStatus, json.dumps(content).encode()).partitions == 0


def test_a_line_may_run_in_any_direction_and_has_a_length() -> None:
    for end in ((0.1, 0.9), (0.9, 0.1), (0.5, 0.1), (0.1, 0.5)):
        assert Line(name="door", start=(0.5, 0.5), end=end).end == end
    with pytest.raises(ValueError, match="the same point"):
        Line(name="door", start=(0.5, 0.5), end=(0.5, 0.5))


def parts(one: object) -> Iterator[BaseModel]:
    """Yield a message and what it is made of."""
    if isinstance(one, BaseModel):
        yield one
        for name in type(one).model_fields:
            yield from parts(getattr(one, name))
    elif isinstance(one, tuple):
        for part in one:
            yield from parts(part)


@pytest.mark.parametrize("kind", VERSIONS, ids=lambda kind: kind.__name__)
def test_a_message_and_what_it_is_made_of_cannot_be_changed(kind: type[Any]) -> None:
    message = frame("gate", 0, b"x") if kind is Frame else decode_json(kind, json.dumps(examples()[kind]).encode())
    for part in parts(message):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, next(iter(type(part).model_fields)), None)
