"""The documented way to run Grounding DINO with transformers, to compare ours with: processor, model, post-processing.

It takes a box's score as the best over all tokens, [CLS], [SEP] and full stops included, and its label as all tokens
above the text threshold, joined. Ours lets each class be scored by its own tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Question
from groundcam_worker.checkpoints.loading import Loaded
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.errors import QuestionError

DELIMITERS = (0, 101, 102, 1012, 1029)
"""[PAD], [CLS], [SEP], full stop, question mark."""


@dataclass(frozen=True, slots=True)
class ReferenceBox:
    """What the reference reports of one box."""

    score: float
    box: tuple[float, float, float, float]
    label: str
    """Possibly of several classes, of a part of one, or empty."""
    own_score: float
    """The best score of a token that belongs to a class."""
    best_token: str


class Reference:
    """A model as transformers runs it, in fp32."""

    def __init__(self, loaded: Loaded, device: torch.device) -> None:
        self._model = loaded.model.to(device).eval()
        self._processor = loaded.processor
        self._device = device

    @torch.inference_mode()
    def outputs(self, images: Sequence[Image], labels: Sequence[Sequence[str]], shape: tuple[int, int]) -> Any:
        """Return what processor and model give for pictures scaled to (height, width), and the token ids."""
        texts = [list(one) for one in labels]
        size = {"height": shape[0], "width": shape[1]}
        inputs = self._processor(images=list(images), text=texts, padding=True, size=size, return_tensors="pt")
        inputs = inputs.to(self._device)
        return self._model(**inputs), inputs["input_ids"]

    def post_process(self, outputs: Any, ids: Tensor, threshold: float, text_threshold: float, sizes: Any) -> Any:
        """Return a map of scores, boxes and text_labels for each picture; `sizes` are (height, width)."""
        return self._processor.post_process_grounded_object_detection(
            outputs, ids, threshold=threshold, text_threshold=text_threshold, target_sizes=list(sizes)
        )

    def require_one_caption(self, question: Question) -> None:
        """Raise QuestionError for more than transformers reads: it would cut the text, or fail."""
        tokens = len(self._processor.tokenizer(". ".join(question.phrases) + ".")["input_ids"])
        most = int(self._model.config.max_text_len)
        if tokens > most:
            raise QuestionError(f"the question has {tokens} tokens, and transformers' own way reads {most}")

    def boxes(self, image: Image, question: Question, shape: tuple[int, int]) -> list[ReferenceBox]:
        """Return the boxes of one picture above the question's box threshold, which is the only one it knows."""
        outputs, ids = self.outputs([image], [question.phrases], shape)
        (found,) = self.post_process(outputs, ids, question.box_threshold, question.text_threshold, [image.shape[:2]])
        scores = outputs.logits[0].sigmoid()
        scores = scores[scores.amax(-1) > question.box_threshold][:, : ids.shape[1]]
        owned = ~torch.isin(ids[0], torch.tensor(DELIMITERS, device=ids.device))
        own = scores.masked_fill(~owned, 0.0).amax(-1)
        tokens = self._processor.tokenizer.convert_ids_to_tokens(ids[0][scores.argmax(-1)].tolist())
        labels = found["text_labels"][: len(scores)]  # of no box at all it gives one empty label
        return [
            ReferenceBox(score, (box[0], box[1], box[2], box[3]), label, own_score, token)
            for score, box, label, own_score, token in zip(
                found["scores"].tolist(), found["boxes"].tolist(), labels, own.tolist(), tokens,
                strict=True,
            )
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two answers to one question differ."""

    matched: int
    score: float
    """The largest difference of matched boxes."""
    pixels: float
    lines: tuple[str, ...]
    """What differs besides, and why, a sentence each."""


def compare(ours: Sequence[Detection], theirs: Sequence[ReferenceBox], question: Question) -> Comparison:
    """Match boxes one to one by what is nearest, and say why the rest has no partner."""
    left = list(theirs)
    lines: list[str] = []
    scores, pixels = [0.0], [0.0]
    for one in sorted(ours, key=lambda found: -found.score):
        label = question.labels[one.class_id]
        partner = min(left, key=lambda other: _distance(one, other), default=None)
        if partner is None or max(_distance(one, partner)) > 1.0:
            own = question.classes[one.class_id].box_threshold
            why = (
                f"the class's own threshold {own:g} is below the common one"
                if own is not None and own < question.box_threshold
                else "the reference has no box like it"
            )
            lines.append(f"only ours: {label} {one.score:.3f} at {_place(one.box)}: {why}")
            continue
        left.remove(partner)
        pixels.append(_distance(one, partner)[0])
        scores.append(abs(one.score - partner.own_score))
        if partner.label != label:
            lines.append(
                f"label: ours {label!r} {one.score:.3f}, the reference {partner.label!r}, which joins every token above"
                f" {question.text_threshold:g}, at {_place(one.box)}"
            )
        if partner.own_score < partner.score:
            lines.append(
                f"score: ours {one.score:.3f}, the reference {partner.score:.3f}, that of {partner.best_token}, a token"
                f" of no class, at {_place(one.box)}"
            )
    lines += [
        f"only the reference: {other.label!r} {other.score:.3f} at {_place(other.box)}: {_why(other, question)}"
        for other in left
    ]
    return Comparison(len(scores) - 1, max(scores), max(pixels), tuple(lines))


def _why(other: ReferenceBox, question: Question) -> str:
    """Return why we leave a box out."""
    if other.own_score <= question.box_threshold:
        return f"its score is that of {other.best_token}, a token of no class; its best class has {other.own_score:.3f}"
    if other.own_score <= question.text_threshold and all(one.box_threshold is None for one in question.classes):
        return f"its best class has {other.own_score:.3f}, below the text threshold {question.text_threshold:g}"
    if any((one.box_threshold or 0) >= other.own_score for one in question.classes):
        return "its class has a threshold of its own that is higher"
    if question.nms_iou is not None:
        return f"a better box of its class overlaps it by more than {question.nms_iou:g}"
    return "its proposal came in another rank"


def _distance(one: Detection, other: ReferenceBox) -> tuple[float, float]:
    """Return how far apart two boxes are, in pixels and in score, the latter as hundredths."""
    pixels = max(abs(mine - theirs) for mine, theirs in zip(one.box, other.box, strict=True))
    return pixels, 100 * abs(one.score - other.own_score)


def _place(box: tuple[float, float, float, float]) -> str:
    x1, y1, x2, y2 = (round(value) for value in box)
    return f"{x1},{y1} to {x2},{y2}"
