"""`groundcam doctor` finds what is wrong and says what to do; its exit code tells."""

import json
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from conftest import environment
from footage import publisher, video
from groundcam.devkafka.broker import free_port
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, encode

pytestmark = pytest.mark.broker


def doctor(settings: KafkaSettings, *arguments: str) -> tuple[int, list[dict[str, str]]]:
    done = subprocess.run(
        [sys.executable, "-m", "groundcam", "doctor", "--json", *arguments], env=environment(settings), check=False,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def told(findings: list[dict[str, str]], area: str, weight: str) -> str:
    return "\n".join(one["text"] for one in findings if (one["area"], one["weight"]) == (area, weight))


def write(folder: Path, text: str) -> str:
    path = folder / "groundcam.yaml"
    path.write_text(text)
    return str(path)


def test_where_all_is_well_it_says_so_and_exits_with_0(kafka: KafkaSettings, tmp_path: Path) -> None:
    config = write(
        tmp_path, f"work: {{model: demo, device: cpu}}\nproduce: {{cameras: {{yard: {video('bikes.mp4')}}}}}"
    )
    code, findings = doctor(kafka, "--config", config)
    assert (code, [one for one in findings if one["weight"] == "wrong"]) == (0, [])
    assert "yard: bikes.mp4 gives pictures of 640x272" in told(findings, "cameras", "fine")
    assert "those of a worker are given" in told(findings, "rights", "fine")
    assert "is here" in told(findings, "model", "fine")
    assert f"{kafka.bootstrap_servers} answers" in told(findings, "kafka", "fine")


def test_missing_topics_and_cameras_that_do_not_answer_are_named_without_their_passwords(
    cluster: str, tmp_path: Path
) -> None:
    bare = KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}.")
    (tmp_path / "secret").write_text("hunter2222")
    config = write(
        tmp_path,
        f"""produce:
  cameras:
    gate: {{url: "rtsp://viewer@127.0.0.1:{free_port()}/s", password_file: {tmp_path / "secret"}}}
    film: {tmp_path / "nothing.mp4"}""",
    )
    code, findings = doctor(bare, "--role", "producer", "--config", config, "--camera-timeout", "2")
    assert code == 1
    assert f"{bare.topics.frames}" in told(findings, "topics", "wrong")
    assert "`groundcam topics ensure` creates them" in told(findings, "topics", "wrong")
    cameras = told(findings, "cameras", "wrong")
    assert "gate: " in cameras
    assert "film: there is no file or folder" in cameras
    assert "hunter2222" not in json.dumps(findings)


def test_what_producers_tell_is_shown_with_clocks_that_run_ahead(kafka: KafkaSettings) -> None:
    now = time.time_ns()
    with publisher(kafka) as out:
        for name, state, since in (
            ("gate", CameraState.REFUSED, now - 60_000_000_000),
            ("yard", CameraState.ONLINE, now + 3_000_000_000_000),
            ("sold", CameraState.OFFLINE, now),
        ):
            status = CameraStatus(
                camera_id=name, state=state, since_ns=since, url="rtsp://h/", last_error="HTTPUnauthorizedError"
            )
            out.send(Record(kafka.topics.cameras, encode(status), name))
        out.send(Record(kafka.topics.cameras, b"", "sold"))
        out.flush(30)
    code, findings = doctor(kafka, "--role", "worker")
    assert "sold" not in json.dumps(findings), "it was taken back"
    assert code == 1
    assert re.search(r"gate: refused \(HTTPUnauthorizedError\) for \d+ s", told(findings, "cameras", "hint"))
    assert "yard: its producer's clock is 29" in told(findings, "clock", "wrong")
    assert "yard: online" in told(findings, "cameras", "fine")


def test_a_kafka_that_is_not_there_is_one_finding() -> None:
    code, findings = doctor(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", connect_timeout_s=1))
    assert code == 1
    assert [one["area"] for one in findings if one["weight"] == "wrong"] == ["kafka"]
