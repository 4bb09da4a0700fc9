"""The auditor finds planted losses, and counts each frame once."""

from collections.abc import Callable

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
    FrameRef,
    Gap,
    GapReason,
    Model,
    QuestionRef,
    TimingsNs,
    Topics,
    encode,
    encode_json,
)

TOPICS = Topics()
JPEG = bytes(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1])


class Log:
    """Topics written by hand."""

    def __init__(self) -> None:
        self.records: list[Consumed] = []

    def add(self, topic: str, value: bytes, key: str = "gate", headers: tuple[tuple[str, bytes], ...] = ()) -> int:
        offset = sum(record.partition.topic == topic for record in self.records)
        self.records.append(Consumed(Partition(topic, 0), offset, 0, key.encode(), value, headers, 0))
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
            frame=FrameRef(run_id=run, seq=seq, topic=TOPICS.frames, partition=0, offset=seq), captured_at_ns=0,
            source_width=8, source_height=8, question=QuestionRef(id="*", version="v", classes=("a",)),
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

    def report(self) -> list[RunReport]:
        auditor = Auditor(TOPICS)
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
