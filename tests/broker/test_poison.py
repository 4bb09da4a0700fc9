"""Frames that make a detector raise, or end the process: they are put aside, and their neighbours are answered."""

import signal
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import kafka as client
import numpy as np
import pytest

import checkpoints
from conftest import Program, Start, Wait
from footage import frame, jpeg, publisher
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Header
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import DeadLetter, encode

pytestmark = pytest.mark.broker

FRAMES = 40
WHITE = bytes(cv2.imencode(".jpg", np.full((240, 320, 3), 255, np.uint8))[1])
SHORT = {"GROUNDCAM_WORK__SESSION_TIMEOUT_S": "6", "GROUNDCAM_WORK__DRAIN_TIMEOUT_S": "5"}
ALONE = ("--question", "person", "--max-age-s", "0", "--instance-id", "w1", "--batch-size", "8")


def put(settings: KafkaSettings, poison: set[int], seqs: range = range(FRAMES)) -> None:
    """Frames of one camera; those numbered in `poison` are white."""
    good = jpeg()
    with publisher(settings) as out:
        for seq in seqs:
            value = encode(frame("gate", seq, WHITE if seq in poison else good))
            out.send(Record(settings.topics.frames, value, "gate", 1))
        out.flush(30)


def letters(settings: KafkaSettings) -> list[DeadLetter]:
    with Reader(settings, [settings.topics.dead_letters], start="beginning") as reader:
        return [DeadLetter.from_headers(record.headers) for record in reader.to_the_end()]


LIMIT = 4 * 1024 * 1024
"""Of the frames and of the dead letters, in the tests."""


def put_large(settings: KafkaSettings, *records: Record) -> None:
    """Records up to the last byte that the topic takes."""
    out = Publisher(settings, max_waiting_bytes=16 * LIMIT, max_record_bytes=LIMIT)
    for record in records:
        out.send(record)
    assert not [delivery.error for delivery in out.flush(60) if delivery.error]
    assert not out.unfinished
    out.close()


def largest(settings: KafkaSettings, key: bytes | None, headers: tuple[Header, ...] = (), *, spare: int = 0) -> Record:
    """A record of nonsense that has `spare` bytes left to the topic's limit."""
    empty = Record(settings.topics.frames, b"", key, 1, headers)
    return replace(empty, value=b"x" * (LIMIT - empty.size - spare))


def is_settled(settings: KafkaSettings) -> bool:
    total = totals(audit(settings))
    return total.published == FRAMES and total.missing == 0


def live(program: Program, settings: KafkaSettings, wait: Wait) -> bool:
    """Wait until a worker dies, or until all is answered; return whether it died."""
    wait(lambda: program.process.poll() is not None or is_settled(settings), 120, "the end of a life")
    return program.process.poll() is not None


@pytest.mark.parametrize("poison", [{0}, {20}, {39}])
def test_a_frame_that_ends_the_process_is_dead_lettered_and_its_neighbours_are_answered(
    kafka: KafkaSettings, start: Start, wait: Wait, poison: set[int]
) -> None:
    put(kafka, poison)
    lives = 0
    while True:
        lives += 1
        program = start(kafka, "work", "--model", "fake", *ALONE, module="killed_worker", KILLER="white", **SHORT)
        if not live(program, kafka, wait):
            break
        assert program.process.returncode == -signal.SIGKILL
        assert lives < 5, "the frame is never found"
    assert lives == 3, "once in a batch, once alone, and then in a sandbox"
    assert program.stop() == 0
    total = totals(audit(kafka))
    assert (total.detected, total.dead_lettered, total.missing) == (FRAMES - len(poison), len(poison), 0)
    (letter,) = letters(kafka)
    assert (letter.error_class, letter.seq, letter.attempts) == ("FatalFrameError", poison.pop(), 2)
    assert "SIGKILL" in letter.error_text
    with Reader(kafka, [kafka.topics.attempts], start="beginning") as reader:
        newest = {record.key: record.value for record in reader.to_the_end()}
    assert not any(newest.values()), "no mark is left"


@pytest.mark.long
def test_a_frame_that_loses_the_device_is_dead_lettered(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path
) -> None:
    """An exit in good form, with code 70, is a death all the same."""
    model = checkpoints.save(tmp_path / "small", checkpoints.small_config())
    put(kafka, {20})
    lives = 0
    while True:
        lives += 1
        program = start(kafka, "work", "--model", model, *ALONE, module="faulty_worker", FAULT="lost-white:0", **SHORT)
        if not live(program, kafka, wait):
            break
        assert program.process.returncode == 70, program.log
        assert lives < 5, "the frame is never found"
    assert program.stop() == 0
    total = totals(audit(kafka))
    assert (total.detected, total.dead_lettered, total.missing) == (FRAMES - 1, 1, 0)
    assert [letter.error_class for letter in letters(kafka)] == ["FatalFrameError"]


