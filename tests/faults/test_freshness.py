"""A detector that is too slow: what is answered stays fresh, cameras share it fairly, and memory does not grow."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable

import psutil
import pytest

from conftest import Start, Wait
from footage import frame, jpeg, publisher
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, decode_answer, encode
from kills import SHORT, Row

pytestmark = pytest.mark.faults

MAX_AGE_S = 2.0
FPS = {"busy": 20, "slow": 4, "quiet": 1}
SKEW_S = {"busy": 0, "slow": -300, "quiet": 300}
"""Two of the three clocks are off by five minutes, in both directions."""


def test_a_detector_of_half_the_speed_keeps_its_answers_fresh(
    kafka: KafkaSettings, start: Start, wait: Wait, full: bool, report: Callable[[Row], Row]
) -> None:
    seconds = 600 if full else 25
    worker = start(
        kafka, "work", "--model", "fake:80ms", "--question", "person", "--max-age-s", str(MAX_AGE_S),
        "--group", kafka.topic_prefix, "--batch-size", "4", **SHORT,
    )  # fmt: skip
    wait(lambda: "waiting for frames" in worker.log, 60, "the worker")
    memory: list[tuple[float, int]] = []
    sent = send(kafka, seconds, lambda: memory.append((time.monotonic(), rss(worker.process.pid))))
    wait(lambda: totals(audit(kafka)).missing == 0, 60, "every frame accounted for")
    assert worker.stop() == 0

    reports = {one.camera_id: one for one in audit(kafka)}
    row = report(Row(f"a detector of half the speed, {seconds} s", 1).judge(kafka))
    assert (row.missing, row.repeated) == (0, 0)
    assert all(set(one.gaps_by_reason) <= {"stale"} for one in reports.values())
    assert reports["busy"].in_gaps > 0.3 * sent["busy"], "there was too much to do"
    for camera in ("slow", "quiet"):
        assert reports[camera].detected >= 0.9 * sent[camera], f"{camera} is starved: {reports[camera]}"
    ages = ages_of(kafka)
    for camera, found in ages.items():
        late = sorted(found)[int(0.99 * len(found)) - 1]
        assert late <= MAX_AGE_S, f"{camera}: {late:.2f} s at 99 %"
        print(f"{camera}: median {sorted(found)[len(found) // 2]:.2f} s, longest {max(found):.2f} s")
    if full:
        growth = growth_per_minute([(at, size) for at, size in memory if at > memory[0][0] + 120])
        print(f"memory grew by {growth / 1e6:.2f} MB a minute over the last eight")
        assert growth < 1_000_000


def send(settings: KafkaSettings, seconds: float, every_second: Callable[[], None]) -> dict[str, int]:
    """Send as three cameras do; return how many frames each has sent."""
    data, pause, sent = jpeg(), threading.Event(), dict.fromkeys(FPS, 0)
    began, noted = time.monotonic(), 0.0
    with publisher(settings) as out:
        while (now := time.monotonic() - began) < seconds:
            for number, (camera, fps) in enumerate(FPS.items()):
                if now >= sent[camera] / fps:
                    made = frame(camera, sent[camera], data)
                    made = made.model_copy(update={"captured_at_ns": made.captured_at_ns + int(SKEW_S[camera] * 1e9)})
                    out.send(Record(settings.topics.frames, encode(made), camera, number))
                    sent[camera] += 1
            out.poll()
            if now > noted + 1:
                noted = now
                every_second()
            pause.wait(0.005)
        out.flush(30)
        assert not out.unfinished
    return sent


def ages_of(settings: KafkaSettings) -> dict[str, list[float]]:
    """Return each camera's ages at the time of publishing, its clock's error taken out, without the first second's."""
    ages: dict[str, list[float]] = defaultdict(list)
    with Reader(settings, [settings.topics.detections], start="beginning") as reader:
        for record in reader.to_the_end():
            answer = decode_answer(record.value or b"")
            if isinstance(answer, Detections):
                delay_s = (answer.timings_ns.published - answer.captured_at_ns) / 1e9 + SKEW_S[answer.camera_id]
                ages[answer.camera_id].append(delay_s)
    return ages


def rss(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


def growth_per_minute(points: list[tuple[float, int]]) -> float:
    """The slope of a line through the points, by least squares, in bytes a minute."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return 60 * above / sum((x - mean_x) ** 2 for x, _ in points)
