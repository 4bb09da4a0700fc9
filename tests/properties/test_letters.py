"""Every message gives a dead letter that Kafka takes, and as much of the message as fits."""

from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatchBuilder

from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Consumed, Header, Partition, record_bytes
from groundcam_schemas import DeadLetter
from groundcam_schemas.deadletter import PREFIX
from groundcam_worker.policy.letters import letter_record

LETTER = DeadLetter(
    topic="groundcam.frames", partition=3, offset=2**40, timestamp_ms=-1, error_class="BadMessageError",
    error_text="is no frame", worker_version="0.1.0", camera_id="unknown",
)  # fmt: skip
LARGEST = LETTER.model_copy(
    update=dict.fromkeys(["topic", "error_class", "error_text", "worker_version"], "\U0001f600" * 1024)
    | {"camera_id": "c" * 200, "run_id": "\U0001f600" * 200, "seq": 2**63 - 1, "attempts": 2**31 - 1}
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [f"{PREFIX}seq", f"{PREFIX}schema", f"{PREFIX}value-bytes", "traceparent"]
)
header_lists = st.lists(st.tuples(names, st.binary(max_size=40)), max_size=60).map(tuple)
keys = st.none() | st.binary(max_size=20) | st.integers(0, 3000).map(lambda size: b"\xff" * size)
values = st.none() | st.binary(max_size=20) | st.integers(0, 6000).map(lambda size: b"x" * size)


def record(key: bytes | None, value: bytes | None, headers: tuple[Header, ...] = ()) -> Consumed:
    return Consumed(Partition("groundcam.frames", 3), 2**40, -1, key, value, headers, 0)


def on_kafka(key: bytes | None, value: bytes, headers: tuple[Header, ...]) -> int:
    """The bytes of the batch, by the client's own code."""
    builder = DefaultRecordBatchBuilder(2, 0, True, 2**40, 7, 2**30, 16)
    assert builder.append(0, 2**42, key, value, list(headers))
    return len(builder.build())


@given(keys, values, header_lists, st.integers(2000, 12_000))
def test_a_letter_fits_and_is_the_message_as_it_came_wherever_that_fits(
    key: bytes | None, value: bytes | None, headers: tuple[Header, ...], max_bytes: int
) -> None:
    made = letter_record(LETTER, record(key, value, headers), max_bytes)
    assert on_kafka(*made) <= made.size <= max_bytes
    origin = DeadLetter.from_headers(made.headers)
    assert origin.model_copy(update={"value_bytes": None, "key_bytes": None}) == LETTER
    theirs = tuple(header for header in headers if not header[0].startswith(PREFIX))
    whole = (key, value, (*theirs, *LETTER.headers()))
    if record_bytes(*whole) <= max_bytes:
        assert made == whole
        assert (origin.value_bytes, origin.key_bytes) == (None, None)
        return
    assert made.value == b""
    assert origin.value_bytes == len(value or b"")
    assert all(name.startswith(PREFIX) for name, _ in made.headers)
    if origin.key_bytes is None:
        assert made.key == key
    else:
        assert (made.key, origin.key_bytes) == (None, len(key or b""))


def test_a_key_that_alone_is_too_large_is_left_out_too() -> None:
    made = letter_record(LETTER, record(b"k" * 5000, b"v" * 10), 4000)
    origin = DeadLetter.from_headers(made.headers)
    assert (made.key, origin.key_bytes, origin.value_bytes) == (None, 5000, 10)
    kept = letter_record(LETTER, record(b"k" * 100, b"v" * 5000), 4000)
    assert (kept.key, DeadLetter.from_headers(kept.headers).key_bytes) == (b"k" * 100, None)


def test_the_smallest_letter_is_small_whatever_the_message_says_of_itself() -> None:
    made = letter_record(LARGEST, record(b"k" * 10**6, b"v" * 10**6, (("x", b"y" * 10**6),)), 0)
    assert made.size < 20_000
    usual = letter_record(LETTER, record(b"k" * 10**6, b"v" * 10**6), 0)
    assert usual.size < 1000


@given(keys, header_lists)
def test_a_record_counts_what_kafka_counts(key: bytes | None, headers: tuple[Header, ...]) -> None:
    """Many short headers take more than their letters, and a name more bytes than characters."""
    size = Record("t", b"value", key, headers=headers).size
    real = on_kafka(key, b"value", headers)
    assert real <= size <= real + 61 + 40 + 10 * len(headers)


def test_a_key_of_text_is_sent_as_utf8_and_others_as_they_are() -> None:
    assert [Record("t", b"", key).key_bytes for key in ("tür", b"\xff\x01", None, b"")] == [
        "tür".encode(), b"\xff\x01", None, b"",
    ]  # fmt: skip
