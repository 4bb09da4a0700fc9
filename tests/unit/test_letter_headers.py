"""What a dead letter says in its headers."""

import pytest

from groundcam_schemas import (
    DeadLetter,
    SchemaError,
)


def test_dead_letter_headers_survive_a_round_trip() -> None:
    letter = DeadLetter(
        topic="groundcam.frames", partition=3, offset=2**40, timestamp_ms=-1, error_class="BadPictureError",
        error_text="its end is missing: ä", attempts=2, worker_version="0.1.0", camera_id="gate", run_id="r", seq=0,
    )  # fmt: skip
    assert DeadLetter.from_headers([("traceparent", b"x"), *letter.headers()]) == letter


def test_a_dead_letter_of_the_first_version_is_read_and_a_newer_one_by_what_is_known_of_it() -> None:
    first = [("groundcam-dlq-schema", b"dead-letter/1.0"), ("groundcam-dlq-topic", b"t"), ("groundcam-dlq-partition", b"1"),
             ("groundcam-dlq-offset", b"2"), ("groundcam-dlq-timestamp-ms", b"3"), ("groundcam-dlq-error-class", b"E")]  # fmt: skip
    letter = DeadLetter.from_headers(first)
    assert (letter.offset, letter.value_bytes, letter.key_bytes) == (2, None, None)
    newer = [("groundcam-dlq-schema", b"dead-letter/1.7"), *first[1:], ("groundcam-dlq-mood", b"odd")]
    assert DeadLetter.from_headers(newer) == letter


def test_what_a_message_brought_along_under_a_letters_names_says_nothing() -> None:
    letter = DeadLetter(topic="t", partition=0, offset=5, timestamp_ms=0, error_class="E")
    forged = [
        ("groundcam-dlq-seq", b"7"),
        ("groundcam-dlq-run-id", b"forged"),
        ("groundcam-dlq-schema", b"dead-letter/9.9"),
    ]
    assert DeadLetter.from_headers([*forged, *letter.headers()]) == letter


@pytest.mark.parametrize("headers", [[], [("groundcam-dlq-schema", b"dead-letter/2.0")], [("groundcam-dlq-schema", b"dead-letter/1.0")]])  # fmt: skip
def test_headers_that_are_no_dead_letter_are_refused(headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(SchemaError):
        DeadLetter.from_headers(headers)
