"""Grounding DINO as transformers runs it. The only file that imports torch and transformers.

Every class is scored by its own tokens: the model gives a score to each token of the caption, and which tokens
belong to which class is known from where the class stands in the text. transformers' own post-processing joins
whatever tokens pass a threshold, so that it also answers "person forklift", or a piece of a word, or nothing.
"""

import hashlib
import logging
import sys
import threading
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor
from transformers.utils.logging import disable_progress_bar

from groundcam_schemas import Ask, Model
from groundcam_worker.detector import Detection
from groundcam_worker.errors import DetectorLostError, ModelError, QuestionError
from groundcam_worker.hub import commit_of, local_folder
from groundcam_worker.models import ModelSource
from groundcam_worker.pictures import Image

log = logging.getLogger(__name__)

# The model's own code has these written into it (transformers, modeling_grounding_dino.SPECIAL_TOKENS).
DELIMITERS = {"[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
REMEMBERED_QUESTIONS = 1024
REMEMBERED_SIZES = 1024


@dataclass(frozen=True, slots=True)
class _Caption:
    """A question as the model reads it."""

    text: str
    tokens_of_class: tuple[tuple[int, ...], ...]
    """For each class the positions of its tokens."""


class GroundingDino:
    """A loaded model on one device. `detect` belongs to one thread; `check` may be called from any."""

    def __init__(self, source: ModelSource, device: str = "auto") -> None:
        """Load processor and weights. Raises ModelError."""
        self._device = _device(device)
        started = time.monotonic()
        log.info("loading the model %s", source)
        _log_as_we_do()
        folder = local_folder(source)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._processor: Any = _load_processor(folder, **options)
            model: Any
            model, loading = AutoModelForZeroShotObjectDetection.from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **options
            )
        except Exception as error:
            # transformers raises almost anything here: OSError, ValueError, KeyError, SafetensorError.
            raise ModelError(f"the model {source} cannot be loaded: {_first_line(error)}") from error
        if not hasattr(model.config, "max_text_len"):
            raise ModelError(f"the model {source} is a {model.config.model_type}, not a Grounding DINO")
        if loading["missing_keys"]:
            # transformers would go on with random weights in their place.
            missing = sorted(loading["missing_keys"])
            raise ModelError(
                f"the model {source} is incomplete: {len(missing)} weights such as {missing[0]} are missing"
            )
        known = self._processor.tokenizer.convert_tokens_to_ids(list(DELIMITERS))
        if known != list(DELIMITERS.values()):
            raise ModelError(f"the model {source} has no tokenizer that fits it: its delimiters are {known}")
        # Questions are checked on another thread than the one that detects, and the tokenizer has state.
        self._tokenizing = threading.Lock()
        self._model = model.to(self._device).eval()
        self._max_tokens = int(model.config.max_text_len)
        self.model = Model(name=source.name, revision=commit_of(folder) or weights_checksum(folder))
        self._caption = lru_cache(REMEMBERED_QUESTIONS)(self._read_caption)
        self._shape = lru_cache(REMEMBERED_SIZES)(self._find_shape)
        millions = sum(weight.numel() for weight in model.parameters()) / 1e6
        log.info(
            "loaded %s: %.1f million parameters on %s in %.1f s",
            source, millions, self._device, time.monotonic() - started,
        )  # fmt: skip

    def warm_up(self, asks: Sequence[Ask], size: tuple[int, int] = (960, 544)) -> None:
        """Answer every question once, so that the first frame waits for nothing. Raises QuestionError."""
        started = time.monotonic()
        blank = np.zeros((size[1], size[0], 3), np.uint8)
        for ask in asks:
            self.check(ask)
            self.detect([blank], [ask])
        log.info("the detector is ready after %.1f s of warming up", time.monotonic() - started)

    def input_shape(self, width: int, height: int) -> Hashable:
        """Return the (height, width) that the processor gives to a picture of this size."""
        return self._shape(width, height)

    def check(self, ask: Ask) -> None:
        """Raise QuestionError for a question that is too long, or has a class that the tokenizer cannot read."""
        self._caption(ask.labels)

    def detect(self, images: Sequence[Image], asks: Sequence[Ask]) -> Sequence[tuple[Detection, ...]]:
        """Return the objects in each image, boxes in its pixels.

        Raises DetectorLostError for an error of the device that stays, and whatever torch raises for others.
        """
        try:
            return self._detect(images, asks)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            if "CUDA error" in str(error) or "device-side assert" in str(error):
                raise DetectorLostError(_first_line(error)) from error
            raise

    @torch.inference_mode()
    def _detect(self, images: Sequence[Image], asks: Sequence[Ask]) -> Sequence[tuple[Detection, ...]]:
        captions = [self._caption(ask.labels) for ask in asks]
        texts = [caption.text for caption in captions]
        with self._tokenizing:
            inputs = self._processor(images=list(images), text=texts, padding=True, return_tensors="pt")
        inputs = inputs.to(self._device)
        outputs = self._model(**inputs)
        probabilities = outputs.logits.float().sigmoid()
        boxes = outputs.pred_boxes.float()
        return [
            _detections(probabilities[index], boxes[index], captions[index], ask, image.shape[1], image.shape[0])
            for index, (image, ask) in enumerate(zip(images, asks, strict=True))
        ]

    def _read_caption(self, labels: tuple[str, ...]) -> _Caption:
        text = ". ".join(labels) + "."
        with self._tokenizing:
            encoded = self._processor.tokenizer(text, return_offsets_mapping=True)
        offsets = encoded["offset_mapping"]
        if len(offsets) > self._max_tokens:
            raise QuestionError(
                f"the question {labels[0]!r}... of {len(labels)} classes has {len(offsets)} tokens,"
                f" more than the {self._max_tokens} that the model reads"
            )
        unknown = self._processor.tokenizer.unk_token_id
        ids = encoded["input_ids"]
        spans, start = [], 0
        for label in labels:
            end = start + len(label)
            tokens = tuple(at for at, (left, right) in enumerate(offsets) if start <= left < right <= end)
            if not tokens or all(ids[at] == unknown for at in tokens):
                raise QuestionError(f"the class {label!r} is not in the model's vocabulary")
            spans.append(tokens)
            start = end + len(". ")
        return _Caption(text, tuple(spans))

    def _find_shape(self, width: int, height: int) -> tuple[int, int]:
        blank = np.zeros((height, width, 3), np.uint8)
        pixels = self._processor.image_processor(images=[blank], return_tensors="pt")["pixel_values"]
        return int(pixels.shape[-2]), int(pixels.shape[-1])


