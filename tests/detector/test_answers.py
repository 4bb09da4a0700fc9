"""What a detector answers: one label for a box, thresholds, overlaps, pictures of any size, and who answered."""

from pathlib import Path
from typing import Any

import pytest

from groundcam_schemas import ClassSpec, Question
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.errors import ModelError
from parity import picture, rows


def test_a_box_has_one_label_of_the_classes_that_were_asked_for(detector: GuardedDetector) -> None:
    """Words of one class that are part of another (car, taxi, a red car) do not mix."""
    ask = Question.of("car", "taxi", "a red car", "van", "ovation")  # the last is read in pieces
    found = [one for seed in range(5) for one in detector.detect([picture(seed)], [ask])[0]]
    assert found
    assert {one.class_id for one in found} <= set(range(5))


def test_thresholds_hold_by_class(detector: GuardedDetector) -> None:
    image = picture(1)
    (everything,) = detector.detect([image], [Question.of("person", "dog", box_threshold=0.0, text_threshold=0.0)])
    assert len(everything) == 30  # every query
    middle = sorted(one.score for one in everything)[15]
    (half,) = detector.detect([image], [Question.of("person", "dog", box_threshold=middle, text_threshold=0.0)])
    assert sorted(one.score for one in half) == sorted(one.score for one in everything if one.score > middle)
    (strict,) = detector.detect([image], [Question.of("person", "dog", box_threshold=0.0, text_threshold=middle)])
    assert len(strict) == len(half)
    classes = (ClassSpec(phrase="person", box_threshold=0.0), ClassSpec(phrase="dog", box_threshold=1.0))
    (first_class,) = detector.detect([image], [Question(classes=classes, box_threshold=0.99, text_threshold=0.99)])
    assert {one.class_id for one in first_class} == {0}
    assert min(one.score for one in first_class) < 0.99, "a class's own threshold stands for both of the question's"


def test_of_overlapping_boxes_of_a_class_the_best_is_kept_where_asked(detector: GuardedDetector) -> None:
    image = picture(1)
    (every,) = detector.detect([image], [Question.of("person", "dog")])
    (apart,) = detector.detect([image], [Question.of("person", "dog", nms_iou=0.3)])
    assert 0 < len(apart) < len(every)
    assert set(rows(apart)) < set(rows(every))
    kept = [one.box for one in apart if one.class_id == apart[0].class_id]
    assert all(_iou(a, b) <= 0.3 for index, a in enumerate(kept) for b in kept[:index])
    (loose,) = detector.detect([image], [Question.of("person", "dog", nms_iou=1.0)])
    assert rows(loose) == rows(every)


def _iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width, height = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    areas = sum((one[2] - one[0]) * (one[3] - one[1]) for one in (a, b))
    return width * height / (areas - width * height)


def test_a_model_that_gives_no_numbers_does_not_look_as_if_it_saw_nothing(breakable: GuardedDetector) -> None:
    inner: Any = breakable._detector
    inner._network.norm.weight.data.fill_(float("nan"))
    with pytest.raises(ArithmeticError, match="NaN"):
        breakable.detect([picture(1)], [Question.of("dog")])


def test_a_picture_of_any_size_is_answered(detector: GuardedDetector) -> None:
    for size in ((1, 1), (1, 400), (3000, 2), (31, 33)):
        image = picture(1, *size)
        (found,) = detector.detect([image], [Question.of("person", box_threshold=0.0, text_threshold=0.0)])
        assert len(found) <= 30


def test_an_input_size_bounds_what_the_network_sees_and_names_the_model(folder: Path) -> None:
    small = open_detector(resolve(str(folder)), "cpu", input_size=(160, 96))
    assert small.input_shape(1920, 1080) == (90, 160)
    assert small.input_shape(1080, 1920) == (160, 90)
    assert small.model.revision.endswith("@160x96")
    assert small.detect([picture(1)], [Question.of("person", box_threshold=0.0, text_threshold=0.0)])[0]


def test_the_model_is_named_without_its_path(folder: Path, detector: GuardedDetector) -> None:
    assert detector.model.name == "small"
    assert str(folder.parent) not in f"{detector.model}"
    assert len(detector.model.revision) == 16


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_a_device_that_is_not_there_is_named(folder: Path, device: str) -> None:
    with pytest.raises(ModelError, match=device):
        open_detector(resolve(str(folder)), device)
