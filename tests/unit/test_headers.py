"""What a subscriber reads off a record's headers, without its value."""

import json

import pytest

from groundcam_runtime.kafka.record import Record
from groundcam_runtime.topic_contents import contents
from groundcam_schemas import Detections, Frame, Gap, Message, Object, Topics, decode_json, encode, headers_of, packed
from groundcam_schemas.codec import VERSIONS
from groundcam_schemas.examples import examples


def example(kind: type) -> Message:
    found: Message = decode_json(kind, json.dumps(examples()[kind]).encode())  # type: ignore[type-var]
    return found


MESSAGES = [example(kind) for kind in VERSIONS if kind is not Frame]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: type(one).__name__)
def test_a_header_names_the_message_as_its_field_schema_does(message: Message) -> None:
    for as_json in (False, True):
        value, headers = packed(message, as_json=as_json)
        assert dict(headers)["schema"].decode() == VERSIONS[type(message)]
        assert dict(headers)["content-type"] == (b"application/json" if as_json else b"application/msgpack")
        assert value.startswith(b"{") == as_json


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: type(one).__name__)
def test_a_message_is_msgpack_where_nobody_says_json(message: Message) -> None:
    assert packed(message) == packed(message, as_json=False) == (encode(message), headers_of(message))
    assert dict(headers_of(message))["content-type"] == b"application/msgpack"


def test_detections_tell_each_label_once_the_best_first() -> None:
    answer = example(Detections)
    assert isinstance(answer, Detections)
    found = [
        Object(label=label, class_id=number, score=score, box=(0.0, 0.0, 1.0, 1.0))
        for label, number, score in (("open door", 1, 0.9), ("person", 0, 0.8), ("open door", 1, 0.7))
    ]
    headers = headers_of(answer.model_copy(update={"objects": tuple(found)}))
    assert [value for name, value in headers if name == "label"] == [b"open door", b"person"]
    nothing = headers_of(answer.model_copy(update={"objects": ()}))
    assert not [value for name, value in nothing if name == "label"]


def test_a_label_in_any_writing_is_utf_8() -> None:
    answer = example(Detections)
    assert isinstance(answer, Detections)
    found = Object(label="Gabelstapler, größer", class_id=0, score=0.5, box=(0.0, 0.0, 1.0, 1.0))
    assert ("label", "Gabelstapler, größer".encode()) in headers_of(answer.model_copy(update={"objects": (found,)}))


def test_gaps_states_and_events_tell_what_they_are_about() -> None:
    about = {type(one).__name__: {name: value.decode() for name, value in headers_of(one)[2:]} for one in MESSAGES}
    assert about["Gap"] == {"reason": "stale"}
    assert about["CameraStatus"] == {"state": "online"}
    assert about["WorkerStatus"] == {"state": "ready"}
    assert about["Event"] == {"cause": "ended", "type": "end", "label": "person"}
    assert about["ObjectsNow"] == about["CameraQuestion"] == {}


def test_every_header_of_every_message_is_described() -> None:
    """In the AsyncAPI document, and in no other words elsewhere."""
    for content in contents(Topics()).values():
        told = {one.name for one in content.headers}
        for message in MESSAGES:
            if type(message) in content.holds and "groundcam-undelivered-hook" not in told:
                assert {name for name, _ in headers_of(message)} <= told, type(message).__name__


def test_the_longest_answer_counts_its_headers() -> None:
    """A record's size, by which answers that Kafka would refuse become gaps, has them in it."""
    answer = example(Gap)
    record = Record.of("groundcam.detections", answer, "gate", headers=(("traceparent", b"00-1"),))
    assert record.value == encode(answer)
    assert dict(record.headers) == {**dict(headers_of(answer)), "traceparent": b"00-1"}
    assert record.size > len(encode(answer)) + sum(len(name) + len(value) for name, value in record.headers)


def test_what_takes_back_has_no_value_and_no_headers() -> None:
    record = Record.of("groundcam.prompts", None, "gate")
    assert (record.value, record.headers) == (None, ())
