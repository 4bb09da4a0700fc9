"""What one camera's outbox keeps, and what it tells, while Kafka takes nothing."""

import gc
import multiprocessing
from typing import Any

import pytest
from pydantic import SecretStr

from groundcam_producers import process
from groundcam_producers.camera import CameraLoop
from groundcam_producers.outbox import Outbox
from groundcam_producers.settings import CameraSettings, ProduceSettings
from groundcam_producers.task import CameraTask
from groundcam_runtime.kafka.publisher import Delivery
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings, LogSettings, TraceSettings
from groundcam_runtime.tracing import Tracing
from groundcam_schemas import CameraState, CameraStatus, Frame, Gap, GapReason, decode


class SilentKafka:
    """A publisher whose Kafka acknowledges nothing until it is asked to."""

    def __init__(self, *, has_room: bool = False) -> None:
        self.waiting: list[Delivery] = []
        self.sent: list[Record] = []
        self.answers = False
        self._has_room = has_room

    @property
    def unfinished(self) -> int:
        return len(self.waiting)

    def has_room(self, _size: int) -> bool:
        return self._has_room

    def send(self, record: Record, tag: Any = None, *, urgent: bool = False) -> None:
        assert urgent or self._has_room, "there is no room"
        self.sent.append(record)
        self.waiting.append(Delivery(record, tag))

    def poll(self) -> list[Delivery]:
        finished, self.waiting = (self.waiting, []) if self.answers else ([], self.waiting)
        return finished


def a_task() -> CameraTask:
    return CameraTask(
        "gate", CameraSettings(url=SecretStr("rtsp://h/")), ProduceSettings(), KafkaSettings(), LogSettings(),
        TraceSettings(), "0", "groundcam.frames", 0, 10**6, None,
    )  # fmt: skip


def an_outbox(kafka: SilentKafka) -> Outbox:
    return Outbox(a_task(), kafka, "r", Tracing(TraceSettings(), "test", "0"))  # type: ignore[arg-type]


def a_frame(seq: int, data: bytes) -> Frame:
    return Frame(
        camera_id="gate", run_id="r", seq=seq, captured_at_ns=seq, width=64, height=48, source_width=64,
        source_height=48, data=data,
    )  # fmt: skip


def test_an_outage_leaves_a_bounded_number_of_reports_and_the_newest_state(caplog: pytest.LogCaptureFixture) -> None:
    kafka = SilentKafka()
    outbox = an_outbox(kafka)
    for number in range(500):
        outbox.status(CameraState.OFFLINE, error=f"Error{number}")
        outbox.away(number, number + 1)
        outbox.skip(number, GapReason.PRODUCER_OVERLOAD)
        outbox.poll()
    assert len(kafka.sent) < 50
    assert outbox.state is CameraState.OFFLINE
    kafka.answers = True
    assert outbox.finish(5.0, lambda: None)
    states = [decode(CameraStatus, one.value) for one in kafka.sent if one.topic == "groundcam.cameras"]
    gaps = [decode(Gap, one.value) for one in kafka.sent if one.topic == "groundcam.detections"]
    assert states[-1].last_error == "Error499"
    assert [(one.first_seq, one.last_seq) for one in gaps if one.first_seq is not None] == [(0, 499)]
    assert len([one for one in gaps if one.from_ns is not None]) == 500
    assert outbox.dropped == {GapReason.PRODUCER_OVERLOAD: 500}
    assert not caplog.records


def test_an_absence_that_lasts_is_told_of_while_it_does_without_holes_and_not_too_often() -> None:
    kafka = SilentKafka()
    kafka.answers = True
    outbox = an_outbox(kafka)
    since: int | None = 5 * 10**9
    for second in range(5, 60):
        since = outbox.still_away(since, second * 10**9)
    assert outbox.still_away(None, 10**12) is None
    gaps = [decode(Gap, one.value) for one in kafka.sent if one.topic == "groundcam.detections"]
    assert [((one.from_ns or 0) // 10**9, (one.to_ns or 0) // 10**9) for one in gaps] == [(5, 20), (20, 35), (35, 50)]
    assert since == 50 * 10**9


def test_of_a_frame_that_waits_for_kafka_its_record_alone_is_kept() -> None:
    """Its picture besides would make an outage take half as much memory again."""
    kafka = SilentKafka(has_room=True)
    outbox = an_outbox(kafka)
    outbox.frame(a_frame(1, bytes(50_000)), wait=None)
    gc.collect()
    assert [len(one.value or b"") > 50_000 for one in kafka.sent] == [True]
    assert not [one for one in gc.get_objects() if type(one) is Frame and one.run_id == "r"]


def test_a_frame_that_kafka_refuses_is_told_by_its_number() -> None:
    kafka = SilentKafka(has_room=True)
    outbox = an_outbox(kafka)
    for seq in (7, 8, 9):
        outbox.frame(a_frame(seq, b"jpeg"), wait=None)
    kafka.waiting[1].error = ValueError("no")
    kafka.answers = True
    assert outbox.finish(5.0, lambda: None)
    gaps = [decode(Gap, one.value) for one in kafka.sent if one.topic == "groundcam.detections"]
    assert [(one.first_seq, one.last_seq, one.reason) for one in gaps] == [(8, 8, GapReason.TOO_LARGE)]
    assert outbox.totals["frames_published"] == 2


def test_a_frame_for_which_there_is_no_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = SilentKafka(has_room=True)
    outbox = an_outbox(kafka)

    def none(*_: Any, **__: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as starved:
        starved.setattr(Record, "of", none)
        with pytest.raises(MemoryError):
            outbox.frame(a_frame(3, b"jpeg"), wait=None)
    kafka.answers = True
    assert outbox.finish(5.0, lambda: None)
    assert [(one.first_seq, one.reason) for one in (decode(Gap, sent.value) for sent in kafka.sent)] == [
        (3, GapReason.TOO_LARGE)
    ]


def test_what_was_numbered_is_sent_or_told_also_where_the_loop_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = SilentKafka(has_room=True)
    kafka.answers = True
    kafka.close = lambda _timeout_s: None  # type: ignore[attr-defined]

    def fails(loop: CameraLoop) -> None:
        loop._outbox.skip(7, GapReason.UNDECODABLE)
        raise ValueError("nobody thought of it")

    monkeypatch.setattr(process, "Publisher", lambda *_, **__: kafka)
    monkeypatch.setattr(process, "on_signal", lambda *_: None)
    monkeypatch.setattr(CameraLoop, "run", fails)
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        assert process._serve(a_task(), theirs) == 1
    gaps = [decode(Gap, one.value) for one in kafka.sent if one.topic == "groundcam.detections"]
    assert [(one.first_seq, one.reason) for one in gaps] == [(7, GapReason.UNDECODABLE)]
    assert "nobody thought of it" in caplog.text
