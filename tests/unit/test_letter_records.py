"""How much of a message a dead letter keeps."""

import pytest

from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import DeadLetter
from groundcam_worker.policy.letters import LetterRecord, letter_record

LETTER = DeadLetter(topic="frames", partition=1, offset=2, timestamp_ms=3, error_class="BadPictureError")


def message(key: bytes | None = b"gate", value: bytes | None = b"v" * 900) -> Consumed:
    headers = (("traceparent", b"00-1"), ("groundcam-dlq-seq", b"7"))
    return Consumed(Partition("frames", 1), 2, 3, key, value, headers, 0)


def said(record: LetterRecord) -> DeadLetter:
    return DeadLetter.from_headers(record.headers)


def test_a_message_is_put_aside_as_it_came_but_for_headers_that_only_a_letter_may_have() -> None:
    record = letter_record(LETTER, message(), 10_000)
    assert (record.key, record.value) == (b"gate", b"v" * 900)
    assert record.headers == (("traceparent", b"00-1"), *LETTER.headers())
    assert said(record) == LETTER


def test_a_message_that_just_fits_is_whole_and_one_byte_more_leaves_its_value_behind() -> None:
    size = letter_record(LETTER, message(), 10_000).size
    assert letter_record(LETTER, message(), size).value == b"v" * 900
    record = letter_record(LETTER, message(), size - 1)
    assert (record.key, record.value) == (b"gate", b"")
    assert "traceparent" not in dict(record.headers)
    assert said(record) == LETTER.model_copy(update={"value_bytes": 900})
    assert record.size < size


def test_a_key_that_is_too_large_is_left_behind_too_and_one_that_just_fits_is_not() -> None:
    large = message(key=b"k" * 500)
    size = letter_record(LETTER, large, 1).size
    kept = max(limit for limit in range(1, 2000) if letter_record(LETTER, large, limit).key is None) + 1
    record = letter_record(LETTER, large, kept)
    assert (record.key, record.size) == (b"k" * 500, kept)
    smaller = letter_record(LETTER, large, kept - 1)
    assert (smaller.key, smaller.value, smaller.size) == (None, b"", size)
    assert said(smaller) == LETTER.model_copy(update={"value_bytes": 900, "key_bytes": 500})


@pytest.mark.parametrize("limit", [0, 10_000])
def test_a_message_without_key_and_value_is_put_aside_without_them(limit: int) -> None:
    record = letter_record(LETTER, message(key=None, value=None), limit)
    assert (record.key, record.value) == (None, None if limit else b"")
    assert said(record).key_bytes is None
    assert said(record).value_bytes == (None if limit else 0)
