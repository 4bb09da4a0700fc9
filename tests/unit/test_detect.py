"""Many pictures are answered in batches, in order; what is told of them is for people or for programs."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from groundcam.offline.answering import WAITING_BATCHES, answered
from groundcam.offline.inputs import InputError, Picture
from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Question
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.detectors.protocol import Detection

ASK = Question.of("person")


class Recording(FakeDetector):
    """Remembers its batches; refuses pictures that begin with 255."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[tuple[int, int], int]] = []

    def detect(self, images: Sequence[Image], asks: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        assert len({image.shape for image in images}) == 1
        if any(image[0, 0, 0] == 255 for image in images):
            raise RuntimeError("this one cannot be answered")
        self.batches.append((images[0].shape[1::-1], len(images)))
        return super().detect(images, asks)


def picture(number: int, width: int = 40, height: int = 30, value: int = 0) -> Picture:
    return Picture(Path(f"{number}.png"), np.full((height, width, 3), value, np.uint8))


def test_batches_hold_one_shape_and_answers_keep_the_order() -> None:
    sizes = [(40, 30), (30, 40)]
    pictures = [picture(number, *sizes[number % 3 == 0]) for number in range(20)]
    detector = Recording()
    found = list(answered(pictures, detector, ASK, 4))
    assert [one.path.name for one, _ in found if one] == [f"{number}.png" for number in range(20)]
    assert all(not isinstance(answer, InputError) and len(answer) == 1 for _, answer in found)
    assert sorted(count for _, count in detector.batches) == [1, 3, 4, 4, 4, 4]


def test_pictures_of_many_shapes_wait_within_a_bound() -> None:
    """A folder in which every picture has another size neither fills the memory nor waits for its end."""
    taken = 0

    def many() -> Iterator[Picture]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield picture(number, width=20 + number)

    for done, _ in enumerate(answered(many(), Recording(), ASK, 4)):
        assert taken - done <= WAITING_BATCHES * 4 + 1


def test_one_picture_of_a_shape_of_its_own_does_not_hold_up_all_others() -> None:
    taken = 0

    def many() -> Iterator[Picture]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield picture(number, *((30, 40) if number == 0 else (40, 30)))

    for done, _ in enumerate(answered(many(), Recording(), ASK, 4)):
        assert taken - done <= WAITING_BATCHES * 4 + 1


def test_what_cannot_be_read_or_answered_hurts_no_neighbour() -> None:
    pictures = [picture(0), InputError("broken.png is no picture"), picture(1, value=255), picture(2)]
    found = list(answered(pictures, Recording(), ASK, 8))
    assert [str(answer) for _, answer in found if isinstance(answer, InputError)] == [
        "broken.png is no picture",
        "1.png cannot be answered: RuntimeError: this one cannot be answered",
    ]
    assert [one.path.name for one, answer in found if one and not isinstance(answer, InputError)] == ["0.png", "2.png"]


def detect(*arguments: object) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "groundcam", "detect", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, size in enumerate([(40, 30), (30, 40), (40, 30)]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((size[1], size[0], 3), np.uint8))
    return tmp_path


def test_a_folder_ends_with_a_table_of_its_classes(folder: Path) -> None:
    done = detect(folder, "--model", "fake", "--question", "person, dog")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-4:] == [
        "3 pictures",
        "  class   objects  pictures   best",
        "  person        3         3   0.90",
        "  dog           0         0      -",
    ]


def test_json_has_one_object_a_line_and_nothing_else(folder: Path) -> None:
    done = detect(folder, "--model", "fake", "--question", "person", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(line["path"]).name for line in lines] == ["0.png", "1.png", "2.png"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--threshold-sweep", "0.2,0.4", "--question", "person:0.5"), "--threshold-sweep"),
        (("--question", "person:1.5"), "1.5"),
        (("--question", "person", "--nms-iou", "1.5"), "work.nms_iou"),
        (("--question", "person", "--max-objects", "0"), "work.max_objects"),
        (("--question", "person", "--precision", "int4"), "work.precision"),
        (("--question", "person", "--input-size", "large"), "work.input_size"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(folder: Path, options: tuple[str, ...], names: str) -> None:
    done = detect(folder, "--model", "fake", *options)
    assert done.returncode == 2
    assert names in done.stderr
    assert len(done.stderr.splitlines()) == 1


class Narrow(FakeDetector):
    """Raises for the shape of flat pictures, as an image processor does."""

    def input_shape(self, width: int, height: int) -> tuple[int, int]:
        if height == 1:
            raise ValueError("mean must have 1 elements")
        return width, height


def test_a_picture_whose_shape_the_detector_raises_for_ends_nothing() -> None:
    pictures = [picture(0), picture(1, height=1), picture(2)]
    found = list(answered(pictures, Narrow(), ASK, 2))
    assert [one.path.name if one else str(answer) for one, answer in found] == [
        "0.png", "1.png cannot be answered: ValueError: mean must have 1 elements", "2.png",
    ]  # fmt: skip
