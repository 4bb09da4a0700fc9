"""What a worker says of itself to probes, to metrics and to people."""

import time
from types import SimpleNamespace
from typing import Any

import kafka.errors
import pytest

from groundcam_runtime.kafka import source as kafka_source
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.records import Assigned, Partition, Position
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Question
from groundcam_worker.health import WorkerHealth
from groundcam_worker.policy.questions import Questions

FRAMES = Partition("groundcam.frames", 0)


def worker(**changes: float) -> tuple[WorkerHealth, Any]:
    """Vitals of a loop that is well, but for some changes: `ticked`, `polled`, `heard` and `busy`, seconds ago."""
    now = time.monotonic()
    ago = {name: now - changes.get(name, 0.0) for name in ("ticked", "polled", "heard")}
    source = SimpleNamespace(polled_at=ago["polled"], heard_at=ago["heard"], silence_s=11.0)
    assignment = Assignment(4)
    if changes.get("assigned", 1):
        assignment.arrive(Assigned({FRAMES: Position(5)}, 1))
    driver = SimpleNamespace(
        ticked_at=ago["ticked"],
        source=source,
        inference=SimpleNamespace(busy_since=now - changes["busy"] if "busy" in changes else None),
        state=SimpleNamespace(assignment=assignment, waiting_bytes=7),
        unacknowledged_bytes=9,
    )
    worker_health = WorkerHealth({"model": "demo"})
    worker_health.begin(driver, lambda finished: {FRAMES: finished[FRAMES] + 3})  # type: ignore[arg-type]
    return worker_health, driver


def test_while_the_model_loads_it_is_alive_and_neither_started_nor_ready() -> None:
    worker_health = WorkerHealth({"model": "demo"})
    assert worker_health.stuck() is None
    assert worker_health.started() == worker_health.not_ready() == "the model is being loaded"
    assert worker_health.state().ready is False
    assert worker_health.report()["ready"] == "the model is being loaded"


def test_a_loop_that_is_well_is_alive_started_and_ready() -> None:
    worker_health, _ = worker()
    assert (worker_health.stuck(), worker_health.started(), worker_health.not_ready()) == (None, None, None)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"ticked": 61.0}, "the loop has stood still for 61 s"),
        ({"polled": 75.0}, "the Kafka consumer has stood still for 75 s"),
        ({"busy": 601.0}, "the detector has stood still for 601 s"),
    ],
)
def test_what_stands_still_fails_liveness_and_is_named(change: dict[str, float], what: str) -> None:
    assert worker(**change)[0].stuck() == what


def test_a_batch_of_minutes_is_no_reason_for_a_restart() -> None:
    assert worker(busy=300.0)[0].stuck() is None


class AwayConsumer:
    """What kafka-python's consumer does while its brokers are away: each poll raises."""

    def __init__(self) -> None:
        self.polls = 0
        self._fetcher = SimpleNamespace(_handle_fetch_response=None)

    def assignment(self) -> set[Any]:
        return set()

    def poll(self, _timeout_ms: int) -> dict[Any, Any]:
        self.polls += 1
        raise kafka.errors.KafkaConnectionError("the broker is away")


def test_a_source_whose_every_poll_raises_while_brokers_are_away_is_alive_and_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = AwayConsumer()
    monkeypatch.setattr(kafka_source, "connect", lambda *_arguments, **_options: consumer)
    source = GroupSource(KafkaSettings(), ["groundcam.frames"], group_id="g", max_records=8, max_bytes=8)
    source.polled_at = source.heard_at = time.monotonic() - 3600
    source._closing.set()  # so that it does not wait between two polls
    source._poll()
    worker_health, pipeline = worker()
    pipeline.source = source
    assert consumer.polls == 1
    assert worker_health.stuck() is None
    assert worker_health.not_ready() == "Kafka has not answered for 3600 s"


def test_a_source_whose_poll_does_not_come_back_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side of it: nothing but a poll that came back counts."""
    monkeypatch.setattr(kafka_source, "connect", lambda *_arguments, **_options: AwayConsumer())
    source = GroupSource(KafkaSettings(), ["groundcam.frames"], group_id="g", max_records=8, max_bytes=8)
    source.polled_at = time.monotonic() - 75
    worker_health, pipeline = worker()
    pipeline.source = source
    assert worker_health.stuck() == "the Kafka consumer has stood still for 75 s"


def test_a_broker_that_is_away_fails_readiness_and_never_liveness() -> None:
    worker_health, _ = worker(heard=3600.0)
    assert worker_health.not_ready() == "Kafka has not answered for 3600 s"
    assert worker_health.stuck() is None
    assert worker_health.state().ready is False
    assert worker_health.state().kafka_silent_s == pytest.approx(3600, abs=1)


def test_without_a_partition_it_is_not_ready() -> None:
    assert worker(assigned=0)[0].not_ready() == "no partition is assigned to this worker"


def test_people_see_who_answers_on_what_and_what_is_asked_also_while_it_warms_up() -> None:
    worker_health = WorkerHealth({})
    assert "questions" not in worker_health.report()
    questions = Questions([("gate", Question.of("person"))])
    worker_health.loaded({"model": "demo", "device_name": "NVIDIA L4", "precision": "fp16"}, questions.all)
    found = worker_health.report()
    assert found["detector"] == {"model": "demo", "device_name": "NVIDIA L4", "precision": "fp16"}
    assert found["questions"]["gate"]["classes"] == ["person"]
    assert found["ready"] == "the model is being loaded"


def test_people_see_what_is_answered_and_what_is_not() -> None:
    worker_health, _ = worker()
    found = worker_health.report()
    assert found["model"] == "demo"
    assert found["partitions"] == {"groundcam.frames[0]": {"finished_offset": 5, "not_answered": 8}}
    assert (found["waiting_frames_bytes"], found["unacknowledged_bytes"]) == (7, 9)
