"""`groundcam detect` with the model in the box, as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from training.evaluate import other_drawing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number, case in enumerate(other_drawing(4, 21)):
        cv2.imwrite(str(folder / f"{number}.png"), case.picture[..., ::-1])
    return folder


def detect(*arguments: object) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "groundcam", "detect", *map(str, arguments), "--model", "demo", "--device", "cpu"]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)


def test_the_reference_agrees_picture_by_picture(folder: Path) -> None:
    question = "red circle, blue square, yellow star, white square:0.4, green triangle, orange circle, purple star"
    done = detect(folder, "--question", question, "--compare-reference", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 4
    assert sum(line["reference"]["matched"] for line in lines) == sum(len(line["objects"]) for line in lines) > 2
    assert max(line["reference"]["score"] for line in lines) < 1e-4
    assert max(line["reference"]["pixels"] for line in lines) < 0.05


def test_a_word_that_the_model_does_not_know_ends_it_with_one_sentence(folder: Path) -> None:
    done = detect(folder, "--question", "red circle, forklift")
    assert done.returncode == 2
    assert "'forklift' is not in the model's vocabulary" in done.stderr.splitlines()[-1]
    assert done.stdout == ""


@pytest.mark.long
def test_a_question_that_the_reference_cannot_read_is_told_at_the_start(folder: Path) -> None:
    colours, shapes = ("red", "blue", "green", "yellow", "white"), ("circle", "square", "triangle", "star", "cross")
    question = ", ".join(f"{colour} {shape}" for colour in colours for shape in shapes)
    assert detect(folder, "--question", question).returncode == 0
    done = detect(folder, "--question", question, "--compare-reference")
    assert done.returncode == 2
    assert "tokens, and transformers' own way reads 64" in done.stderr.splitlines()[-1]


def test_the_reference_is_for_grounding_dino_only(tmp_path: Path, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "groundcam", "detect", str(folder), "--model", "fake", "--question", "dog",
         "--compare-reference"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--compare-reference" in done.stderr
