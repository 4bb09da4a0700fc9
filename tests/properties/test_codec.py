"""Every message survives a round trip; any bytes at all give a message or a SchemaError."""

import time
import tracemalloc
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundcam_schemas import (
    CameraQuestion,
    CameraStatus,
    Detections,
    Frame,
    Gap,
    Message,
    SchemaError,
    decode,
    decode_answer,
    decode_json,
    encode,
    encode_json,
)
from strategies import messages

KINDS: tuple[Any, ...] = (Frame, Detections, Gap, CameraQuestion, CameraStatus)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(messages)
def test_a_message_survives_msgpack(message: Message) -> None:
    assert decode(type(message), encode(message)) == message


@given(messages.filter(lambda message: not isinstance(message, Frame)))
def test_a_message_survives_json(message: Message) -> None:
    for read in (decode, decode_json):
        assert read(type(message), encode_json(message)) == message


@given(st.binary(max_size=500), st.sampled_from(KINDS))
def test_any_bytes_give_a_message_or_a_schema_error(data: bytes, kind: Any) -> None:
    with suppress(SchemaError):
        assert isinstance(decode(kind, data), kind)


@given(st.binary(max_size=300), st.sampled_from([b"", b"{", b'{"schema": "gap/1.0"', b" "]))
def test_any_bytes_on_the_detections_topic_give_an_answer_or_a_schema_error(data: bytes, before: bytes) -> None:
    with suppress(SchemaError):
        decode_answer(before + data)


@given(messages, st.data())
def test_a_message_with_anything_in_a_field_is_read_or_refused(message: Message, data: st.DataObject) -> None:
    content = msgpack.unpackb(encode(message))
    content[data.draw(st.sampled_from(sorted(content)))] = data.draw(trees)
    with suppress(SchemaError):
        decode(type(message), msgpack.packb(content))


@given(messages, st.data())
def test_a_message_with_flipped_bytes_is_read_or_refused(message: Message, data: st.DataObject) -> None:
    raw = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(SchemaError):
        decode(type(message), bytes(raw))


@pytest.mark.parametrize("filler", [b"\x90", b"\x80", b"\xc0", b"\x00", b"\xa0", b"\x91", b"\x81\xa0"])
@pytest.mark.parametrize("head", [b"", b"\xdd\x00\x0f\xff\xff", b"\xdc\xff\xff", b"\x81\xa1a\xdc\x04\x00"])
def test_a_hostile_megabyte_costs_little_memory_and_time(head: bytes, filler: bytes) -> None:
    """Before the bound, a megabyte of empty lists cost over 60 MB."""
    data = (head + filler * 1_000_000)[: 1024 * 1024]
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(SchemaError):
        decode(Frame, data)
    seconds = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    assert seconds < 2


@settings(max_examples=20)
@given(messages)
def test_encoding_is_deterministic(message: Message) -> None:
    assert encode(message) == encode(decode(type(message), encode(message)))
