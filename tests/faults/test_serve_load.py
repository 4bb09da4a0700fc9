"""The HTTP service far over capacity, beside cameras."""

import json
import statistics
import threading
import time

import psutil
import pytest

from conftest import Start, Wait
from footage import jpeg, publisher
from groundcam.audit import audit, totals
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Frame, decode_answer, encode
from serve_client import serve

pytestmark = pytest.mark.faults

CAMERAS, FPS = 4, 4.0
EACH_S, BATCH = 0.02, 8
NS = 1_000_000_000


class Cameras(threading.Thread):
    """Publishes frames of some cameras, evenly, until it is stopped."""

    def __init__(self, kafka: KafkaSettings) -> None:
        super().__init__(daemon=True)
        self._kafka, self.stopping, self.sent = kafka, threading.Event(), 0

    def run(self) -> None:
        picture = jpeg(2, 320, 240)
        with publisher(self._kafka) as out:
            while not self.stopping.wait(1 / FPS / CAMERAS):
                camera, seq = self.sent % CAMERAS, self.sent // CAMERAS
                frame = Frame(
                    camera_id=f"camera-{camera}", run_id="run", seq=seq, captured_at_ns=time.time_ns(), width=320,
                    height=240, source_width=320, source_height=240, data=picture,
                )  # fmt: skip
                out.send(Record(self._kafka.topics.frames, encode(frame), frame.camera_id, camera))
                out.poll()
                self.sent += 1
            out.flush(30)


def ages(kafka: KafkaSettings, from_ns: int, to_ns: int) -> dict[str, list[float]]:
    """By camera, the ages of its answers to frames that were captured in a time."""
    found: dict[str, list[float]] = {f"camera-{number}": [] for number in range(CAMERAS)}
    with Reader(kafka, [kafka.topics.detections], start="beginning") as reader:
        for record in reader.to_the_end():
            answer = decode_answer(record.value or b"")
            if isinstance(answer, Detections) and from_ns <= answer.captured_at_ns < to_ns:
                found[answer.camera_id].append((answer.timings_ns.published - answer.captured_at_ns) / NS)
    return found


@pytest.mark.long
def test_far_over_capacity_the_accepted_are_in_time_others_are_told_when_and_cameras_notice_little(
    start: Start, wait: Wait, kafka: KafkaSettings
) -> None:
    """Cameras take a third of the detector; clients, in a process of their own, would take it many times over."""
    seconds, quiet_s, timeout_s = 60, 20, 1.0
    model = f"fake:{EACH_S * 1000:.0f}ms"
    start(kafka, "work", "--model", model, "--question", "person", "--group", kafka.topic_prefix)
    program, client = serve(start, kafka)
    wait(lambda: client.is_ready and client.detect(jpeg(), "person").status == 200, 60, "an answer")
    process = psutil.Process(program.process.pid)
    cameras = Cameras(kafka)
    cameras.start()
    pause = threading.Event()
    pause.wait(5.0)
    quiet_ns = time.time_ns()
    pause.wait(quiet_s)
    loud_ns = time.time_ns()
    load = start(None, client.port, seconds, 64, timeout_s, module="serve_load")
    pause.wait(seconds / 3)
    early = process.memory_info().rss
    assert load.process.wait(seconds + 60) == 0, load.log
    late, end_ns = process.memory_info().rss, time.time_ns()
    cameras.stopping.set()
    cameras.join()
    wait(lambda: totals(audit(kafka)).missing == 0, 60, "every answer")
    figures = json.loads(load.out)
    before, during = ages(kafka, quiet_ns, loud_ns), ages(kafka, loud_ns, end_ns)
    medians = [statistics.median([age for some in one.values() for age in some]) for one in (before, during)]
    print(json.dumps({**figures, "camera_age_s": medians, "rss_mib": [early >> 20, late >> 20],
                      "answers": {name: len(some) for name, some in during.items()}}))  # fmt: skip
    statuses = figures["statuses"]
    assert set(statuses) <= {"200", "503", "504"}
    assert statuses["503"] > 3 * statuses["200"], "far over capacity"
    assert figures["without_retry_after"] == 0
    assert statuses.get("504", 0) <= 0.01 * statuses["200"]
    assert figures["p99_s"] <= timeout_s
    assert late - early < 30 << 20
    assert medians[1] - medians[0] <= EACH_S * BATCH
    wanted = FPS * (end_ns - loud_ns) / NS
    assert all(len(some) >= 0.8 * wanted for some in during.values())
