"""Questions as the network takes them. What depends only on the words is computed once and kept.

transformers runs the text backbone for every picture of every batch, on text padded to the longest.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from groundcam_schemas import Question
from groundcam_worker.detectors.grounding_dino.captions import OF_NO_CLASS, Caption, Marks, captions_of
from groundcam_worker.detectors.grounding_dino.network import Text, sinusoid
from groundcam_worker.errors import ModelError, QuestionError

KEPT_QUESTIONS, KEPT_BATCHES = 256, 8
OUT_OF_REACH = 2.0
"""A threshold that no score passes."""
MOST_CAPTIONS = 32
_MARKS = {"[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
"""The model's own code has these ids written into it (transformers, modeling_grounding_dino.SPECIAL_TOKENS)."""

V = TypeVar("V")


class LRU(Generic[V]):
    """The newest values by key. Belongs to one thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the value of a key, made if it is not there."""
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > self._most:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]


class Reader:
    """Tokenises questions; may be used by any thread."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        """Raises ModelError for a tokenizer that the model cannot be used with."""
        known = tokenizer.convert_tokens_to_ids(list(_MARKS))
        if known != list(_MARKS.values()):
            raise ModelError(f"it has no tokenizer that fits it: its delimiters are {known}")
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._special = {*tokenizer.all_special_ids, *_MARKS.values()}
        self._lock = threading.Lock()  # a tokenizer has state
        self._kept = lru_cache(KEPT_QUESTIONS)(self._read)

    def captions(self, labels: Sequence[str]) -> tuple[Caption, ...]:
        """Return a question's captions. Raises QuestionError, which names the class that cannot be asked."""
        return self._kept(tuple(labels))

    def _read(self, labels: tuple[str, ...]) -> tuple[Caption, ...]:
        phrases: dict[tuple[int, ...], str] = {}
        for label in labels:
            with self._lock:
                ids = tuple(self._tokenizer(label, add_special_tokens=False)["input_ids"])
            if not ids:
                raise QuestionError(f"the class {label!r} is empty")
            if self._tokenizer.unk_token_id in ids:
                words = [word for word in label.split() if self._is_unknown(word)]
                raise QuestionError(
                    f"the class {label!r} is not in the model's vocabulary"
                    + (f": it cannot read {words[0]!r}" if words and words != [label] else "")
                )
            if self._special.intersection(ids):
                raise QuestionError(
                    f"the class {label!r} has a full stop, a question mark or a special token in it,"
                    " which the model takes as an end"
                )
            if ids in phrases:
                raise QuestionError(f"the classes {phrases[ids]!r} and {label!r} are the same to the model")
            phrases[ids] = label
        marks = Marks(_MARKS["[CLS]"], _MARKS["."], _MARKS["[SEP]"])
        try:
            captions = captions_of(tuple(phrases), marks, self._max_tokens)
        except ValueError as too_long:
            label = labels[too_long.args[0]]
            raise QuestionError(
                f"the class {label[:40]!r}... is longer than the {self._max_tokens} tokens that the model reads"
            ) from None
        if len(captions) > MOST_CAPTIONS:
            raise QuestionError(
                f"the question {labels[0][:40]!r}... of {len(labels)} classes needs {len(captions)} captions of"
                f" {self._max_tokens} tokens, more than {MOST_CAPTIONS}"
            )
        return captions

    def _is_unknown(self, word: str) -> bool:
        with self._lock:
            return self._tokenizer.unk_token_id in self._tokenizer(word, add_special_tokens=False)["input_ids"]


@dataclass(frozen=True, slots=True)
class Row:
    """One caption of a question, with what its classes must score."""

    caption: Caption
    thresholds: tuple[float, ...]
    """Of each class of the whole question: its own, or the larger one of the box and the text threshold."""


def marks_of(row: Row, tokens: int) -> tuple[Tensor, Tensor]:
    """Return the class that owns each token, and what it must score, [T] each."""
    owners = row.caption.classes
    owed = [row.thresholds[one] if one >= 0 else OUT_OF_REACH for one in owners]
    rest = tokens - len(owners)
    return torch.tensor([*owners, *([OF_NO_CLASS] * rest)]), torch.tensor([*owed, *([OUT_OF_REACH] * rest)])


class TextSide:
    """Runs the text backbone, once for each caption. Belongs to one thread."""

    def __init__(self, model: Any, reader: Reader, device: torch.device, dtype: torch.dtype) -> None:
        """Take over the backbone and the projection of transformers' model; both stay fp32.

        What a caption gives lies on the device, so that a batch of questions that were asked before, in whatever
        order, copies nothing to it.
        """
        self._backbone, self._projection = model.model.text_backbone, model.model.text_projection
        self._width = int(model.config.d_model)
        self._reader, self._device, self._dtype = reader, device, dtype
        self._rows: LRU[tuple[Row, ...]] = LRU(KEPT_QUESTIONS)
        self._features: LRU[Tensor] = LRU(KEPT_QUESTIONS)
        self._padded: LRU[Text] = LRU(KEPT_QUESTIONS)
        self._batches: LRU[Text] = LRU(KEPT_BATCHES)

    def rows(self, question: Question) -> tuple[Row, ...]:
        """Return a question's captions. Raises QuestionError."""
        common = max(question.box_threshold, question.text_threshold)
        own = tuple(common if one.box_threshold is None else one.box_threshold for one in question.classes)
        thresholds = own + (min(own),) * len(question.decoys)
        return self._rows.get(
            (question.phrases, thresholds),
            lambda: tuple(Row(caption, thresholds) for caption in self._reader.captions(question.phrases)),
        )

    def batch(self, rows: Sequence[Row], tokens: int) -> Text:
        """Return the text of a batch, padded to `tokens`. Waits for the device where a caption is new."""

        def make() -> Text:
            captions = [self._padded.get((row, tokens), partial(self._pad, row, tokens)) for row in rows]
            return Text(*(torch.stack(parts) for parts in zip(*captions, strict=True)))

        return self._batches.get((tuple(rows), tokens), make)

    def _pad(self, row: Row, tokens: int) -> Text:
        """Return what the network takes of one caption, without the side of a batch."""
        caption, length = row.caption, len(row.caption.ids)
        features = torch.zeros(tokens, self._width, device=self._device)
        features[:length] = self._features.get(caption, partial(self._encode, caption))
        phrases = torch.arange(tokens).neg().sub(1)  # padding attends to itself only
        phrases[:length] = torch.tensor(caption.phrases)
        places = torch.zeros(tokens, dtype=torch.int64)
        places[:length] = torch.tensor(caption.places)
        made = (
            sinusoid(places[:, None].float(), self._width).to(self._dtype), torch.arange(tokens) < length,
            (phrases[None, :] == phrases[:, None])[None], *marks_of(row, tokens),
        )  # fmt: skip
        return Text(features.to(self._dtype), *(one.to(self._device) for one in made))

    def _encode(self, caption: Caption) -> Tensor:
        """Return the features [T, D] of a caption."""
        ids = torch.tensor([caption.ids], device=self._device)
        phrases = torch.tensor(caption.phrases, device=self._device)
        allowed = (phrases[None, :] == phrases[:, None])[None, None]
        places = torch.tensor([caption.places], device=self._device)
        out = self._backbone(ids, allowed, torch.zeros_like(ids), places, return_dict=True)
        features: Tensor = self._projection(out.last_hidden_state)[0]
        return features
