"""Small OWLv2 and OmDet-Turbo folders with random weights, and what transformers' documented path answers with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AutoModelForZeroShotObjectDetection,
    AutoProcessor,
    CLIPTextConfig,
    CLIPTokenizer,
    DetrImageProcessor,
    OmDetTurboConfig,
    OmDetTurboForObjectDetection,
    OmDetTurboProcessor,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    Owlv2Processor,
    SwinConfig,
)

from groundcam_runtime.pictures.image import Image
from groundcam_worker.detectors.protocol import Detection

START, END = "<|startoftext|>", "<|endoftext|>"
OWLV2_SIDE, OMDET_SIDE = 96, 128
SCORE, BOX = 1e-4, 0.05

Answer = tuple[int, float, float, float, float, float]
"""Class, score, x1, y1, x2, y2 in pixels."""
Reference = Callable[..., list[Answer]]


def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Every byte, inside and at the end of a word, with the merges of a few words: "!" is 0, as in CLIP's own."""
    letters = sorted(ByteLevel.alphabet())
    merges: list[tuple[str, str]] = []
    for word in ("person", "door", "dog", "taxi"):
        joined = word[0]
        for letter in (*word[1:-1], f"{word[-1]}</w>"):
            if (joined, letter) not in merges:
                merges.append((joined, letter))
            joined += letter
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    return {word: index for index, word in enumerate(words)}, merges


def tokenizer(longest: int, pad: str) -> CLIPTokenizer:
    """A tokenizer whose end of text has the highest id, which is how the text encoders find it."""
    words, merges = vocabulary()
    return CLIPTokenizer(vocab=words, merges=merges, pad_token=pad, model_max_length=longest)


def redraw(model: torch.nn.Module, seed: int) -> None:
    """Draw matrices so that each layer passes on what differs between its inputs, and biases so that none is zero.

    As initialised some heads are zero or so large that every box is a corner, and others hand on next to nothing: a
    model in which they are broken would give the same answers.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                inputs = weight.numel() / weight.shape[0]
                weight.copy_(torch.randn(weight.shape, generator=generator) / inputs**0.5)
            elif name.endswith("bias"):
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.1)


def _save(folder: Path, model: torch.nn.Module, processor: object, seed: int) -> Path:
    redraw(model, seed)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_owlv2(folder: Path, seed: int = 7) -> Path:
    """Write an OWLv2 of 36 boxes with its processor into a folder."""
    torch.manual_seed(seed)
    words = len(vocabulary()[0])
    config = Owlv2Config(
        text_config={
            "vocab_size": words, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "bos_token_id": words - 2, "eos_token_id": words - 1,
        },
        vision_config={
            "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": OWLV2_SIDE, "patch_size": 16,
        },
        projection_dim=32,
    )  # fmt: skip
    image_processor = Owlv2ImageProcessor(size={"height": OWLV2_SIDE, "width": OWLV2_SIDE})
    processor = Owlv2Processor(image_processor, tokenizer(16, "!"))
    return _save(folder, Owlv2ForObjectDetection(config), processor, seed)


def save_omdet_turbo(folder: Path, seed: int = 7) -> Path:
    """Write an OmDet-Turbo of 30 queries with its processor into a folder; its backbone is transformers' own Swin."""
    torch.manual_seed(seed)
    words = len(vocabulary()[0])
    config = OmDetTurboConfig(
        backbone_config=SwinConfig(
            image_size=OMDET_SIDE, embed_dim=24, depths=[1, 1, 1, 1], num_heads=[2, 2, 4, 4], window_size=4,
            out_indices=[2, 3, 4],
        ),
        apply_layernorm_after_vision_backbone=False,  # it wants timm's channels last
        text_config=CLIPTextConfig(
            vocab_size=words, hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            bos_token_id=words - 2, eos_token_id=words - 1,
        ),
        image_size=OMDET_SIDE, num_queries=30,
        text_projection_in_dim=48, text_projection_out_dim=48, class_embed_dim=48, task_encoder_hidden_dim=64,
        encoder_hidden_dim=32, encoder_in_channels=[48, 96, 192], encoder_attention_heads=4,
        encoder_dim_feedforward=64, vision_features_channels=[32, 32, 32],
        decoder_hidden_dim=32, decoder_num_heads=4, decoder_num_layers=2, decoder_dim_feedforward=64,
    )  # fmt: skip
    size = {"height": OMDET_SIDE, "width": OMDET_SIDE}
    processor = OmDetTurboProcessor(DetrImageProcessor(size=size, do_pad=False), tokenizer(77, END))
    return _save(folder, OmDetTurboForObjectDetection(config), processor, seed)


def documented(folder: Path) -> Reference:
    """Return what asks transformers as its documentation does: processor, model, post-processing."""
    processor: Any = AutoProcessor.from_pretrained(folder)
    model: Any = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()

    def answers(image: Image, classes: tuple[str, ...], threshold: float, nms_iou: float | None = None) -> list[Answer]:
        """The best class of each box."""
        inputs = processor(images=image, text=[list(classes)], return_tensors="pt")
        with torch.no_grad():
            outputs = model(**inputs)
        options: dict[str, Any] = {}
        if "classes_structure" in inputs:  # OmDet-Turbo's tells a box once for each class, and always drops overlaps
            options = {"max_num_det": outputs.decoder_class_logits[0].numel(), "nms_threshold": nms_iou or 1.0}
        (result,) = processor.post_process_grounded_object_detection(
            outputs, threshold=threshold, target_sizes=[image.shape[:2]], **options
        )
        labels, scores, boxes = (result[name].tolist() for name in ("labels", "scores", "boxes"))
        rows = [(label, score, *box) for label, score, box in zip(labels, scores, boxes, strict=True)]
        best: dict[Any, float] = {}
        for row in rows:
            best[row[2:]] = max(row[1], best.get(row[2:], 0.0))
        return [row for row in rows if row[1] == best[row[2:]]]

    return answers


def rows(detections: tuple[Detection, ...], image: Image | None = None) -> list[Answer]:
    """Answers, clipped to the image where there is one, as transformers does it for OmDet-Turbo."""
    least, most = ([float("-inf")] * 4, [float("inf")] * 4) if image is None else ([0.0] * 4, image.shape[1::-1] * 2)
    return [(one.class_id, one.score, *np.clip(one.box, least, most).tolist()) for one in detections]


def distance(one: Answer, other: Answer) -> tuple[float, float]:
    """By how much the scores and the boxes differ; another class is another object."""
    if one[0] != other[0]:
        return float("inf"), float("inf")
    return abs(one[1] - other[1]), max(abs(left - right) for left, right in zip(one[2:], other[2:], strict=True))


def agree(ours: list[Answer], theirs: list[Answer]) -> bool:
    """Whether they match one to one, each within the tolerance."""
    left = list(theirs)
    for one in ours:
        if not left:
            return False
        nearest = min(left, key=lambda other: sum(distance(one, other)))
        score, box = distance(one, nearest)
        if score > SCORE or box > BOX:
            return False
        left.remove(nearest)
    return not left
