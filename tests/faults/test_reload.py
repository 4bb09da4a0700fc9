"""Cameras that change again and again under a producer: no other camera notices, as the auditor and the frames say."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from changing_cameras import Changes, ConfigMap, film, judge
from conftest import SEED, Start, Wait
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from kills import Row

pytestmark = pytest.mark.faults

TIMES, MINUTES = 200, 10


def test_two_hundred_changes_of_a_dozen_cameras_leave_no_other_camera_a_second_without_a_frame(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path, full: bool, report: Callable[[Row], Row]
) -> None:
    if not full:
        pytest.skip("takes ten minutes; tests/broker/test_reload.py makes a few changes, make test-faults all of them")
    config, random = ConfigMap(tmp_path / "etc"), Random(SEED)
    changes = Changes(config, film(tmp_path / "film.mp4"), int(SEED), [f"cam{number}" for number in range(12)])
    worker = start(kafka, "work", "--model", "fake:1ms", "--question", "person", GROUNDCAM_WORK__MAX_AGE_S="600")
    producer = start(kafka, "produce", "--config", config.path)

    def heard() -> set[bytes | None]:
        with Reader(kafka, [kafka.topics.frames], start="beginning") as reader:
            return {record.key for record in reader.to_the_end()}

    wait(lambda: len(heard()) == len(changes.cameras), 60, "frames of the first cameras")
    pause_s = MINUTES * 60 / TIMES
    changes.make(TIMES, producer, wait, lambda: random.uniform(0.5, 1.5) * pause_s)
    assert producer.stop() == 0
    wait(lambda: totals(audit(kafka)).missing == 0, 60, "the answers")
    assert worker.stop() == 0
    row = report(Row("cameras added, removed, opened anew, retuned, faults in the file", TIMES).judge(kafka))
    assert (row.missing, row.conflicting, row.dead_lettered, row.in_gaps) == (0, 0, 0, 0)
    assert row.once == row.frames
    assert judge(kafka, changes, longest_s=1.0) == []
