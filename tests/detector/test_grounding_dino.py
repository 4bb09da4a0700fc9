"""Our detector gives the boxes and scores of transformers' own path, one label each, whatever else is in the batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers.models.grounding_dino.modeling_grounding_dino as modeling
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

import checkpoints
from groundcam_schemas import Ask, ClassSpec
from groundcam_worker.detector import Detection, Image
from groundcam_worker.errors import DetectorLostError, ModelError, QuestionError
from groundcam_worker.grounding_dino import GroundingDino
from groundcam_worker.models import resolve

SCORE, BOX = 1e-4, 0.05
CLASSES = ("person", "open door", "taxi")
DELIMITERS = (0, 101, 102, 1012, 1029)  # [PAD], [CLS], [SEP], full stop, question mark


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.save(tmp_path_factory.mktemp("small") / "small", checkpoints.small_config())


@pytest.fixture(scope="module")
def detector(folder: Path) -> GroundingDino:
    return GroundingDino(resolve(str(folder)), "cpu")


@pytest.fixture
def breakable(folder: Path) -> GroundingDino:
    """A detector of the test's own."""
    return GroundingDino(resolve(str(folder)), "cpu")


def picture(seed: int, width: int = 320, height: int = 240) -> Image:
    """Smooth colours, as in a photograph: noise would look alike everywhere."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    tensor = torch.from_numpy(small).permute(2, 0, 1)[None].float()
    large = torch.nn.functional.interpolate(tensor, (height, width), mode="bicubic").clamp(0, 255)
    image: Image = large[0].permute(1, 2, 0).to(torch.uint8).numpy()
    return image


def reference(folder: Path, image: Image, classes: tuple[str, ...], threshold: float = 0.3) -> list[tuple[float, ...]]:
    """(score, x1, y1, x2, y2) as transformers' documentation does it, of the tokens that belong to a class.

    Its post-processing also takes the maximum over [CLS], [SEP] and full stops, which no class can own.
    """
    processor: Any = AutoProcessor.from_pretrained(folder)
    model: Any = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    inputs = processor(images=image, text=[list(classes)], return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs)
    owned = torch.zeros(outputs.logits.shape[-1], dtype=torch.bool)
    owned[: inputs["input_ids"].shape[1]] = ~torch.isin(inputs["input_ids"][0], torch.tensor(DELIMITERS))
    outputs.logits = outputs.logits.masked_fill(~owned, float("-inf"))
    (result,) = processor.post_process_grounded_object_detection(
        outputs,
        inputs["input_ids"],
        threshold=threshold,
        text_threshold=threshold,
        target_sizes=[image.shape[:2]],
    )
    return [(score, *box) for score, box in zip(result["scores"].tolist(), result["boxes"].tolist(), strict=True)]


def rows(detections: tuple[Detection, ...]) -> list[tuple[float, ...]]:
    return [(one.score, *one.box) for one in detections]


def differences(ours: list[tuple[float, ...]], theirs: list[tuple[float, ...]]) -> tuple[float, float]:
    """Match one to one by the nearest box; return the largest differences of score and of box (in pixels)."""
    if len(ours) != len(theirs):
        return float("inf"), float("inf")
    left, scores, boxes = list(theirs), [0.0], [0.0]
    for one in ours:
        nearest = min(left, key=lambda other: abs(one[0] - other[0]) + max(map(abs, np.subtract(one[1:], other[1:]))))
        left.remove(nearest)
        scores.append(abs(one[0] - nearest[0]))
        boxes.append(max(map(abs, np.subtract(one[1:], nearest[1:]))))
    return max(scores), max(boxes)


def agree(ours: list[tuple[float, ...]], theirs: list[tuple[float, ...]]) -> bool:
    score, box = differences(ours, theirs)
    return score <= SCORE and box <= BOX


@pytest.mark.parametrize("size", [(320, 240), (240, 320), (256, 256), (400, 130)])
@pytest.mark.parametrize("seed", [1, 2])
def test_boxes_and_scores_are_those_of_transformers(
    folder: Path, detector: GroundingDino, seed: int, size: tuple[int, int]
) -> None:
    image = picture(seed, *size)
    theirs = reference(folder, image, CLASSES)
    (ours,) = detector.detect([image], [Ask.of(*CLASSES)])
    assert len(theirs) > 5, "a model that finds nothing proves nothing"
    assert agree(rows(ours), theirs), differences(rows(ours), theirs)


def test_the_full_swin_t_architecture_agrees_too(tmp_path: Path) -> None:
    folder = checkpoints.save(tmp_path / "swin-t", checkpoints.swin_t_config(), shortest=256, longest=448)
    detector = GroundingDino(resolve(str(folder)), "cpu")
    image = picture(3, 896, 512)
    assert detector.input_shape(896, 512) == (256, 448)
    theirs = reference(folder, image, CLASSES)
    (ours,) = detector.detect([image], [Ask.of(*CLASSES)])
    assert len(theirs) > 20
    assert agree(rows(ours), theirs), differences(rows(ours), theirs)


def _zero_fusion(detector: GroundingDino, _patch: pytest.MonkeyPatch) -> None:
    for layer in detector._model.model.encoder.layers:
        layer.fusion_layer.vision_param.data.zero_()
        layer.fusion_layer.text_param.data.zero_()


def _zero_offsets(detector: GroundingDino, _patch: pytest.MonkeyPatch) -> None:
    for name, weight in detector._model.named_parameters():
        if "sampling_offsets" in name:
            weight.data.zero_()


def _zero_box_head(detector: GroundingDino, _patch: pytest.MonkeyPatch) -> None:
    for name, weight in detector._model.named_parameters():
        if "bbox_embed" in name:
            weight.data.zero_()


def _no_mask(detector: GroundingDino, patch: pytest.MonkeyPatch) -> None:
    """Let every phrase see every other."""
    original = modeling.generate_masks_with_special_tokens_and_transfer_map

    def all_seeing(*arguments: Any, **named: Any) -> tuple[torch.Tensor, torch.Tensor]:
        mask, positions = original(*arguments, **named)
        return torch.ones_like(mask), positions

    patch.setattr(modeling, "generate_masks_with_special_tokens_and_transfer_map", all_seeing)


@pytest.mark.parametrize("break_it", [_zero_fusion, _zero_offsets, _zero_box_head, _no_mask])
def test_a_broken_model_does_not_agree(
    folder: Path,
    breakable: GroundingDino,
    break_it: Callable[[GroundingDino, pytest.MonkeyPatch], None],
) -> None:
    image = picture(1)
    theirs = reference(folder, image, CLASSES)
    with pytest.MonkeyPatch.context() as patch:
        break_it(breakable, patch)
        (ours,) = breakable.detect([image], [Ask.of(*CLASSES)])
    assert not agree(rows(ours), theirs)


def test_a_picture_gets_alone_what_it_gets_in_a_mixed_batch(detector: GroundingDino) -> None:
    images = [picture(seed) for seed in range(4)]
    asks = [
        Ask.of("dog"),
        Ask.of(*CLASSES),
        Ask.of("a red car in the shape of a van", "blue circle"),
        Ask.of("cat"),
    ]
    together = detector.detect(images, asks)
    for image, ask, mixed in zip(images, asks, together, strict=True):
        (alone,) = detector.detect([image], [ask])
        assert [one.class_id for one in alone] == [one.class_id for one in mixed]
        assert agree(rows(alone), rows(mixed)), differences(rows(alone), rows(mixed))


def test_a_box_has_one_label_of_the_classes_that_were_asked_for(detector: GroundingDino) -> None:
    """Words of one class that are part of another (car, taxi, a red car) do not mix."""
    ask = Ask.of("car", "taxi", "a red car", "van")
    found = [one for seed in range(5) for one in detector.detect([picture(seed)], [ask])[0]]
    assert found
    assert {one.class_id for one in found} <= set(range(4))


def test_a_class_is_scored_by_its_own_tokens(detector: GroundingDino) -> None:
    caption = detector._caption(("open door", "car"))
    ids = detector._processor.tokenizer(caption.text)["input_ids"]
    words = [
        [detector._processor.tokenizer.convert_ids_to_tokens(ids[at]) for at in span]
        for span in caption.tokens_of_class
    ]
    assert words == [["open", "door"], ["car"]]


def test_thresholds_hold_by_class(detector: GroundingDino) -> None:
    image = picture(1)
    (everything,) = detector.detect([image], [Ask.of("person", "dog", box_threshold=0.0, text_threshold=0.0)])
    assert len(everything) == 30  # every query
    middle = sorted(one.score for one in everything)[15]
    (half,) = detector.detect([image], [Ask.of("person", "dog", box_threshold=middle, text_threshold=0.0)])
    assert sorted(one.score for one in half) == sorted(one.score for one in everything if one.score > middle)
    (strict,) = detector.detect([image], [Ask.of("person", "dog", box_threshold=0.0, text_threshold=middle)])
    assert len(strict) == len(half)
    (first_class,) = _with_class_thresholds(detector, image, 0.0, 1.0)
    assert {one.class_id for one in first_class} == {0}


def _with_class_thresholds(detector: GroundingDino, image: Image, *thresholds: float) -> Any:
    classes = tuple(
        ClassSpec(phrase=phrase, box_threshold=value)
        for phrase, value in zip(("person", "dog"), thresholds, strict=True)
    )
    return detector.detect([image], [Ask(classes=classes, text_threshold=0.0)])


def test_a_question_that_the_model_cannot_read_names_its_class(detector: GroundingDino) -> None:
    with pytest.raises(QuestionError, match="more than the 64"):
        detector.check(Ask.of(*(f"{letter}{other}" for letter in "abcdefgh" for other in "abcdefgh")))
    with pytest.raises(QuestionError, match="'人'"):
        detector.check(Ask.of("person", "人"))


def test_the_model_is_named_without_its_path(folder: Path, detector: GroundingDino) -> None:
    assert detector.model.name == "small"
    assert str(folder.parent) not in f"{detector.model}"
    assert len(detector.model.revision) == 16


def test_warming_up_asks_every_question(detector: GroundingDino) -> None:
    with pytest.raises(QuestionError):
        detector.warm_up([Ask.of("person"), Ask.of("人")], (64, 64))


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_a_device_that_is_not_there_is_named(folder: Path, device: str) -> None:
    with pytest.raises(ModelError, match=device):
        GroundingDino(resolve(str(folder)), device)


@pytest.fixture
def failing(breakable: GroundingDino) -> Callable[[BaseException], GroundingDino]:
    """A real detector whose forward raises what torch raises."""

    def fail_with(error: BaseException) -> GroundingDino:
        def forward(*_inputs: Any, **_options: Any) -> None:
            raise error

        breakable._model.forward = forward
        return breakable

    return fail_with


def test_an_error_of_the_device_that_stays_is_told_apart(
    failing: Callable[[BaseException], GroundingDino],
) -> None:
    arguments = [picture(1)], [Ask.of("dog")]
    with pytest.raises(DetectorLostError, match="illegal memory access"):
        failing(RuntimeError("CUDA error: an illegal memory access was encountered\nmore")).detect(*arguments)
    with pytest.raises(torch.OutOfMemoryError):
        failing(torch.OutOfMemoryError("CUDA out of memory")).detect(*arguments)
    with pytest.raises(RuntimeError, match="shape"):
        failing(RuntimeError("shape mismatch")).detect(*arguments)