def test_after_a_clean_stop_nothing_is_tried_alone(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    put(kafka, set())
    first = start(kafka, "work", "--model", "fake:500ms", *ALONE)
    wait(lambda: totals(audit(kafka)).detected > 0, 60, "first answers")
    assert first.stop() == 0
    assert not is_settled(kafka), "the second has nothing to do"
    second = start(kafka, "work", "--model", "fake", *ALONE)
    wait(lambda: is_settled(kafka), 60, "the rest")
    assert second.stop() == 0
    with Reader(kafka, [kafka.topics.attempts], start="beginning") as reader:
        assert list(reader.to_the_end()) == []


@pytest.mark.parametrize("poison", [{7, 15}, *(pytest.param({one}, marks=pytest.mark.long) for one in (0, 4))])
def test_a_frame_that_the_real_detector_cannot_answer_harms_no_neighbour(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path, poison: set[int]
) -> None:
    """torch raises inside the network for the whole batch: it is halved until the frame is alone."""
    model = checkpoints.save(tmp_path / "small", checkpoints.small_config())
    put(kafka, poison)
    program = start(kafka, "work", "--model", model, *ALONE, module="faulty_worker", FAULT="white:0")
    wait(lambda: is_settled(kafka), 120, "all answers")
    assert program.stop() == 0
    total = totals(audit(kafka))
    assert (total.detected, total.dead_lettered, total.missing) == (FRAMES - len(poison), len(poison), 0)
    assert {letter.error_class for letter in letters(kafka)} == {"UnansweredError"}
    assert {letter.seq for letter in letters(kafka)} == poison


def test_frames_that_kafka_deleted_unread_are_told_as_expired(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    """Also to a worker that was not there when it happened."""
    put(kafka, set(), range(20))
    first = start(kafka, "work", "--model", "fake", *ALONE)
    wait(lambda: totals(audit(kafka)).detected == 20, 60, "first answers")
    assert first.stop() == 0
    put(kafka, set(), range(20, FRAMES))

    admin = connect(kafka, client.KafkaAdminClient)
    admin.delete_records({client.TopicPartition(kafka.topics.frames, 1): 35})
    admin.close()
    second = start(kafka, "work", "--model", "fake", *ALONE)
    wait(lambda: totals(audit(kafka)).detected == 25, 60, "what is left")
    wait(lambda: totals(audit(kafka)).missing == 0, 10, "the gap")
    assert second.stop() == 0
    (report,) = audit(kafka)
    assert report.gaps_by_reason == {"expired": 15}
    assert (report.detected, report.missing) == (25, 0)


def test_messages_that_are_too_large_to_be_put_aside_as_they_are_are_accounted_for(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """Of cameras that nobody knows, so that no gap can tell of them: the letter is all there is."""
    keys = [None, b"", b"\xff\x01", b"\xff" * 1000]
    records = [largest(kafka, key) for key in keys]
    records += [largest(kafka, b"\xff", spare=20), largest(kafka, b"\xff", (("x", b""),) * 1000)]
    records += [Record(kafka.topics.frames, b"nonsense", b"\xff" * (LIMIT - 200), 1)]
    records += [
        Record(kafka.topics.frames, b"small", b"\xff\x01", 1, (("groundcam-dlq-seq", b"7"), ("origin", b"here")))
    ]
    put_large(kafka, *records)
    program = start(kafka, "work", "--model", "fake", *ALONE)
    wait(lambda: len(letters(kafka)) == len(records), 60, "the letters")
    assert program.stop() == 0
    total = totals(audit(kafka))
    assert (total.published, total.dead_lettered, total.missing) == (len(records), len(records), 0)

    with Reader(kafka, [kafka.topics.dead_letters], start="beginning") as reader:
        found = {letter.offset: (letter, record) for record in reader.to_the_end()
                 for letter in [DeadLetter.from_headers(record.headers)]}  # fmt: skip
    assert sorted(found) == list(range(len(records)))
    for offset, sent in enumerate(records[:-2]):
        letter, record = found[offset]
        assert (letter.value_bytes, letter.key_bytes, letter.seq) == (len(sent.value), None, None)
        assert (record.key, record.value) == (sent.key_bytes, b"")
    letter, record = found[len(records) - 2]
    assert (letter.value_bytes, letter.key_bytes, record.key) == (8, LIMIT - 200, None)
    letter, record = found[len(records) - 1]
    assert (letter.value_bytes, letter.seq, record.key, record.value) == (None, None, b"\xff\x01", b"small")
    assert ("origin", b"here") in record.headers

    show = start(kafka, "dead-letters", "show", "0@0")
    assert show.process.wait(60) == 0, show.log
    assert f"its value of {len(records[0].value)} bytes and its headers were too large to be put aside" in show.out
    again = start(kafka, "dead-letters", "replay", "--all")
    assert again.process.wait(60) == 1
    assert again.out.splitlines()[-1] == f"1 replayed, {len(records) - 1} not"


def test_a_letter_that_kafka_refuses_after_all_is_sent_without_the_message(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """The topic's limit is lowered while a worker runs, which has read it at its start."""
    put(kafka, set(), range(1))
    program = start(kafka, "work", "--model", "fake", *ALONE)
    wait(lambda: totals(audit(kafka)).detected == 1, 60, "the worker's start")
    with closing(connect(kafka, client.KafkaAdminClient)) as admin:
        lower = client.admin.ConfigResource("TOPIC", kafka.topics.dead_letters, {"max.message.bytes": "20000"})
        admin.alter_configs([lower])
    put_large(kafka, Record(kafka.topics.frames, b"x" * 50_000, b"\xff", 1))
    wait(lambda: totals(audit(kafka)).missing == 0, 60, "the letter")
    assert program.stop() == 0
    assert "Kafka refuses a dead letter" in program.log
    assert [letter.value_bytes for letter in letters(kafka)] == [50_000]
