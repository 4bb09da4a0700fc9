"""Batches of records as other programs write them: all that can be read is read, and memory has a bound."""

import struct
import tracemalloc
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.record.util import calc_crc32c

from groundcam_runtime.kafka.batches import MAX_UNPACKED_BYTES
from groundcam_runtime.records import NO_VALUE, Consumed, ForeignName, Header, consumed, record_bytes

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
Written = tuple[bytes | None, bytes | None, Sequence[Header]]


def batch(*records: Written, codec: str = "none") -> bytes:
    """What a producer would send."""
    builder = MemoryRecordsBuilder(2, CODECS[codec], 1 << 30)
    for key, value, headers in records:
        assert builder.append(1000, key, value, list(headers)) is not None
    builder.close()
    return bytes(builder.buffer())


def read(data: bytes) -> list[Any]:
    """What the client makes of it, its checksum and all."""
    found = MemoryRecords(data).next_batch()
    assert found.validate_crc()
    return list(found)


def forged(data: bytes, at: int, byte: int) -> bytes:
    """A batch with another byte in its records, and the checksum that belongs to it."""
    body = bytearray(data)
    body[at] = byte
    struct.pack_into(">I", body, 17, calc_crc32c(bytes(body[21:])))
    return bytes(body)


@pytest.mark.parametrize("codec", CODECS)
def test_what_usual_producers_write_is_read_as_it_was(codec: str) -> None:
    written: list[Written] = [(b"gate", bytes([n]) * 5000, [("a", b"1"), ("a", b"2")]) for n in range(20)]
    found = read(batch(*written, codec=codec))
    assert [(one.key, one.value, one.headers) for one in found] == [(k, v, list(h)) for k, v, h in written]


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"a\x80b"])
def test_a_header_whose_name_is_no_utf8_costs_neither_its_record_nor_the_next_and_is_sent_on_as_it_came(
    raw: bytes,
) -> None:
    strange: Written = (None, None, [(ForeignName.of(raw), b"x"), ("null", NO_VALUE), ("empty", b"")])
    data = batch((b"a", b"1", []), strange, (b"b", b"2", []))
    found = read(data)
    assert [(one.key, one.value) for one in found] == [(b"a", b"1"), (None, None), (b"b", b"2")]
    assert [(name.encode(), value) for name, value in found[1].headers] == [
        (raw, b"x"),
        (b"null", None),
        (b"empty", b""),
    ]
    taken = [came(one) for one in found]
    assert batch(*[(one.key, one.value, one.headers) for one in taken]) == data


def came(record: Any) -> Consumed:
    """As a consumer hands it on."""
    fields = ("offset", "timestamp", "timestamp_type", "key", "value", "headers")
    return consumed(SimpleNamespace(topic="t", partition=0, **{name: getattr(record, name) for name in fields}), 0)


def test_the_size_of_a_strange_name_is_that_of_its_bytes() -> None:
    assert record_bytes(None, b"", [(ForeignName.of(b"\xff\xff"), b"")]) == record_bytes(None, b"", [("ab", b"")])


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "none"])
def test_a_batch_that_unpacks_to_too_much_becomes_one_bad_message_at_its_end(codec: str) -> None:
    packed = batch((b"a", b"1", []), (b"b", bytes(MAX_UNPACKED_BYTES), []), (b"c", b"3", []), codec=codec)
    tracemalloc.start()
    found = read(packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(one.offset, one.key) for one in found] == [(2, None)]
    assert b"offsets 0 to 2 cannot be read" in found[0].value
    assert peak < 3 * MAX_UNPACKED_BYTES


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "none"])
def test_a_batch_that_cannot_be_unpacked_becomes_one_bad_message(codec: str) -> None:
    packed = batch((b"a", bytes(range(250)) * 9, []), (b"b", b"2", []), codec=codec)
    found = read(forged(packed, 61, packed[61] ^ 0xFF))
    assert [one.offset for one in found] == [1]


def test_behind_a_record_that_is_broken_the_rest_of_its_batch_becomes_one_bad_message() -> None:
    first, second = batch((b"a", b"1", [])), batch((b"a", b"1", []), (b"b", b"2", []), (b"c", b"3", []))
    found = read(forged(second, len(first), 0x7E))  # the length of the second
    assert [(one.offset, one.key) for one in found] == [(0, b"a"), (2, None)]
    assert b"offsets 1 to 2 cannot be read" in found[1].value
