"""The wire contract: what is read, what is refused, and what a refusal says."""

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from groundcam_schemas import (
    Attempt,
    CameraQuestion,
    CameraState,
    CameraStatus,
    CameraZones,
    Detections,
    Event,
    Frame,
    FrameId,
    Gap,
    GapReason,
    ObjectsNow,
    Question,
    Reply,
    SchemaError,
    UnsupportedVersionError,
    WorkerStatus,
    decode,
    decode_answer,
    decode_json,
    detections_id,
    encode,
    encode_json,
    event_id,
    raw_frame_id,
)
from groundcam_schemas.export import json_schemas

GOLDEN = Path(__file__).parent.parent / "golden"
KINDS: dict[str, Any] = {
    "frame": Frame,
    "detections": Detections,
    "gap": Gap,
    "question": CameraQuestion,
    "camera-status": CameraStatus,
    "attempt": Attempt,
    "worker-status": WorkerStatus,
    "reply": Reply,
    "event": Event,
    "objects": ObjectsNow,
    "zones": CameraZones,
}


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def changed(name: str, **fields: Any) -> bytes:
    """A golden message with some fields replaced."""
    return bytes(msgpack.packb({**msgpack.unpackb(golden(f"{name}-1.0.msgpack")), **fields}))


def with_box(*box: float) -> bytes:
    content = msgpack.unpackb(golden("detections-1.0.msgpack"))
    content["objects"][0]["box"] = list(box)
    return bytes(msgpack.packb(content))


@pytest.mark.parametrize("file", sorted(path.name for path in GOLDEN.glob("*.msgpack")))
def test_bytes_of_every_minor_version_are_read(file: str) -> None:
    message = decode(KINDS[file.rpartition("-")[0]], golden(file))
    assert isinstance(message, WorkerStatus) or message.camera_id == "gate"


def test_what_version_1_1_added_to_a_question_is_read() -> None:
    question = decode(CameraQuestion, golden("question-1.1.msgpack"))
    assert (question.nms_iou, question.max_objects) == (0.6, 20)
    frame = decode(Frame, golden("frame-1.1.msgpack"))
    assert frame.question is not None
    assert (frame.question.nms_iou, frame.question.max_objects) == (0.6, 20)
    old = decode(CameraQuestion, golden("question-1.0.msgpack"))
    assert (old.nms_iou, old.max_objects) == (0.7, 1000)


def test_what_version_1_2_added_to_a_question_is_read() -> None:
    question = decode(CameraQuestion, golden("question-1.2.msgpack"))
    assert (question.nms_across, question.decoys) == (True, ("shadow", "poster of a person"))
    frame = decode(Frame, golden("frame-1.2.msgpack"))
    assert frame.question is not None
    assert frame.question.decoys == ("shadow",)
    old = decode(CameraQuestion, golden("question-1.1.msgpack"))
    assert (old.nms_across, old.decoys) == (False, ())


def test_what_version_1_1_added_to_a_cameras_state_is_read() -> None:
    status = decode(CameraStatus, golden("camera-status-1.1.msgpack"))
    assert (status.producer, status.twin) == ("pod-1/7/0a1b2c3d", "laptop/4711/99aabbcc")
    assert decode(CameraStatus, golden("camera-status-1.2.msgpack")).name == "Front gate"
    old = decode(CameraStatus, golden("camera-status-1.0.msgpack"))
    assert (old.producer, old.twin) == ("", None)


def test_golden_frame_says_what_was_written() -> None:
    frame = decode(Frame, golden("frame-1.0.msgpack"))
    assert (frame.seq, frame.width, frame.source_height, frame.pts_ns) == (7, 960, 1080, 280_000_000)
    assert frame.data.startswith(b"\xff\xd8\xff\xe0")
    assert frame.question is not None
    assert frame.question.labels == ("person", "open door")
    assert frame.question.threshold_of(0) == 0.25
    assert frame.question.threshold_of(1) == 0.5


