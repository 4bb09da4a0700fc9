"""What a detector answers: one label for a box, thresholds, overlaps, pictures of any size, and who answered."""

from pathlib import Path
from typing import Any

import pytest
import torch

from groundcam_schemas import ClassSpec, Question
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors import devices
from groundcam_worker.detectors.grounding_dino.reference import Reference
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.errors import ModelError
from parity import SCORE, asking, match, picture, rows

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MANY = tuple(f"{one}{other}" for one in LETTERS[:4] for other in LETTERS)


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


def test_with_class_scores_the_same_is_found_and_an_object_scores_what_its_class_does(
    detector: GuardedDetector,
) -> None:
    """Beside a camera that does not ask for them."""
    plain = asking("person", "open door", "taxi", box_threshold=0.0, text_threshold=0.0)
    scored = plain.model_copy(update={"class_scores": True})
    image = picture(3)
    others, found = detector.detect([image, image], [plain, scored])
    assert match(rows(found), rows(others)).outside() == 0
    assert all(one.class_scores is None for one in others)
    for one in found:
        assert one.class_scores is not None
        assert one.score == max(score or 0.0 for score in one.class_scores) == one.class_scores[one.class_id]
    (alone,) = detector.detect([image], [scored])
    near = [pytest.approx(one.class_scores, abs=SCORE) for one in alone]
    assert [one.class_scores for one in found] == near


def test_class_scores_are_those_of_their_words_in_transformers(reference: Reference, detector: GuardedDetector) -> None:
    image = picture(2)
    ask = asking("person", "open door", box_threshold=0.0, text_threshold=0.0, class_scores=True)
    height, width = detector.input_shape(image.shape[1], image.shape[0])
    outputs, ids = reference.outputs([image], [ask.labels], (height, width))
    assert ids.shape == (1, 7), "[CLS] person . open door . [SEP]"
    scores = outputs.logits[0].sigmoid()
    theirs = torch.stack([scores[:, 1], scores[:, 3:5].amax(-1)], -1)
    (found,) = detector.detect([image], [ask])
    ours = torch.tensor([one.class_scores for one in found])
    apart = (ours[:, None] - theirs).abs().amax(-1)
    assert ours.shape == theirs.shape == (30, 2)
    assert max(apart.min(0).values.max(), apart.min(1).values.max()) < SCORE
    assert theirs.std(0).min() > SCORE, "scores that are all alike prove nothing"


def test_class_scores_do_not_depend_on_thresholds(detector: GuardedDetector) -> None:
    image, high = picture(3), asking("person", "open door", box_threshold=0.0, text_threshold=0.0, class_scores=True)
    (every,) = detector.detect([image], [high])
    middle = sorted(one.score for one in every)[len(every) // 2]
    (some,) = detector.detect([image], [high.model_copy(update={"box_threshold": middle, "text_threshold": middle})])
    assert 0 < len(some) < len(every)
    assert {one.class_scores for one in some} <= {one.class_scores for one in every}


def test_a_class_that_was_read_in_another_caption_has_no_score(detector: GuardedDetector) -> None:
    many = asking(*MANY, box_threshold=0.0, text_threshold=0.0, class_scores=True)
    assert detector.cost(many) > 1
    (found,) = detector.detect([picture(3)], [many])
    for one in found[:50]:
        assert one.class_scores is not None
        assert one.class_scores[one.class_id] == one.score
        known = [score is not None for score in one.class_scores]
        assert 0 < sum(known) < len(MANY)


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


def test_a_picture_whose_numbers_16_bits_cannot_hold_is_asked_once_more_in_fp32(
    breakable: GuardedDetector, detector: GuardedDetector, caplog: pytest.LogCaptureFixture
) -> None:
    """Its neighbours keep their answers, and it gets the one of fp32; without numbers there too it is an error."""
    inner: Any = breakable._detector
    inner._dtype = torch.float16  # as on CUDA; the network stays as it is
    find = inner._answer

    def overflowing(vision: torch.Tensor, *text: torch.Tensor, shape: Any) -> torch.Tensor:
        found: torch.Tensor = find(vision, *text, shape=shape)
        found[1, 3, 0] = torch.nan
        return found

    inner._answer = overflowing
    images, asks = [picture(seed) for seed in range(3)], [Question.of("dog", "person")] * 3
    for one, other in zip(breakable.detect(images, asks), detector.detect(images, asks), strict=True):
        assert match(rows(one), rows(other)).outside() == 0
    assert "asked once more in fp32" in caplog.text
    inner._second_look._careful.norm.weight.data.fill_(torch.nan)
    with pytest.raises(ArithmeticError, match="NaN"):
        breakable.detect(images, asks)


@pytest.mark.parametrize(
    ("driver", "built_for", "said"),
    [
        ("535.104", "13.2", "built for CUDA 13.2, for which the driver 535.104 may be too old"),
        ("580.1", None, "was built for CPUs, and the driver 580.1 has a GPU"),
        (None, "13.2", "this machine has 0 CUDA devices"),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_told_with_both_versions(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    driver: str | None,
    built_for: str | None,
    said: str,
) -> None:
    """Else a worker would run on the CPU, and nobody knew why it is slow."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    with pytest.raises(ModelError, match=said):
        devices.pick("cuda", driver)
    assert devices.pick("auto", driver).type == "cpu"
    assert (said in caplog.text) == (driver is not None)
