"""What a worker says of itself to probes, to metrics and to people."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from groundcam_runtime.partitions.assignment import Assignment
from groundcam_runtime.records import Assigned, Partition, Position
from groundcam_worker.health import WorkerHealth

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


def test_a_broker_that_is_away_fails_readiness_and_never_liveness() -> None:
    worker_health, _ = worker(heard=3600.0)
    assert worker_health.not_ready() == "Kafka has not answered for 3600 s"
    assert worker_health.stuck() is None
    assert worker_health.state().ready is False
    assert worker_health.state().kafka_silent_s == pytest.approx(3600, abs=1)


def test_without_a_partition_it_is_not_ready() -> None:
    assert worker(assigned=0)[0].not_ready() == "no partition is assigned to this worker"


def test_people_see_what_is_answered_and_what_is_not() -> None:
    worker_health, _ = worker()
    found = worker_health.report()
    assert found["model"] == "demo"
    assert found["partitions"] == {"groundcam.frames[0]": {"finished_offset": 5, "not_answered": 8}}
    assert (found["waiting_frames_bytes"], found["unacknowledged_bytes"]) == (7, 9)
