"""OWLv2 and OmDet-Turbo, as a detector: pictures and questions in, objects out.

Both compare a box with a class's phrase as a whole: there are no scores of words, and a question's `text_threshold`
means nothing. A box belongs to the best class among those that pass their box threshold, where transformers' own
post-processing of OmDet-Turbo reports it once for each of them; and overlapping boxes are dropped only where a question
says so, where transformers' drops them always (above an overlap of 0.5).
"""

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Model, Question
from groundcam_worker.checkpoints.loading import Loaded
from groundcam_worker.detectors.devices import name_of, precision_of
from groundcam_worker.detectors.omdet_turbo import OmDetTurbo
from groundcam_worker.detectors.owlv2 import Owlv2
from groundcam_worker.detectors.protocol import Detection, Synchronous
from groundcam_worker.detectors.rows import best_of, detections, with_class_scores
from groundcam_worker.errors import ModelError, QuestionError

KEPT_QUESTIONS = 256


class Network(Protocol):
    """What differs between the families."""

    def sentences(self, labels: Sequence[str]) -> list[str]:
        """Return the texts that are read for a question."""

    def encode(self, ids: Tensor, mask: Tensor) -> Any:
        """Return a question's words from the tokens of its texts [N, T]."""

    def answer(self, pixels: Tensor, questions: Sequence[Any]) -> tuple[Tensor, Tensor]:
        """Return logits [B, Q, C] and boxes [B, Q, 4] (centre and size in fractions) for pixels [B, 3, H, W]."""

    def extent(self, width: int, height: int) -> tuple[int, int]:
        """Return what a box of size 1 measures in pixels, in a picture of this size."""


FAMILIES: dict[str, Callable[[Loaded], Network]] = {"owlv2": Owlv2, "omdet-turbo": OmDetTurbo}