def _detections(
    probabilities: torch.Tensor, boxes: torch.Tensor, caption: _Caption, ask: Ask, width: int, height: int
) -> tuple[Detection, ...]:
    """Turn [queries, tokens] and [queries, 4 as centre and size in fractions] into objects with one class each.

    A class's score is that of its best token; a box belongs to the best class among those that pass both
    thresholds.
    """
    scores = torch.stack([probabilities[:, list(tokens)].amax(-1) for tokens in caption.tokens_of_class], -1)
    thresholds = [max(ask.threshold_of(index), ask.text_threshold) for index in range(len(ask.classes))]
    passing = scores > torch.tensor(thresholds, device=scores.device)
    best, class_ids = torch.where(passing, scores, -1.0).max(-1)
    kept = best >= 0
    centre, size = boxes[kept, :2], boxes[kept, 2:]
    corners = torch.cat([centre - size / 2, centre + size / 2], -1)
    corners = corners * torch.tensor([width, height, width, height], device=corners.device)
    rows = zip(class_ids[kept].tolist(), best[kept].tolist(), corners.tolist(), strict=True)
    return tuple(Detection(class_id, score, (x1, y1, x2, y2)) for class_id, score, (x1, y1, x2, y2) in rows)


_load_processor: Any = AutoProcessor.from_pretrained  # untyped in transformers


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelError(f"work.device: {name!r} is not auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(f"work.device: {name} is not there; this machine has {torch.cuda.device_count()} CUDA devices")
    return device


def _log_as_we_do() -> None:
    """Both libraries bring handlers of their own, so that each of their lines would be written twice."""
    for name in ("transformers", "huggingface_hub"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    if not sys.stderr.isatty():
        disable_progress_bar()  # type: ignore[no-untyped-call]


def weights_checksum(folder: Path) -> str:
    """Return a hash of a folder's weights, to tell one training from the next."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()[:16]


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return (text.splitlines()[0] if text else type(error).__name__)[:300]
