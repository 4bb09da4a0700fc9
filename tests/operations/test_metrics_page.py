"""Prometheus' own linter has nothing to say of what our processes tell."""

import subprocess

import pytest

import event_metrics
from groundcam_producers.metrics import ProducerMetrics
from groundcam_runtime.metrics import Metrics
from groundcam_runtime.records import Partition
from groundcam_schemas import GapReason
from groundcam_serve.metrics import FIGURES, ServeMetrics
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.snapshot import GpuReading, WorkerSnapshot
from prometheus_server import MISSING, REASON

pytestmark = [pytest.mark.operations, pytest.mark.skipif(bool(MISSING), reason=REASON)]


def worker() -> Metrics:
    metrics, frames = WorkerMetrics("1"), Partition("groundcam.frames", 0)
    metrics.watch(lambda: WorkerSnapshot(lag={frames: 1}, finished={frames: 2}), lambda: [GpuReading("0", 0.5, 1, 2)])
    metrics.consumed("gate", 10)
    metrics.asked("gate", "v1", ("person",))
    metrics.answered("gate", ("person",), 0.1)
    metrics.clock("gate", 0.1)
    metrics.batch(1)
    metrics.detected(0.1)
    return metrics


def producer() -> Metrics:
    metrics = ProducerMetrics("1")
    metrics.cameras(["gate"])
    metrics.frame("gate", 1)
    metrics.dropped("gate", GapReason.STALE, 1)
    return metrics


def serve() -> Metrics:
    metrics = ServeMetrics("1")
    metrics.watch(lambda: dict.fromkeys(FIGURES, 1.0))
    metrics.request("/v1/detect", 200, 0.1)
    metrics.refused("overloaded")
    metrics.picture(0.1)
    return metrics


def lint(page: bytes) -> tuple[int, str]:
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


PAGES = {
    "worker": worker, "producer": producer, "serve": serve,
    "tracker": event_metrics.tracker, "notifier": event_metrics.notifier,
}  # fmt: skip


@pytest.mark.parametrize("metrics", [make() for make in PAGES.values()], ids=PAGES)
def test_the_linter_is_content(metrics: Metrics) -> None:
    assert lint(metrics.render("")[0]) == (0, "")


def test_the_linter_would_say_something() -> None:
    page = producer().render("")[0].replace(b"groundcam_reconnects_total", b"groundcam_reconnectsTotal")
    code, told = lint(page)
    assert code != 0
    assert "groundcam_reconnectsTotal" in told