class OpenVocabulary(Synchronous):
    """A model of one of the FAMILIES on one device. `detect` belongs to one thread."""

    def __init__(self, loaded: Loaded, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        """Take over a loaded model; of products `dtype` is the type, of everything else fp32.

        Raises ModelError for a processor that does not fit it.
        """
        # transformers makes do with half a processor where files of the other half are missing.
        pictures, tokenizer = (getattr(loaded.processor, name, None) for name in ("image_processor", "tokenizer"))
        if pictures is None or tokenizer is None:
            raise ModelError("it has no processor of both pictures and words")
        self._device, self._dtype, self._pictures = device, dtype, pictures
        self._shape = _input_shape(pictures)
        self._phrases = _Phrases(tokenizer, loaded.model.config.text_config)
        loaded.model.to(device).eval().requires_grad_(False)
        self._network: Network = FAMILIES[loaded.family](loaded)
        self._words = lru_cache(KEPT_QUESTIONS)(self._encode)
        self.model: Model = loaded.identity
        self.device, self.device_name, self.precision = device.type, name_of(device), precision_of(dtype)

    def input_shape(self, width: int, height: int) -> tuple[int, int]:  # noqa: ARG002 - every size becomes the same
        """Return the (height, width) that every picture is scaled to."""
        return self._shape

    def check(self, question: Question) -> None:
        """Raise QuestionError for a question that the model cannot be asked. Any thread may call this."""
        self._phrases.check(question.phrases)

    def cost(self, question: Question) -> int:  # noqa: ARG002 - words are compared with boxes, which is cheap
        """Every question takes one pass."""
        return 1

    def warm_up(self, questions: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """Answer each question once, and on CUDA a batch of the first one. Raises QuestionError."""
        for question in questions:
            self.check(question)
        width, height = next(iter(sizes), self._shape[::-1])
        blank = np.zeros((height, width, 3), np.uint8)
        if questions and self._device.type == "cuda":
            # The largest first: what does not fit should fail before frames wait for it.
            self.detect([blank] * batch_size, [questions[0]] * batch_size)
        for question in questions:
            self.detect([blank], [question])

    @torch.inference_mode()
    def detect(self, images: Sequence[Image], questions: Sequence[Question]) -> list[tuple[Detection, ...]]:
        """Return the objects in each image, best first, boxes in its pixels; images may have any sizes.

        Raises whatever torch raises.
        """
        pixels = self._pictures(
            list(images), input_data_format="channels_last", return_tensors="pt", device=self._device
        )["pixel_values"].to(self._device)
        with self._in_its_type():
            logits, boxes = self._network.answer(pixels, [self._words(question.phrases) for question in questions])
        found = _best_classes(logits.float(), boxes.float(), _thresholds(questions).to(self._device))
        if any(question.class_scores for question in questions):
            found = with_class_scores(found, logits.float().sigmoid())
        return [
            detections(rows, question, self._network.extent(image.shape[1], image.shape[0]))
            for rows, question, image in zip(found.cpu(), questions, images, strict=True)
        ]

    def _in_its_type(self) -> torch.autocast:
        """Let torch choose what is computed in 16 bits: coordinates of boxes are not, nor what adds up much."""
        return torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32)

    def _encode(self, labels: tuple[str, ...]) -> Any:
        ids, mask = self._phrases.tokens(self._network.sentences(labels))
        return self._network.encode(ids.to(self._device), mask.to(self._device))


class _Phrases:
    """Tokenises; may be used by any thread."""

    def __init__(self, tokenizer: Any, config: Any) -> None:
        """Raises ModelError for a tokenizer that the text encoder of this configuration cannot be used with."""
        self._tokenizer, self._longest = tokenizer, int(config.max_position_embeddings)
        self._lock = threading.Lock()  # a tokenizer has state
        ids = tokenizer("a")["input_ids"]
        if len(ids) < 3 or not max(ids) == ids[-1] < config.vocab_size:
            # The encoder takes a text's features at the position of its highest id.
            raise ModelError(f"it has no tokenizer that fits it: the tokens of a text are {ids}")
        self._marks = {ids[0], ids[-1]}

    def check(self, labels: Sequence[str]) -> None:
        """Raise QuestionError, which names the class that cannot be asked."""
        known: dict[tuple[int, ...], str] = {}
        for label in labels:
            with self._lock:
                ids = tuple(self._tokenizer(label, add_special_tokens=False)["input_ids"])
            if not ids:
                raise QuestionError(f"the class {label!r} is empty")
            if self._marks.intersection(ids):
                raise QuestionError(f"the class {label!r} has a special token in it, or a letter unknown to the model")
            if len(ids) + len(self._marks) > self._longest:
                raise QuestionError(
                    f"the class {label[:40]!r}... has {len(ids)} tokens:"
                    f" the model reads {self._longest - len(self._marks)}"
                )
            if ids in known:
                raise QuestionError(f"the classes {known[ids]!r} and {label!r} are the same to the model")
            known[ids] = label

    def tokens(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """Return ids and mask [N, T] of texts, which are cut where they are too long."""
        with self._lock:
            read = self._tokenizer(
                texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
            )  # fmt: skip
        return read["input_ids"], read["attention_mask"]


def _input_shape(processor: Any) -> tuple[int, int]:
    """Return the (height, width) of every input. Raises ModelError for a processor that has no one size."""
    size = processor.size
    height, width = size.get("height"), size.get("width")
    if not (processor.do_resize and height and width):
        raise ModelError(f"its image processor does not scale every picture to one size: {size}")
    return height, width


def _thresholds(questions: Sequence[Question]) -> Tensor:
    """Return what each class must score [B, C]; no score passes beyond the end of a shorter question."""
    rows = [
        torch.tensor([question.threshold_of(index) for index in range(len(question.phrases))]) for question in questions
    ]
    return pad_sequence(rows, batch_first=True, padding_value=2.0)


def _best_classes(logits: Tensor, boxes: Tensor, thresholds: Tensor) -> Tensor:
    """Return [B, Q, 6]: score (below 0 where no class passes), class, x1, y1, x2, y2 in fractions."""
    best, classes = best_of(logits.sigmoid(), thresholds)
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([torch.stack([best, classes.to(best.dtype)], -1), centre - half, centre + half], -1)
