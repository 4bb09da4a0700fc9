"""Schemathesis over the whole API, as it describes itself, in front of Apache Kafka and a fake model."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Start, Wait
from footage import jpeg, publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, Frame, Question, encode
from serve_client import serve

pytestmark = pytest.mark.broker

CONFIG = Path(__file__).parent.parent / "schemathesis.toml"
IS_FULL = bool(os.environ.get("GROUNDCAM_TEST_FAULTS"))
MOST = "400" if IS_FULL else "8"
"""Examples of an operation, besides those of its bounds."""
LEFT_OUT = "^/v1/detections$" if IS_FULL else "^/v1/(detections|jobs)$"
"""Of a stream there is no end to look at; each job starts a program."""


def test_no_status_is_undeclared_and_every_answer_is_as_its_schema_says(
    start: Start, wait: Wait, kafka: KafkaSettings, tmp_path: Path
) -> None:
    start(kafka, "work", "--model", "fake", "--group", kafka.topic_prefix)
    _, client = serve(start, kafka)
    wait(lambda: client.is_ready and client.detect(jpeg(), "person").status == 200, 60, "an answer")
    now = time.time_ns()
    status = CameraStatus(camera_id="gate", state=CameraState.ONLINE, since_ns=now, url="rtsp://gate")
    frame = Frame(
        camera_id="gate", run_id="run", seq=0, captured_at_ns=now, width=320, height=240, source_width=320,
        source_height=240, data=jpeg(), question=Question.of("person"),
    )  # fmt: skip
    with publisher(kafka) as out:
        out.send(Record(kafka.topics.cameras, encode(status), "gate"))
        out.send(Record(kafka.topics.frames, encode(frame), "gate"))
        out.flush(30)
    wait(lambda: client.get("/v1/cameras/gate/latest.jpg").status == 200, 30, "the camera's picture")
    address = f"http://127.0.0.1:{client.port}/openapi.json"
    command = [
        Path(sys.executable).parent / "schemathesis", "--config-file", CONFIG, "run", address, "--checks", "all",
        "--phases", "examples,coverage,fuzzing", "--max-examples", MOST, "--request-timeout", "30",
        "--exclude-path-regex", LEFT_OUT, "--no-color",
    ]  # fmt: skip
    ran = subprocess.run(
        list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, timeout=1500, check=False
    )
    cases = re.search(r"([\d,]+) generated", ran.stdout)
    assert ran.returncode == 0, "\n".join(line[:300] for line in (ran.stdout + ran.stderr).splitlines())
    assert cases is not None
    assert int(cases[1].replace(",", "")) > 500, ran.stdout[-2000:]
    print(f"schemathesis: {cases[1]} cases")
    assert client.detect(jpeg(), "person").status == 200
