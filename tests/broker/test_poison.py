"""Frames that make a detector raise, or end the process: they are put aside, and their neighbours are answered."""

import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

import checkpoints
from conftest import Program, Start, Wait
from footage import frame, jpeg, publisher
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.publisher import Record
from groundcam_runtime.kafka.reader import Reader
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


def is_settled(settings: KafkaSettings) -> bool:
    total = totals(audit(settings))
    return total.published == FRAMES and total.missing == 0


def live(program: Program, settings: KafkaSettings, wait: Wait) -> bool:
    """Wait until a worker dies, or until all is answered; return whether it died."""
    wait(lambda: program.process.poll() is not None or is_settled(settings), 120, "the end of a life")
    return program.process.poll() is not None


@pytest.mark.parametrize("poison", [{0}, {20}, {39}])
def test_a_frame_that_ends_the_process_is_put_aside_and_its_neighbours_are_answered(
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
    assert lives == 3, "once in a batch, once alone, and then before a witness"
    assert program.stop() == 0
    total = totals(audit(kafka))
    assert (total.detected, total.dead_lettered, total.missing) == (FRAMES - len(poison), len(poison), 0)
    (letter,) = letters(kafka)
    assert (letter.error_class, letter.seq, letter.attempts) == ("FatalFrameError", poison.pop(), 2)
    assert "SIGKILL" in letter.error_text
    with Reader(kafka, [kafka.topics.attempts], start="beginning") as reader:
        newest = {record.key: record.value for record in reader.to_the_end()}
    assert not any(newest.values()), "no mark is left"


def test_a_frame_that_loses_the_device_is_put_aside(
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
    first = start(kafka, "work", "--model", "fake:20ms", *ALONE)
    wait(lambda: totals(audit(kafka)).detected > 0, 60, "first answers")
    assert first.stop() == 0
    second = start(kafka, "work", "--model", "fake", *ALONE)
    wait(lambda: is_settled(kafka), 60, "the rest")
    assert second.stop() == 0
    with Reader(kafka, [kafka.topics.attempts], start="beginning") as reader:
        assert list(reader.to_the_end()) == []


@pytest.mark.parametrize("poison", [{0}, {4}, {7, 15}])
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
    from groundcam_runtime.kafka.connect import connect

    put(kafka, set(), range(20))
    first = start(kafka, "work", "--model", "fake", *ALONE)
    wait(lambda: totals(audit(kafka)).detected == 20, 60, "first answers")
    assert first.stop() == 0
    put(kafka, set(), range(20, FRAMES))

    import kafka as client

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
