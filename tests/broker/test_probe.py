"""`groundcam probe` says whether each partition has somebody who answers."""

import subprocess
import sys

import pytest

from conftest import Start, Wait, environment
from groundcam.audit import audit, totals
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker


def run(settings: KafkaSettings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "groundcam", "probe", *arguments], env=environment(settings), check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_every_partition_of_a_working_system_is_answered_and_the_accounts_stay_right(
    kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    worker = start(kafka, "work", "--model", "demo", "--question", "yellow star", "--group", kafka.topic_prefix)
    wait(lambda: "waiting for frames" in worker.log, 90, "the worker")
    probed = run(kafka, "--timeout", "40")
    assert (probed.returncode, probed.stderr) == (0, "")
    lines = probed.stdout.splitlines()
    assert len(lines) == 5
    assert all("by groundcam/demo" in line or "answered after" in line for line in lines[:4]), lines
    assert all(line.endswith("red circle") for line in lines[:4]), "the picture's own question was asked"
    assert lines[-1] == "all 4 partitions are answered"
    reports = audit(kafka)
    assert (totals(reports).missing, totals(reports).detected) == (0, 4)


def test_without_a_worker_it_fails_and_says_which_partitions_are_silent(kafka: KafkaSettings) -> None:
    probed = run(kafka, "--timeout", "2")
    assert probed.returncode == 1
    assert probed.stdout.count("no answer after") == 4
    assert "4 of 4 partitions have nobody who answers in time" in probed.stdout