def test_golden_detections_keep_their_id_for_ever() -> None:
    answer = decode(Detections, golden("detections-1.0.msgpack"))
    frame = FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq)
    again = detections_id(frame, answer.question.version, answer.model.name, answer.model.revision)
    assert answer.id == again
    asked = decode(CameraQuestion, golden("question-1.0.msgpack"))
    # Overlapping boxes were kept then: so asked, it is the same question; as it is asked today, it is another.
    assert asked.model_copy(update={"nms_iou": None}).version == answer.question.version != asked.version


def test_detections_are_the_same_in_json() -> None:
    answer = decode(Detections, golden("detections-1.0.msgpack"))
    assert decode_json(Detections, golden("detections-1.0.json")) == answer
    assert decode_answer(encode_json(answer)) == answer


def test_detections_topic_holds_gaps_too() -> None:
    gap = decode_answer(golden("gap-1.0.msgpack"))
    assert isinstance(gap, Gap)
    assert gap.reason is GapReason.STALE


def test_a_frame_has_no_json_form() -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        encode_json(decode(Frame, golden("frame-1.0.msgpack")))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (changed("frame", camera_id=""), "camera_id"),
        (changed("frame", camera_id="a/b"), "camera_id"),
        (changed("frame", camera_id=7), "camera_id"),
        (changed("frame", seq=-1), "seq"),
        (changed("frame", seq="7"), "seq"),
        (changed("frame", seq=2**63), "seq"),
        (changed("frame", seq=7.0), "seq"),
        (changed("frame", width=0), "width"),
        (changed("frame", encoding="gif"), "encoding"),
        (changed("frame", data="text"), "data"),
        (changed("frame", data=b""), "data"),
        (changed("frame", schema="detections/1.0"), "schema"),
        (changed("frame", schema="frame"), "schema"),
        (changed("frame", schema=None), "schema"),
        (changed("frame", question={"classes": []}), "question.classes"),
        (changed("frame", question={"classes": [{"phrase": "a"}, {"phrase": "a"}]}), "question.classes"),
        (changed("frame", question={"classes": [{"phrase": "a", "box_threshold": 1.5}]}), "question.classes.0.box_threshold"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field(data: bytes, field: str) -> None:
    with pytest.raises(SchemaError) as refused:
        decode(Frame, data)
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field}: ")


@pytest.mark.parametrize(
    "box",
    [
        (10.0, 10.0, 5.0, 20.0),
        (10.0, 10.0, 10.0, 20.0),
        (float("nan"), 0.0, 1.0, 1.0),
        (0.0, 0.0, float("inf"), 1.0),
        (-1.0, 0.0, 1.0, 1.0),
        (0.0, 0.0, 1921.0, 1.0),
        (0.0, 0.0, 1.0, 1081.0),
    ],
)
def test_a_box_that_is_none_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(SchemaError):
        decode(Detections, with_box(*box))


def test_a_label_that_was_not_asked_for_is_refused() -> None:
    content = msgpack.unpackb(golden("detections-1.0.msgpack"))
    content["objects"][0]["label"] = "door person"
    with pytest.raises(SchemaError, match="label"):
        decode(Detections, msgpack.packb(content))


def test_an_unknown_major_version_is_told_apart() -> None:
    with pytest.raises(UnsupportedVersionError, match="frame/2"):
        decode(Frame, changed("frame", schema="frame/2.0"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgpack.packb([1, 2]),
        msgpack.packb({1: 2}),
        golden("frame-1.0.msgpack") + b"\x00",
        golden("frame-1.0.msgpack")[:-1],
        msgpack.packb({"schema": msgpack.ExtType(4, b"x")}),
        msgpack.packb({"schema": msgpack.Timestamp(1)}),
        msgpack.packb({"schema": msgpack.ExtType(4, b"")}),
        b"\x82\xa1a\x01\xa1a\x02",
        b"\x81\xa1\xff\x01",
        b"\x91" * 5000 + b"\xc0",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ],
)
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(SchemaError):
        decode(Frame, data)


def test_nesting_cannot_turn_few_bytes_into_much_memory() -> None:
    """A megabyte of empty lists would be sixty megabytes of objects."""
    many = b"\x81\xa1a" + b"\xdc\x03\xe8" + (b"\xdc\x03\xe8" + b"\x90" * 1000) * 1000
    with pytest.raises(SchemaError, match="entries"):
        decode(Frame, many)


