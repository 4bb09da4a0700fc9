"""Each `curl` of the documents is sent by curl itself to a real service, and answered as they say."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import make_topics, running, until
from doc_blocks import ROOT, all_commands, shown, with_own
from footage import publisher
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, encode
from serve_client import Client, serve

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]

PASSWORD = "correct horse battery"
HERE = r"(127\.0\.0\.1|localhost):8000"
STREAM_S = "3"
Curl = Callable[[list[str]], str]


@pytest.fixture(scope="module")
def service(
    cluster: str, ended: list[KafkaSettings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, Client]]:
    """A service with a worker that has the model in the box, where everybody may; one where people log in."""
    folder = tmp_path_factory.mktemp("curl")
    kafka = make_topics(KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}."))
    with running(folder) as start:
        words = with_own(shown("docs/serving.md", "groundcam users add anna"), {"users.yaml": folder / "users.yaml"})
        subprocess.run(
            [sys.executable, "-m", "groundcam", *words, "--password-stdin"],
            input=PASSWORD,
            text=True,
            check=True,
            timeout=60,
        )
        own: dict[str, object] = {"users.yaml": folder / "users.yaml"}
        _, people = serve(start, kafka, *with_own(shown("docs/serving.md", "groundcam serve --users"), own)[1:])
        own = {"kafka-1:9092": cluster, "tiny": "demo"}
        beginning = "groundcam serve --bootstrap-servers kafka-1:9092 --model tiny"
        _, pictures = serve(start, kafka, *with_own(shown("docs/serving.md", beginning), own)[1:])
        with publisher(kafka) as out:
            status = CameraStatus(camera_id="gate", state=CameraState.ONLINE, since_ns=1, url="rtsp://h")
            out.send(Record(kafka.topics.cameras, encode(status), "gate"))
            out.flush(30)
        until(lambda: people.is_alive and pictures.is_alive, 60, "the services")
        until(lambda: pictures.is_ready, 120, "the worker")
        until(lambda: pictures.get("/v1/cameras").json["cameras"], 60, "the camera")
        yield pictures, people
    ended.append(kafka)


def sent(words: list[str], client: Client, folder: Path) -> str:
    """Have curl send it to this service, from a folder with the repository's documents; what it printed."""
    if not (folder / "docs").exists():
        (folder / "docs").symlink_to(ROOT / "docs")
        for name in ("a.jpg", "b.png"):
            (folder / name).symlink_to(ROOT / "docs/shapes.jpg")
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail-with-body", *(re.sub(HERE, f"127.0.0.1:{client.port}", word) for word in words)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    in_time = 28 if "--max-time" in words else 0
    assert done.returncode == in_time, done.stdout + done.stderr
    return done.stdout


def test_the_readmes_picture_is_answered_with_its_boxes(service: tuple[Client, Client], tmp_path: Path) -> None:
    as_json, as_picture = (list(one.words[1:]) for one in all_commands("curl") if one.where.startswith("README.md"))
    (result,) = json.loads(sent(as_json, service[0], tmp_path))["results"]
    assert {one["label"] for one in result["objects"]} == {"red circle", "blue square"}
    sent(as_picture, service[0], tmp_path)
    assert (tmp_path / "found.jpg").read_bytes().startswith(b"\xff\xd8")


def test_the_forms_of_a_request_are_taken(service: tuple[Client, Client], tmp_path: Path) -> None:
    text = (ROOT / "docs/serving.md").read_text()
    body, form = (shlex.split(one)[1:] for one in re.findall(r"\| `(curl [^`]+)` \|", text))
    (result,) = json.loads(sent(with_own(body, {"person,forklift": "star,red+circle"}), service[0], tmp_path))[
        "results"
    ]
    assert {one["label"] for one in result["objects"]} >= {"red circle"}
    assert len(json.loads(sent(with_own(form, {"person": "star"}), service[0], tmp_path))["results"]) == 2


def test_events_are_listed_and_streamed_and_zones_are_set(service: tuple[Client, Client], tmp_path: Path) -> None:
    stream, listed, zones = (
        list(one.words[1:]) for one in all_commands("curl") if "/v1/events" in str(one) or "/zones" in str(one)
    )
    assert json.loads(sent(listed, service[0], tmp_path))["events"] == []
    assert set(json.loads(sent(zones, service[0], tmp_path))["lines"]) == {"door"}
    sent(["--max-time", STREAM_S, *stream], service[0], tmp_path)


def test_somebody_logs_in(service: tuple[Client, Client], tmp_path: Path) -> None:
    login, asked = (list(one.words[1:]) for one in all_commands("curl") if "/v1/session" in str(one))
    sent(with_own(login, {"...": PASSWORD}), service[1], tmp_path)
    told = json.loads(sent(asked, service[1], tmp_path))
    (said,) = re.findall(r"^    (\{\"name\": \"anna\".*\})$", (ROOT / "docs/serving.md").read_text(), re.MULTILINE)
    assert told | {"expires_s": 0} == json.loads(said) | {"expires_s": 0}
