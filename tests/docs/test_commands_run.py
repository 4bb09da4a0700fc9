"""What the documents show and what needs no Kafka is run as it stands there, with the model in the box."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from doc_blocks import ROOT, shown, with_own
from groundcam.demo.film import shoot
from groundcam.demo.scene import SCENES

PASSWORD = "correct horse battery"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with what the documents' commands read."""
    shutil.copy(ROOT / "docs/shapes.jpg", tmp_path / "photo.jpg")
    shutil.copy(ROOT / "docs/shapes.jpg", tmp_path / "picture.png")
    return tmp_path


def run(words: list[str], here: Path, given: str = "", code: int = 0) -> str:
    """Run a command to its end in a folder; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "groundcam", *words],
        cwd=here, input=given, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_settings_are_printed_checked_and_shown(here: Path) -> None:
    document = "docs/settings.md"
    (here / "groundcam.yaml").write_text(run(shown(document, "groundcam config example"), here))
    run(shown(document, "groundcam config check"), here)
    assert "kafka.bootstrap_servers" in run(shown(document, "groundcam config show"), here)
    (here / "groundcam.yaml").write_text("work:\n  batchsize: 4\n")
    assert "did you mean work.batch_size?" in run(shown(document, "groundcam config check"), here, code=1)


def test_the_contract_is_written(here: Path) -> None:
    run(shown("docs/subscribing.md", "groundcam schema export"), here)
    assert json.loads((here / "FOLDER/detections.schema.json").read_text())["title"] == "Detections"
    run(shown("docs/subscribing.md", "groundcam schema asyncapi"), here)
    assert yaml.safe_load((here / "FILE").read_text())["asyncapi"].startswith("3.")


def test_models_are_listed(here: Path) -> None:
    lines = run(shown("docs/questions.md", "groundcam models"), here).splitlines()
    assert {"demo", "tiny"} <= {line.split()[0] for line in lines if line}


@pytest.mark.parametrize("more", ["--requests-per-s", "--objects-per-camera"])
def test_the_size_of_an_installation_is_told(here: Path, more: str) -> None:
    (line,) = (one for one in sizes() if more in one)
    assert "partitions" in run(line, here)


def sizes() -> list[list[str]]:
    beginning = "groundcam size --cameras 40 --fps 5 --detector-ms 12"
    return [shown("docs/operating.md", f"{beginning} {more}") for more in ("--requests-per-s", "--objects-per-camera")]


def test_people_are_added_and_listed(here: Path) -> None:
    for beginning in ("groundcam users add anna", "groundcam users add otto"):
        run([*shown("docs/serving.md", beginning), "--password-stdin"], here, f"{PASSWORD}\n")
    told = run(shown("docs/serving.md", "groundcam users list"), here)
    assert "anna" in told
    assert "gate" in told


@pytest.mark.parametrize(
    ("document", "beginning", "own"),
    [
        ("README.md", "groundcam detect photo.jpg", {"tiny": "demo", "person, dog": "red circle, star"}),
        ("worker/groundcam_worker/checkpoints/demo_model/README.md", "groundcam detect picture.png", {}),
    ],
)
def test_a_picture_is_looked_at(here: Path, document: str, beginning: str, own: dict[str, object]) -> None:
    assert "red circle" in run(with_own(shown(document, beginning), own), here)
    assert document != "README.md" or list((here / "out").iterdir())


def test_a_clip_is_looked_at(here: Path) -> None:
    shoot(SCENES[0], here).rename(here / "clip.mp4")
    own: dict[str, object] = {"tiny": "demo", "person, dog": "red circle, star"}
    run(with_own(shown("docs/watching.md", "groundcam detect clip.mp4"), own), here)
    assert (here / "out/clip.png").is_file()
