"""What a user sees when something is wrong: one sentence, and an exit code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "groundcam"]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GROUNDCAM_")}
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment | variables,
    )


@pytest.mark.parametrize(
    ("arguments", "names", "code"),
    [
        (["work", "--bogus"], "--bogus", 2),
        (["nonsense"], "nonsense", 2),
        (["work", "--batch-size", "0"], r"work\.batch_size", 2),
        (["work", "--question", "a.b"], r"'a\.b'", 2),
        (["work", "--config", "nosuch.yaml"], "nosuch.yaml", 2),
        (["produce"], "--camera", 2),
        (["produce", "--camera", "gate"], "--camera", 2),
        (["produce", "--camera", "gate=nosuch.mp4"], "nosuch.mp4", 2),
        (["produce", "--camera", "gate=viewer:hunter2222@10.0.0.5/stream"], "no file or folder 10.0.0.5/stream", 2),
        (["produce", "--camera", "gate=ftp://u:hunter2222@h/x"], "ftp://", 2),
        (["produce", "--camera", "gate=rtsp://u@h/x", "--password-env", "gate=NOSUCH"], "NOSUCH", 2),
        (["detect", "nosuch.jpg", "--question", "a"], "nosuch.jpg", 2),
        (["topics", "ensure", "--bootstrap-servers", "127.0.0.1:1"], "127.0.0.1:1 does not answer", 3),
        (["audit", "--bootstrap-servers", "127.0.0.1:1"], "127.0.0.1:1 does not answer", 3),
        (["watch", "--bootstrap-servers", "127.0.0.1"], r"kafka\.bootstrap_servers", 2),
        (["broker", "--nodes", "2"], "--nodes", 2),
        (["ask"], "question", 2),
    ],
)
def test_an_error_is_one_sentence_that_names_what_is_wrong(arguments: list[str], names: str, code: int) -> None:
    done = run(
        *arguments, GROUNDCAM_KAFKA__CONNECT_TIMEOUT_S="1", **(
            {} if "--bootstrap-servers" in arguments else {"GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        )
    )  # fmt: skip
    lines = done.stderr.strip().splitlines()
    assert done.returncode == code, done.stderr
    assert re.search(names, lines[-1])
    assert "Traceback" not in done.stderr
    assert "hunter2222" not in done.stderr + done.stdout
    assert len(lines) == 1


def test_a_password_on_the_command_line_warns_and_is_not_repeated() -> None:
    done = run(
        "produce", "--camera", "gate=rtsp://viewer:hunter2222@127.0.0.1:1/x", "--bootstrap-servers", "127.0.0.1:1",
        GROUNDCAM_KAFKA__CONNECT_TIMEOUT_S="1",
    )  # fmt: skip
    assert "command line" in done.stderr
    assert "hunter2222" not in done.stderr + done.stdout
    assert done.returncode == 3


def test_schemas_are_exported(tmp_path: Path) -> None:
    done = run("schema", "export", str(tmp_path / "out"))
    assert done.returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "camera-status.schema.json", "dead-letter.schema.json", "detections.schema.json", "frame.schema.json",
        "gap.schema.json", "question.schema.json",
    ]  # fmt: skip


def test_every_command_has_a_help_text() -> None:
    for command in (
        "produce",
        "work",
        "watch",
        "ask",
        "detect",
        "audit",
        "broker",
        "topics ensure",
        "schema export",
    ):
        done = run(*command.split(), "--help")
        assert done.returncode == 0
        assert "Usage" in done.stdout


def test_the_version_is_printed() -> None:
    assert run("--version").stdout.startswith("groundcam 0.")


def test_pictures_of_one_name_are_annotated_apart(tmp_path: Path) -> None:
    from groundcam.inputs import names

    pictures = [tmp_path / "a" / "x.jpg", tmp_path / "b" / "x.jpg", tmp_path / "y.jpg"]
    assert list(names(pictures).values()) == ["a-x.jpg", "b-x.jpg", "y"]


def test_pictures_are_asked_without_kafka(tmp_path: Path) -> None:
    """As a user does it, with the detector that needs no model."""
    import json

    import cv2
    import numpy as np

    for name in ("one", "two"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((48, 64, 3), 90, np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    arguments = ("--model", "fake", "--question", "person, dog", "--json", "--annotate", str(tmp_path / "out"))
    done = run("detect", str(tmp_path), *arguments)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(Path(one["path"]).name, one["width"], one["height"]) for one in found] == [
        ("one.png", 64, 48),
        ("two.png", 64, 48),
    ]
    assert found[0]["objects"] == [{"label": "person", "class_id": 0, "score": 0.9, "box": [16.0, 12.0, 48.0, 36.0]}]
    assert "broken.jpg is no picture" in done.stderr
    assert done.returncode == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.png", "two.png"]
