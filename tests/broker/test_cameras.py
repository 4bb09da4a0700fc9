"""`groundcam cameras` on Apache Kafka: who is there, and who is forgotten."""

import json
import os
import pty
import sys

import pytest
import typer

from footage import publisher
from groundcam.camera_list import CameraError
from groundcam.command_line import app
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraQuestion, CameraState, CameraStatus, encode
from walks import answer

pytestmark = pytest.mark.broker


def told(camera_id: str, state: CameraState) -> CameraStatus:
    return CameraStatus(camera_id=camera_id, state=state, since_ns=10**18, url="rtsp://h/x", width=64, height=48)


@pytest.fixture
def site(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    """Two cameras, one of them online, and questions for one of them, for a third and for all."""
    monkeypatch.setenv("GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("GROUNDCAM_KAFKA__TOPIC_PREFIX", kafka.topic_prefix)
    states = [("gate", CameraState.OFFLINE), ("yard", CameraState.CONNECTING), ("yard", CameraState.ONLINE)]
    with publisher(kafka) as out:
        for camera_id, state in states:
            out.send(Record(kafka.topics.cameras, encode(told(camera_id, state)), camera_id))
        out.send(Record(kafka.topics.cameras, b"of another program", "gate"))
        for camera_id in ("gate", "pier", "*"):
            question = CameraQuestion(classes=[{"phrase": "dog"}], camera_id=camera_id, set_by="me", set_at_ns=1)
            out.send(Record(kafka.topics.prompts, encode(question), camera_id))
        out.flush(30)
        assert not out.unfinished
    return kafka


def cameras(*arguments: str) -> int:
    return app(["cameras", *arguments], standalone_mode=False) or 0


def nulls(kafka: KafkaSettings, topic: str) -> list[bytes | None]:
    """The keys of the tombstones on a topic."""
    with Reader(kafka, [topic], start="beginning") as reader:
        return [record.key for record in reader.to_the_end() if record.value is None]


def test_cameras_are_listed_with_their_newest_state(site: KafkaSettings, capsys: pytest.CaptureFixture[str]) -> None:
    cameras("list", "--json")
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["camera_id"], one["state"], one["width"]) for one in found] == [
        ("gate", "offline", 64),
        ("yard", "online", 64),
    ]
    cameras("list")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["CAMERA", "gate", "yard"]


def test_who_watches_a_camera_that_nobody_has_told_of_is_told(
    site: KafkaSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    with publisher(site) as out:
        for name in ("gaet", "gate"):
            out.send(Record(site.topics.detections, encode(answer(0, 0.0, [], camera_id=name)), name))
        out.flush(30)
    app(["watch", "--camera", "gaet", "--camera", "gate", "--from-beginning", "--count", "2"], standalone_mode=False)
    shown = capsys.readouterr()
    assert {line.split()[0] for line in shown.out.splitlines()} == {"gaet", "gate"}
    assert shown.err == "groundcam: no camera gaet has told of itself, so it is waited for; did you mean gate?\n"


def test_a_forgotten_camera_leaves_a_tombstone_for_its_state_and_its_own_question(
    site: KafkaSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    topics = site.topics
    assert cameras("forget", "gate", "--yes") == 0
    assert (nulls(site, topics.cameras), nulls(site, topics.prompts)) == ([b"gate"], [b"gate"])
    with pytest.raises(CameraError, match=r"there is no camera gate$"):
        cameras("forget", "gate", "--yes")
    with pytest.raises(CameraError, match="there is no camera yrad; did you mean yard"):
        cameras("forget", "yrad", "--yes")
    with pytest.raises(CameraError, match="the camera yard is online"):
        cameras("forget", "yard", "--yes")
    assert cameras("forget", "yard", "--yes", "--force") == 0
    assert cameras("forget", "pier", "--yes") == 0
    assert (nulls(site, topics.cameras), nulls(site, topics.prompts)) == ([b"gate", b"yard"], [b"gate", b"pier"])
    capsys.readouterr()
    cameras("list")
    assert "no camera has told of itself" in capsys.readouterr().err


def test_somebody_is_asked_before_a_camera_is_forgotten(
    site: KafkaSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.BadParameter, match="nobody can be asked here: --yes"):
        cameras("forget", "gate")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal, os.fdopen(ours, "w") as keyboard:
        monkeypatch.setattr(sys, "stdin", terminal)
        for answer, code, keys in (("n", 1, []), ("y", 0, [b"gate"])):
            keyboard.write(f"{answer}\n")
            keyboard.flush()
            assert cameras("forget", "gate") == code
            assert "Forget its state (offline since" in capsys.readouterr().out
            assert nulls(site, site.topics.cameras) == keys
