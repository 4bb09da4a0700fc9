"""Workers that are ended at every point of their work lose nothing; the auditor judges."""

import os
import random
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import make_topics
from groundcam_runtime.settings import KafkaSettings
from kills import Row, kill_many

pytestmark = pytest.mark.faults

STREAMS = 4
"""Workers that are killed side by side, each with topics of its own."""


def in_streams(cluster: str, folder: Path, times: int, *options: str, seed: int, **how: Any) -> Row:
    """Kill so many times in all, several workers at once; return one row."""
    rows: list[Row] = []
    problems: list[BaseException] = []

    def one(number: int) -> None:
        settings = make_topics(KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}."))
        mine = folder / str(number)
        mine.mkdir()
        try:
            rows.append(kill_many(settings, mine, times // STREAMS, *options, seed=seed + number, **how))
        except BaseException as problem:  # noqa: BLE001 - told by the test
            problems.append(problem)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(STREAMS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    total = Row(rows[0].fault, sum(row.faults for row in rows))
    for row in rows:
        for field in ("frames", "once", "repeated", "in_gaps", "dead_lettered", "missing", "conflicting"):
            setattr(total, field, getattr(total, field) + getattr(row, field))
        total.recovery_s += row.recovery_s
    return total


def seed_of(name: str) -> int:
    seed = int(os.environ.get("GROUNDCAM_TEST_SEED", random.randrange(10**6)))
    print(f"{name}: GROUNDCAM_TEST_SEED={seed}")
    return seed


def test_a_worker_that_is_killed_at_random_points_loses_nothing_and_condemns_nobody(
    cluster: str, tmp_path: Path, full: bool, report: Callable[[Row], Row]
) -> None:
    row = in_streams(cluster, tmp_path, 1000 if full else 16, seed=seed_of("kills"))
    row.fault = "SIGKILL after poll, in inference, after produce, flush, commit"
    report(row)
    assert (row.missing, row.conflicting, row.dead_lettered, row.in_gaps) == (0, 0, 0, 0)
    assert row.once == row.frames


def test_a_worker_that_is_told_to_stop_at_random_points_repeats_nothing(
    cluster: str, tmp_path: Path, full: bool, report: Callable[[Row], Row]
) -> None:
    row = in_streams(cluster, tmp_path, 100 if full else 8, seed=seed_of("stops"), name="SIGTERM")
    row.fault = "SIGTERM at the same points"
    report(row)
    assert (row.repeated, row.missing, row.dead_lettered) == (0, 0, 0)


def test_transactions_show_a_committed_reader_each_answer_exactly_once(
    cluster: str, tmp_path: Path, full: bool, report: Callable[[Row], Row]
) -> None:
    seed = seed_of("transactions")
    # One camera has twenty times the frames of the others: by turns, theirs are answered long before its own.
    row = in_streams(cluster, tmp_path, 200 if full else 12, "--transactional", seed=seed, busiest=20)
    row.fault = "SIGKILL at the same points, transactional, as a read_committed reader sees it"
    report(row)
    assert (row.repeated, row.missing, row.conflicting, row.dead_lettered) == (0, 0, 0, 0)
    assert row.once == row.frames


@pytest.mark.long
def test_a_planted_bug_is_caught(kafka: KafkaSettings, tmp_path: Path) -> None:
    """A worker that commits before Kafka has the answer: if this went unseen, the tests above would prove nothing."""
    row = kill_many(kafka, tmp_path, 6, seed=1, points=("inference", "produce"), BUG="early")
    assert row.missing > 0
