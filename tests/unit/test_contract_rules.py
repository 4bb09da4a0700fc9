"""Rules of the contract that no single field shows: names of topics, replies, versions and thresholds of questions."""

import json
from typing import Any

import pytest

from groundcam_schemas import Question, Reply, SchemaError, Topics, decode_json
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
    versions = {Question.of("a", max_objects=most).version for most in (1, 999, 1000)}
    assert len(versions) == 3
    assert Question.of("a", max_objects=1000).version == Question.of("a").version


def test_a_decoy_competes_from_the_lowest_threshold_on() -> None:
    classes = (ClassSpec(phrase="a", box_threshold=0.5), ClassSpec(phrase="b", box_threshold=0.2))
    question = Question(classes=classes, decoys=("c", "d"), box_threshold=0.4)
    assert [question.threshold_of(number) for number in range(4)] == [0.5, 0.2, 0.2, 0.2]
    assert Question.of("a", "b", decoys=("c",), box_threshold=0.4).threshold_of(2) == 0.4


def test_with_scores_of_all_classes_a_message_has_room_for_18500_entries() -> None:
    """Thirteen of each object, and one of each class."""
    for classes, most in ((1, 1000), (10, 804), (100, 163), (500, 36)):
        question = Question.of(*(f"class {number}" for number in range(classes)), class_scores=True)
        assert question.most_objects == most
