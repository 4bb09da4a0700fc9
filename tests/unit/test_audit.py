"""The auditor finds planted losses, and counts each frame once."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from groundcam.audit import Auditor, RunReport, totals
from groundcam.commands.audit import table
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import (
    DeadLetter,
    Detections,
    Frame,
    FrameId,
    FrameRef,
    Gap,
    GapReason,
    Model,
    QuestionRef,
    TimingsNs,
    Topics,
    detections_id,
    encode,
    encode_json,
)

TOPICS = Topics()
JPEG = bytes(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1])


class Log:
    """Topics written by hand."""

    def __init__(self) -> None:
        self.records: list[Consumed] = []
        self.now_ms = 0
        """What is added has this time."""

    def add(self, topic: str, value: bytes, key: str = "gate", headers: tuple[tuple[str, bytes], ...] = ()) -> int:
        offset = sum(record.partition.topic == topic for record in self.records)
        self.records.append(Consumed(Partition(topic, 0), offset, self.now_ms, key.encode(), value, headers, 0))
        return offset

    def frame(self, seq: int, run: str = "r") -> int:
        frame = Frame(
            camera_id="gate", run_id=run, seq=seq, captured_at_ns=0, width=8, height=8, source_width=8,
            source_height=8, data=JPEG,
        )  # fmt: skip
        return self.add(TOPICS.frames, encode(frame))

    def detected(self, seq: int, run: str = "r", identity: str = "", as_json: bool = False) -> None:
        answer = Detections(
            id=identity or f"id{seq}", camera_id="gate",
            frame=FrameRef(run_id=run, seq=seq, topic=TOPICS.frames, partition=0, offset=seq),
            captured_at_ns=self.now_ms * 1_000_000, source_width=8, source_height=8, question=QuestionRef(id="*", version="v", classes=("a",)),
            model=Model(name="m"), timings_ns=TimingsNs(**dict.fromkeys(TimingsNs.model_fields, 0)),
        )  # fmt: skip
        if as_json:
            headers = (("content-type", b"application/json"),)
            self.add(TOPICS.detections, encode_json(answer), headers=headers)
        else:
            self.add(TOPICS.detections, encode(answer))

    def gap(self, first: int, last: int, reason: GapReason = GapReason.STALE, run: str = "r") -> None:
        self.add(
            TOPICS.detections,
            encode(Gap(camera_id="gate", run_id=run, reason=reason, first_seq=first, last_seq=last)),
        )

    def dead(self, offset: int, **fields: object) -> None:
        letter = DeadLetter(topic=TOPICS.frames, partition=0, offset=offset, timestamp_ms=0, error_class="E", **fields)  # type: ignore[arg-type]
        self.add(TOPICS.dead_letters, b"bytes", headers=tuple(letter.headers()))

    def report(self, **options: Any) -> list[RunReport]:
        auditor = Auditor(TOPICS, **options)
        for record in reversed(self.records):  # topics are read in no particular order
            auditor.take(record)
        return auditor.report()


@pytest.fixture
def log() -> Log:
    """Ten frames, of which 0 to 4 are detected, 5 and 6 in a gap, 7 dead-lettered, 8 and 9 detected."""
    log = Log()
    for seq in range(10):
        log.frame(seq)
    for seq in (0, 1, 2, 3, 4, 8, 9):
        log.detected(seq, as_json=seq % 2 == 0)
    log.gap(5, 6)
    log.dead(7, camera_id="gate", run_id="r", seq=7)
    return log


def test_a_complete_log_has_nothing_missing(log: Log) -> None:
    (report,) = log.report()
    counts = (
        report.published,
        report.detected,
        report.in_gaps,
        report.dead_lettered,
        report.repeated,
        report.missing,
    )
    assert counts == (10, 7, 2, 1, 0, 0)
    assert report.gaps_by_reason == {"stale": 2}


@pytest.mark.parametrize(
    ("plant", "missing"),
    [
        (lambda log: log.frame(10), [10]),  # published, never answered
        (lambda log: log.detected(12), [10, 11]),  # numbered, never published, never reported
        (lambda log: log.records.pop(10), [0]),  # an answer that was lost
        (lambda log: log.gap(11, 12), [10]),
        (lambda log: log.frame(0, "other"), [0]),
        (lambda log: log.add(TOPICS.frames, b"nonsense"), [10]),
    ],
)
def test_a_planted_loss_is_found(log: Log, plant: Callable[[Log], object], missing: list[int]) -> None:
    plant(log)
    reports = log.report()
    assert [seq for report in reports for seq in report.missing_seqs] == missing
    assert totals(reports).missing == len(missing)
    assert "missing of gate" in table([*reports, totals(reports)])


def test_a_frame_in_two_classes_counts_once(log: Log) -> None:
    log.gap(0, 9)
    log.dead(0)
    (report,) = log.report()
    assert (report.detected, report.dead_lettered, report.in_gaps, report.missing) == (7, 1, 2, 0)


def test_repeats_are_counted_and_their_ids_compared(log: Log) -> None:
    log.detected(3)
    assert (log.report()[0].repeated, log.report()[0].conflicting_ids) == (1, 0)
    log.detected(3, identity="another")
    assert (log.report()[0].repeated, log.report()[0].conflicting_ids) == (2, 1)


def test_a_plain_jpeg_is_accounted_for_by_its_place() -> None:
    log = Log()
    offset = log.add(TOPICS.frames, JPEG)
    assert totals(log.report()).missing == 1
    log.detected(offset, f"@{TOPICS.frames}/0")
    assert totals(log.report()).missing == 0


def test_a_message_without_identity_is_accounted_for_by_its_dead_letter() -> None:
    log = Log()
    offset = log.add(TOPICS.frames, b"nonsense", key="")
    assert totals(log.report()).missing == 1
    log.dead(offset)
    assert (totals(log.report()).missing, totals(log.report()).dead_lettered) == (0, 1)


def test_a_gap_of_many_frames_costs_no_more_than_one_of_two() -> None:
    log = Log()
    log.gap(0, 10**15)
    log.detected(10**12)
    (report,) = log.report()
    assert (report.detected, report.in_gaps, report.missing) == (1, 10**15, 0)


def test_what_kafka_has_deleted_is_not_missed(log: Log) -> None:
    """Of a long run only the newest detections are left."""
    log.records = [record for record in log.records if record.partition.topic == TOPICS.detections]
    log.records = log.records[5:]
    auditor = Auditor(TOPICS, whole=False)
    for record in log.records:
        auditor.take(record)
    (report,) = auditor.report()
    assert (report.detected, report.in_gaps, report.missing, report.missing_seqs) == (2, 2, 1, [7])


def test_the_largest_gap_that_can_be_written_is_counted(log: Log) -> None:
    log.gap(0, 2**63 - 1)
    (report,) = log.report()
    assert (report.detected, report.in_gaps, report.missing) == (7, 2**63 - 8, 0)


YOUNG = range(90, 111)
"""What is of such a time is in flight, now that it is 100."""


@pytest.mark.parametrize(
    ("plant", "in_flight", "missing"),
    [
        (lambda log: log.frame(10), 1, []),  # not answered yet
        (lambda log: log.detected(12), 2, []),  # gaps are told within a second
        (lambda log: log.gap(12, 12), 2, []),
        (lambda log: log.add(TOPICS.frames, JPEG), 1, []),
        (lambda log: log.add(TOPICS.frames, b"nonsense"), 1, []),
    ],
)
def test_what_is_younger_than_the_grace_is_in_flight(
    log: Log, plant: Callable[[Log], object], in_flight: int, missing: list[int]
) -> None:
    log.now_ms = 95
    plant(log)
    total = totals(log.report(young_ms=YOUNG))
    assert (total.in_flight, total.missing) == (in_flight, 0)
    assert totals(log.report()).missing == in_flight, "without a grace it is missing"


@pytest.mark.parametrize("sent_ms", [89, 111, 2**62])
def test_neither_an_old_frame_nor_one_from_the_future_is_in_flight(log: Log, sent_ms: int) -> None:
    log.now_ms = sent_ms
    log.frame(10)
    log.add(TOPICS.frames, b"nonsense")
    log.now_ms = 100
    log.frame(12)
    reports = {one.run_id: one for one in log.report(young_ms=YOUNG)}
    assert (reports["r"].missing_seqs, reports["r"].in_flight) == ([10], 2), "11 may still be told as a gap"
    assert reports[f"@{TOPICS.frames}/0"].missing == 1


def test_a_frame_in_flight_that_is_answered_is_detected(log: Log) -> None:
    log.now_ms = 95
    log.frame(10)
    log.detected(10)
    (report,) = log.report(young_ms=YOUNG)
    assert (report.detected, report.in_flight, report.missing) == (8, 0, 0)


def test_since_a_time_only_newer_frames_are_judged(log: Log) -> None:
    """Runs that are older are not even named; what is repeated counts where its frame does. When 11 was captured,
    which nobody has seen, is not known: it is judged."""
    log.frame(3, run="old")
    log.frame(10)
    log.detected(3)
    log.now_ms = 50
    for seq in (12, 13, 14):
        log.frame(seq)
    log.detected(12)
    log.detected(12)
    log.detected(13, identity="one")
    log.detected(13, identity="another")
    (report,) = log.report(since_ms=50)
    assert (report.published, report.detected, report.repeated, report.missing_seqs) == (3, 2, 2, [11, 14])
    assert report.conflicting_ids == 1
    assert log.report(since_ms=51) == []
    assert totals(log.report()).missing == 7


def test_since_a_time_before_a_run_began_what_it_lost_first_is_judged_too() -> None:
    log = Log()
    log.now_ms = 50
    log.frame(2)
    log.detected(2)
    assert log.report(since_ms=40)[0].missing_seqs == [0, 1]


def test_since_a_time_a_frame_counts_that_was_captured_before_and_appended_after() -> None:
    log = Log()
    log.detected(0)
    log.now_ms = 50
    log.frame(0)
    assert [(one.detected, one.missing) for one in log.report(since_ms=40)] == [(1, 0)]


def test_answers_whose_frames_have_expired_are_told_as_such_and_nothing_is_missing(log: Log) -> None:
    log.records = [one for one in log.records if one.partition.topic != TOPICS.frames or one.offset > 5]
    (report,) = log.report(frames_whole=False)
    assert (report.published, report.detected, report.missing, report.expired) == (4, 7, 0, 5)
    assert "expired on Kafka, and judged by what was said of them: 5 frames" in table([report, totals([report])])


def test_frames_that_kafka_deleted_unread_are_missing_and_told_apart(log: Log) -> None:
    for seq in (12, 13):
        log.frame(seq)
    log.records = [one for one in log.records if one.partition.topic != TOPICS.frames or one.offset > 10]
    (report,) = log.report(frames_whole=False)
    assert (report.missing_seqs, report.missing_expired) == ([10, 11, 12, 13], 3)
    assert log.report()[0].missing_expired == 0, "where nothing was deleted, nobody deleted them"
    assert "of the missing, 3 are older" in table([report, totals([report])])


def test_names_of_strangers_neither_widen_the_table_nor_steer_the_terminal(log: Log) -> None:
    log.add(TOPICS.frames, b"nonsense", key="K" * 900_000)
    log.add(TOPICS.frames, b"nonsense", key="L" * 900_000)
    log.add(TOPICS.frames, b"nonsense", key="\x1b]0;owned\x07\x1b[2J")
    log.detected(0, run="r\x1b[31m\nmissing of nobody")
    reports = log.report()
    assert sum(len(one.camera_id) for one in reports) < 1000, "nor are they kept"
    text = table([*reports, totals(reports)])
    assert "]0;owned" in text
    assert all(line.isprintable() and len(line) < 200 for line in text.splitlines())
    assert len(text.splitlines()) == 1 + 5 + 1 + 3 + 1, "a head, five runs, their total, what is missing, one expired"


def test_runs_for_which_there_is_no_room_are_told() -> None:
    auditor, log = Auditor(TOPICS, most_runs=3), Log()
    for number in range(5):
        log.add(TOPICS.frames, b"nonsense", key=f"invented-{number}")
        log.frame(number)
    for record in log.records:
        auditor.take(record)
    reports = auditor.report()
    assert [(one.camera_id, one.published, one.not_judged) for one in reports] == [
        ("gate", 5, 0), ("invented-0", 1, 0), ("invented-1", 1, 0), ("(others)", 0, 3),
    ]  # fmt: skip
    assert totals(reports).not_judged == 3
    assert "records of further runs that are not judged, since there are too many names: 3" in table(
        [*reports, totals(reports)]
    )


def test_a_frame_takes_a_few_bytes_once_it_is_accounted_for() -> None:
    """As a week of 40 cameras has 121 million of them."""
    auditor, partition = Auditor(TOPICS), Partition(TOPICS.frames, 0)

    def feed(first: int, last: int) -> None:
        for seq in range(first, last):
            log = Log()
            log.frame(seq)
            log.detected(seq, identity=detections_id(FrameId("gate", "r", seq), "v", "m", ""))
            for record in log.records:
                auditor.take(Consumed(partition._replace(topic=record.partition.topic), 3 * seq + seq % 2, 0, b"gate",
                                      record.value, record.headers, 0))  # fmt: skip

    feed(0, 1024)
    tracemalloc.start()
    try:
        feed(1024, 2048)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        feed(2048, 4 * 1024)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 4 * 2 * 1024, "four bytes each"
    finally:
        tracemalloc.stop()
    (report,) = auditor.report()
    assert (report.published, report.detected, report.missing) == (4 * 1024, 4 * 1024, 0)
