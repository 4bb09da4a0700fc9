"""Bytes within bounds, and versions old and new."""

import json
import re
from pathlib import Path
from typing import Any

import msgpack
import pytest

from groundcam_schemas import (
    Attempt,
    CameraQuestion,
    CameraStatus,
    Detections,
    Frame,
    Gap,
    SchemaError,
    UnsupportedVersionError,
    decode,
    decode_answer,
    decode_json,
    encode,
    encode_json,
    is_readable,
)

GOLDEN = Path(__file__).parent.parent / "golden"
MIB = 1024 * 1024
GAP = msgpack.unpackb((GOLDEN / "gap-1.0.msgpack").read_bytes())
FRAME = msgpack.unpackb((GOLDEN / "frame-1.1.msgpack").read_bytes())


def gap(**more: Any) -> bytes:
    """A gap with fields that no version knows."""
    return bytes(msgpack.packb({**GAP, **more}))


def long(content: dict[str, Any], size: int, field: str) -> bytes:
    """A message of exactly so many bytes, most of them in one field."""
    base = len(msgpack.packb({**content, field: bytes(size // 2)}))
    data = bytes(msgpack.packb({**content, field: bytes(size // 2 + size - base)}))
    assert len(data) == size
    return data


def test_a_frame_may_be_16_mib_long_and_any_other_message_one() -> None:
    decode(Frame, long(FRAME, 16 * MIB, "data"))
    decode(Gap, long(GAP, MIB, "more"))
    decode_answer(long(GAP, MIB, "more"))
    decode_json(Gap, json.dumps(GAP).encode().ljust(MIB))
    for one_too_many in (
        lambda: decode(Frame, long(FRAME, 16 * MIB + 1, "data")),
        lambda: decode(Gap, long(GAP, MIB + 1, "more")),
        lambda: decode_answer(long(GAP, MIB + 1, "more")),
        lambda: decode_json(Gap, json.dumps(GAP).encode().ljust(MIB + 1)),
    ):
        with pytest.raises(SchemaError, match="bytes long"):
            one_too_many()


def entries(count: int) -> bytes:
    """A gap with so many list and map entries, all levels together; each list and map counts as one more."""
    lists, rest = divmod(count - (len(GAP) + 2) - 3, 1001)
    return gap(more=[*([[0] * 999] * lists), [0] * rest])


def test_a_message_has_20_000_entries_at_most_all_levels_together() -> None:
    assert decode(Gap, entries(20_000)).camera_id == "gate"
    with pytest.raises(SchemaError, match="more than 20000 entries"):
        decode(Gap, entries(20_001))


@pytest.mark.parametrize(
    ("last", "first_too_long"),
    [
        ([0] * 1024, [0] * 1025),
        (dict.fromkeys(map(str, range(64))), dict.fromkeys(map(str, range(65)))),
        ("x" * 4096, "x" * 4097),
        ("😀" * 1024, "😀" * 1025),
    ],
    ids=["list", "map", "text", "text of four bytes each"],
)
def test_what_no_field_is_for_is_bounded_too(last: Any, first_too_long: Any) -> None:
    decode(Gap, gap(more=last))
    with pytest.raises(SchemaError, match="not readable as msgpack"):
        decode(Gap, gap(more=first_too_long))


@pytest.mark.parametrize(
    "odd",
    [
        {1: 2},
        {b"a": {1: 2}},
        msgpack.Timestamp(1),
        msgpack.ExtType(4, b"x"),
        msgpack.ExtType(4, b"xyz"),
        msgpack.ExtType(4, b""),
    ],
    ids=str,
)
def test_what_no_field_is_for_holds_plain_values_alone(odd: Any) -> None:
    with pytest.raises(SchemaError):
        decode(Gap, gap(more=odd))


def test_a_key_that_is_no_text_or_occurs_twice_is_refused() -> None:
    with pytest.raises(SchemaError, match="no text"):
        decode(Gap, msgpack.packb({**GAP, b"more": 1}))
    once = gap(more=1)
    twice = bytes([once[0] + 1]) + once[1:] + msgpack.packb("more") + b"\x02"
    with pytest.raises(SchemaError, match="occurs twice"):
        decode(Gap, twice)


def test_a_key_that_occurs_twice_in_json_is_refused_as_in_msgpack_at_every_depth() -> None:
    """Readers that take the first of them, and such that take the last, would read two messages."""
    text = json.dumps(GAP).encode()
    for twice in (b'{"camera_id": "other", ' + text[1:], text[:-1] + b', "more": {"a": 1, "a": 2}}'):
        with pytest.raises(SchemaError, match="occurs twice"):
            decode_json(Gap, twice)
        with pytest.raises(SchemaError, match="occurs twice"):
            decode_answer(twice)


def test_a_message_is_readable_where_its_bytes_and_entries_are_within_bounds() -> None:
    frame = decode(Frame, (GOLDEN / "frame-1.1.msgpack").read_bytes())
    assert is_readable(frame.model_copy(update={"data": bytes(16 * MIB - 5000)}))
    assert not is_readable(frame.model_copy(update={"data": bytes(16 * MIB)}))
    told = decode(Gap, (GOLDEN / "gap-1.0.msgpack").read_bytes())
    assert is_readable(told.model_copy(update={"camera_id": "a" * 500}))
    assert not is_readable(told.model_copy(update={"camera_id": "a" * MIB})), "only a frame may be so long"
    answer = decode(Detections, (GOLDEN / "detections-1.2.msgpack").read_bytes())
    found = answer.objects[0].model_copy(update={"class_scores": (0.5,) * 20})
    assert is_readable(answer.model_copy(update={"objects": (found,) * 500}))
    assert not is_readable(answer.model_copy(update={"objects": (found,) * 1000}))


def test_of_two_wrong_fields_the_first_is_named() -> None:
    with pytest.raises(SchemaError) as refused:
        decode(Gap, msgpack.packb({**GAP, "run_id": "", "first_seq": -1}))
    assert refused.value.field == "run_id"


def test_an_error_of_a_whole_message_has_no_field_and_no_colon() -> None:
    assert str(SchemaError("a.b", "is odd")) == "a.b: is odd"
    assert str(SchemaError("", "is odd")) == "is odd"


@pytest.mark.parametrize("schema", ["gap/1.0", "gap/1.99", "gap/1.00", "gap/1." + "0" * 1018])
def test_every_minor_version_of_a_known_major_one_is_read(schema: str) -> None:
    assert decode(Gap, gap(schema=schema)).camera_id == "gate"


@pytest.mark.parametrize("schema", ["gap/0.9", "gap/2.0", "gap/10.0"])
def test_another_major_version_is_told_from_nonsense(schema: str) -> None:
    with pytest.raises(UnsupportedVersionError, match=re.escape(schema)):
        decode(Gap, gap(schema=schema))


@pytest.mark.parametrize(
    "schema",
    ["gap", "gap/", "gap/1", "gap/1.", "gap/.1", "gap/1.x", "gap/x.1", "gap/1.²", "gap/²", "gap/1.-1", "gap/1.0.0"],
)
def test_a_version_that_is_none_is_refused_as_one(schema: str) -> None:
    with pytest.raises(SchemaError, match="is no version") as refused:
        decode(Gap, gap(schema=schema))
    assert type(refused.value) is SchemaError
    assert refused.value.field == "schema"


@pytest.mark.parametrize("schema", ["frame/1.0", "attempt/1.0", "zone/1.0", "Gap/1.0", "/1.0", ""])
def test_a_message_of_another_kind_is_refused_by_its_name(schema: str) -> None:
    with pytest.raises(SchemaError, match="expected gap"):
        decode(Gap, gap(schema=schema))


@pytest.mark.parametrize("schema", [None, 1, b"gap/1.0", ["gap/1.0"], "gap/1." + "0" * 1019])
def test_a_schema_that_is_no_short_text_is_refused(schema: object) -> None:
    with pytest.raises(SchemaError, match="missing, or no text"):
        decode(Gap, gap(schema=schema))


@pytest.mark.parametrize("schema", ["attempt/1.0", "question/1.0", "zone/1.0"])
def test_on_the_detections_topic_what_is_no_gap_must_be_detections(schema: str) -> None:
    for read, data in (
        (decode_answer, gap(schema=schema)),
        (decode_answer, json.dumps({**GAP, "schema": schema}).encode()),
    ):
        with pytest.raises(SchemaError, match="expected detections"):
            read(data)


@pytest.mark.parametrize("before", [b"", b" \r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_the_bytes_themselves_tell_json_from_msgpack(before: bytes) -> None:
    found = decode(Gap, gap())
    for data in (encode(found), before + encode_json(found)):
        assert decode_answer(data) == found
        assert decode(Gap, data) == found


@pytest.mark.parametrize("kind", [Attempt, CameraQuestion, CameraStatus, Detections])
def test_every_message_but_a_frame_is_read_in_either_form(kind: Any) -> None:
    name = {Attempt: "attempt", CameraQuestion: "question", CameraStatus: "camera-status", Detections: "detections"}
    message = decode(kind, (GOLDEN / f"{name[kind]}-1.0.msgpack").read_bytes())
    assert decode(kind, encode_json(message)) == message


def test_a_frame_in_json_is_refused_by_a_sentence_that_says_what_it_has_to_be() -> None:
    text = json.dumps({**FRAME, "data": "/9j/"}, default=str).encode()
    for read in (decode, decode_json):
        with pytest.raises(SchemaError, match="a frame is msgpack"):
            read(Frame, text)
