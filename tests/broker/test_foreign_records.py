"""Records that a broker takes and most clients cannot read: nothing stops at them, and nothing else is lost."""

import time
from contextlib import closing

import kafka as client
import pytest

from conftest import Start, Wait
from footage import frame, jpeg, publisher
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.batches import MAX_UNPACKED_BYTES
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import NO_VALUE, Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraQuestion, encode
from groundcam_schemas.questions import ClassSpec

pytestmark = pytest.mark.broker

WORK = ("work", "--model", "fake", "--question", "person", "--max-age-s", "0")
RAW = b"\xff\xfe"


class Raw(str):
    """A header's name that the client writes as bytes that are no UTF-8."""

    __slots__ = ()

    def encode(self, *_arguments: object) -> bytes:
        return RAW


def put(kafka: KafkaSettings, topic: str, key: bytes | None, value: bytes | None, partition: int = 0) -> None:
    """One record, by the client itself, with a strange header."""
    with closing(client.KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as out:
        out.send(topic, value, key, [(Raw("odd"), b"\x00")], partition).get(30)


def put_bomb(kafka: KafkaSettings, topic: str, partition: int = 0) -> None:
    """A few kilobytes that unpack to more than anybody should read."""
    with closing(
        client.KafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers, compression_type="zstd", max_request_size=1 << 30
        )
    ) as out:  # fmt: skip
        out.send(topic, bytes(MAX_UNPACKED_BYTES + 1), b"gate", None, partition).get(60)


def on(kafka: KafkaSettings, topic: str) -> list[Consumed]:
    with Reader(kafka, [topic], start="beginning") as reader:
        return list(reader.to_the_end())


def test_a_worker_an_auditor_and_a_subscriber_read_on_behind_records_that_others_cannot_read(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    topics, good = kafka.topics, jpeg()
    question = CameraQuestion(classes=(ClassSpec(phrase="dog"),), camera_id="gate", set_at_ns=time.time_ns())
    for topic in (topics.prompts, topics.detections, topics.cameras, topics.attempts, topics.recordings):
        put(kafka, topic, b"gate", b"nonsense")
        put_bomb(kafka, topic)
    watcher = start(kafka, "watch", "--json", "--from-beginning")
    worker = start(kafka, *WORK)
    put(kafka, topics.prompts, b"gate", encode(question))
    put(kafka, topics.frames, b"gate", encode(frame("gate", 0, good)), 1)
    put(kafka, topics.frames, None, b"nonsense", 1)
    put(kafka, topics.frames, b"\xff", None, 1)
    put_bomb(kafka, topics.frames, 1)
    put(kafka, topics.frames, b"gate", encode(frame("gate", 1, good)), 1)
    wait(lambda: totals(audit(kafka)).detected == 2, 60, "the answers")
    wait(lambda: len(watcher.out.splitlines()) >= 2, 30, "the subscriber")
    wait(lambda: len(on(kafka, topics.dead_letters)) == 5, 30, "the dead letters: three frames and two recordings")
    found = totals(audit(kafka))
    assert (found.detected, found.missing) == (2, 0)
    assert worker.stop() == 0
    assert "cannot be read, and are passed over as one bad message" in worker.log
    assert "unpacks to more than" in worker.log
    assert start(kafka, "audit").process.wait(60) == 0


def pairs(records: list[Consumed]) -> list[tuple[bytes | None, bytes | None]]:
    return [(record.key, record.value) for record in records]


def test_what_is_put_aside_and_replayed_is_byte_for_byte_what_came(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """No key and an empty key, no value and an empty value, names that are no text, nulls, and twice the same name."""
    strange = (("a", b"1"), ("a", b"2"), (Raw("odd"), b"\xff"), ("null", NO_VALUE), ("groundcam-note", b"theirs"))
    sent = [
        Record(kafka.topics.frames, value, key, 1, strange)
        for key, value in [(None, b"x"), (b"", b"y"), (b"\xff\x01", b""), (b"k", None)]
    ]
    with publisher(kafka) as out:
        for record in sent:
            out.send(record)
        out.flush(30)
        assert not out.unfinished
    worker = start(kafka, *WORK)
    wait(lambda: len(on(kafka, kafka.topics.dead_letters)) == len(sent), 60, "the dead letters")
    assert worker.stop() == 0
    assert start(kafka, "dead-letters", "replay", "--all").process.wait(60) == 0
    again = on(kafka, kafka.topics.frames)
    came, replayed = again[: len(sent)], again[len(sent) :]
    assert [(record.key, record.value) for record in came] == [(one.key, one.value) for one in sent]
    assert sorted(map(str, pairs(replayed))) == sorted(map(str, pairs(came)))
    for record in came:
        assert [(name.encode(), value is NO_VALUE or value) for name, value in record.headers] == [
            (b"a", b"1"), (b"a", b"2"), (RAW, b"\xff"), (b"null", True), (b"groundcam-note", b"theirs"),
        ]  # fmt: skip
    for record, before in zip(replayed, came, strict=True):
        name, place = record.headers[-1]
        assert (name, place.partition(b"@")[0]) == ("groundcam-replayed-from", b"0")
        assert [(a.encode(), b is NO_VALUE, b) for a, b in record.headers[:-1]] == [
            (a.encode(), b is NO_VALUE, b) for a, b in before.headers
        ]
