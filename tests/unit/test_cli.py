"""What a user sees when something is wrong: one sentence, and an exit code."""

import re
from pathlib import Path

import pytest

from command_line import run


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
        (["audit", "--since", "yesterday"], "--since: 'yesterday' is neither like 2h nor a time", 2),
        (["audit", "--grace-s", "-1"], "--grace-s", 2),
        (["watch", "--bootstrap-servers", "127.0.0.1"], r"kafka\.bootstrap_servers", 2),
        (["broker", "--nodes", "2"], "--nodes", 2),
        (["ask"], "question", 2),
        (["cameras", "list"], "127.0.0.1:1 does not answer", 3),
        (["config", "check", "nosuch.yaml"], "nosuch.yaml", 2),
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
        "attempt.schema.json", "camera-status.schema.json", "dead-letter.schema.json", "detections.schema.json", "event.schema.json",
        "frame.schema.json",
        "gap.schema.json", "objects.schema.json", "question.schema.json", "reply.schema.json", "worker-status.schema.json",
        "zones.schema.json",
    ]  # fmt: skip


def test_the_version_is_printed() -> None:
    assert run("--version").stdout.startswith("groundcam 0.")


def test_pictures_of_one_name_are_annotated_apart(tmp_path: Path) -> None:
    from groundcam.offline.inputs import names

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
    assert "broken.jpg cannot be read: it is a picture or film of no known kind" in done.stderr
    assert done.returncode == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.png", "two.png"]


def _film(path: Path, seconds: int) -> Path:
    import numpy as np

    from groundcam_producers.films.writer import VideoWriter

    with VideoWriter(path, (96, 64), fps=10) as film:
        for number in range(seconds * 10):
            film.write(np.full((64, 96, 3), number % 250, np.uint8), number / 10)
    return path


def test_videos_are_asked_picture_by_picture_and_give_a_contact_sheet(tmp_path: Path) -> None:
    import json

    import cv2

    film = _film(tmp_path / "clip.mp4", 6)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    out = tmp_path / "out"
    done = run("detect", str(film), str(broken), "--model", "fake", "--question", "person", "--fps", "2", "--json",
               "--annotate", str(out))  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["time_s"] for one in found] == [number / 2 for number in range(12)]
    assert found[0]["objects"][0]["label"] == "person"
    assert done.returncode == 1
    assert "broken.mp4 cannot be read: it is a picture or film of no known kind" in done.stderr
    sheet = cv2.imread(str(out / "clip.png"))
    assert sheet is not None
    assert sheet.shape[1] == 4 * (640 + 8) + 8, "four pictures in a row"


def test_a_sweep_shows_what_each_threshold_would_find(tmp_path: Path) -> None:
    """The detector that needs no model scores 0.9."""
    import json

    import cv2
    import numpy as np

    picture = tmp_path / "one.png"
    cv2.imwrite(str(picture), np.full((48, 64, 3), 90, np.uint8))
    arguments = ("detect", str(picture), "--model", "fake", "--question", "person, dog", "--threshold-sweep")
    done = run(*arguments, "0.5,0.95,0.2")
    assert done.stdout.splitlines() == [
        f"{picture} (64x48):", "  threshold     0.2     0.5    0.95", "  person          1       1       0",
        "  all             1       1       0",
    ]  # fmt: skip
    swept = json.loads(run(*arguments, "0.95,0.2", "--json").stdout)["thresholds"]
    assert [(one["threshold"], len(one["objects"])) for one in swept] == [(0.2, 1), (0.95, 0)]
    for wrong in ("0.2,x", "2"):
        refused = run(*arguments, wrong)
        assert (refused.returncode, "--threshold-sweep" in refused.stderr) == (2, True)
    assert run(*arguments, "0.2", "--box-threshold", "0.1").returncode == 2


def test_a_picture_is_never_overwritten_by_its_annotated_self(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    picture = tmp_path / "one.png"
    cv2.imwrite(str(picture), np.full((48, 64, 3), 90, np.uint8))
    before = picture.read_bytes()
    refused = run("detect", str(picture), "--model", "fake", "--question", "dog", "--annotate", str(tmp_path))
    assert refused.returncode == 2
    assert "one.png would be overwritten" in refused.stderr
    assert picture.read_bytes() == before


def test_where_nothing_can_be_drawn_is_told_before_the_model_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    picture = _film(tmp_path / "clip.mp4", 1)
    done = run("detect", str(picture), "--model", "tiny", "--question", "person", "--annotate", str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"groundcam: --annotate: {tmp_path / 'out'}: File exists\n"


def test_a_folder_that_is_a_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    done = run("demo", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "out: File exists" in done.stderr
