"""What a worker tells of itself."""

import pytest

from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import WorkerState
from groundcam_worker.reports import WorkerReports


@pytest.mark.parametrize("length", [1, 1024, 5000])
def test_a_reason_of_any_length_is_told(length: int) -> None:
    """It may name every topic and every broker; and what cannot be told would end all reports."""
    reports = WorkerReports(KafkaSettings(), "group", "demo")
    reports.ready(lambda: {"partitions": 3, "reason": "x" * length})
    status = reports.status()
    assert status.state is WorkerState.READY
    assert (status.partitions, status.reason) == (3, "x" * min(length, 1024))
    reports.ready(lambda: {"partitions": 3, "reason": None})
    assert reports.status().reason is None