def test_a_message_over_its_limit_is_not_even_read() -> None:
    with pytest.raises(SchemaError, match="bytes long"):
        decode(Gap, b"\x00" * (1024 * 1024 + 1))
    with pytest.raises(SchemaError, match="bytes long"):
        decode_answer(b" " * (1024 * 1024 + 1))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"schema": 5}', b"\xff", b"[" * 100_000])
def test_json_that_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(SchemaError):
        decode_answer(data)


@pytest.mark.parametrize(
    "ranges",
    [
        {},
        {"first_seq": 5},
        {"first_seq": 5, "last_seq": 4},
        {"from_ns": 5},
        {"from_ns": 5, "to_ns": 4},
    ],
)
def test_a_gap_needs_a_range(ranges: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"range|gap"):
        Gap(camera_id="gate", run_id="r", reason=GapReason.STALE, **ranges)


def test_equal_questions_have_equal_versions_and_others_do_not() -> None:
    assert Question.of("a", "b").version == Question.of("a", "b").version
    others = [
        Question.of("b", "a"),
        Question.of("a"),
        Question.of("a", "b", box_threshold=0.31),
        Question.of("a", "b", text_threshold=0.1),
    ]
    assert len({ask.version for ask in [Question.of("a", "b"), *others]}) == 5


def test_a_frame_without_an_envelope_is_known_by_its_place() -> None:
    assert raw_frame_id("gate", "groundcam.frames", 2, 41) == ("gate", "@groundcam.frames/2", 41)


def test_every_message_has_a_schema_that_its_golden_form_fits() -> None:
    schemas = json_schemas()
    assert sorted(schemas) == [f"{name}.schema.json" for name in sorted([*KINDS, "dead-letter"])]
    for name in KINDS:
        newest = max(GOLDEN.glob(f"{name}-1.*.msgpack"))
        as_json = newest.with_suffix(".json")
        content = json.loads(as_json.read_bytes()) if as_json.exists() else msgpack.unpackb(newest.read_bytes())
        assert set(schemas[f"{name}.schema.json"]["required"]) <= set(content)
        assert set(content) == set(schemas[f"{name}.schema.json"]["properties"])


def test_a_status_round_trips() -> None:
    status = CameraStatus(camera_id="gate", state=CameraState.REFUSED, since_ns=1, url="rtsp://h/x")
    assert decode(CameraStatus, encode(status)) == status


def test_golden_events_say_what_was_written_and_are_the_same_in_json() -> None:
    event = decode(Event, golden("event-1.0.msgpack"))
    assert (event.n, event.type, event.cause, event.label) == (7, "end", "ended", "person")
    assert event.id == event_id(FrameId("gate", "018bcfe5687b-0a1b2c", 40), 1)
    assert event.end is not None
    assert (event.end.reason, event.zones[0].name, event.lines[0].direction) == ("left", "yard", "in")
    assert decode_json(Event, encode_json(event)) == event
    now = decode(ObjectsNow, golden("objects-1.0.msgpack"))
    assert [one.type for one in now.objects] == ["new"]
    zones = decode(CameraZones, golden("zones-1.0.msgpack"))
    assert zones.version == event.zones_version, "equal zones have equal versions, for ever"
    assert zones.model_copy(update={"set_by": "another", "set_at_ns": 1}).version == zones.version
    assert zones.model_copy(update={"lines": ()}).version != zones.version


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("event", {"n": 0}, "the one whose n is 0"),
        ("event", {"end": None}, "has an `end`, and no other has"),
        ("event", {"type": "update"}, "has an `end`, and no other has"),
        ("zones", {"zones": [{"name": "a", "polygon": [[0, 0], [1, 0], [1, 1]]}] * 2}, "two zones or lines are called 'a'"),
        ("zones", {"lines": [{"name": "a", "start": [0.5, 0.5], "end": [0.5, 0.5]}]}, "the same point"),
    ],
)  # fmt: skip
def test_events_and_zones_that_contradict_themselves_are_refused(kind: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        decode(KINDS[kind], changed(kind, **fields))
