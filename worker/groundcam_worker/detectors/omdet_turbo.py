"""OmDet-Turbo's network: its queries are chosen by the classes, and decoded beside a sentence that names them all.

It knows the parts of transformers' model; tokens, thresholds and pixels are the detector's business. The model's own
caches of texts are passed by: they keep a hundred, and the longest question has more classes than that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from groundcam_worker.checkpoints.loading import Loaded


@dataclass(frozen=True, slots=True)
class Words:
    """A question as the decoder takes it."""

    classes: Tensor
    """[C, D]"""
    task: Tensor
    """[T, E]: the features of the sentence's tokens."""


class OmDetTurbo:
    """The parts of transformers' OmDetTurboForObjectDetection, so that the words need not be read for every picture."""

    def __init__(self, loaded: Loaded) -> None:
        self._model = loaded.model

    def sentences(self, labels: Sequence[str]) -> list[str]:
        """Return what the text encoder reads for a question: the phrases, and last the task.

        The task is worded as transformers words it. It is cut where the encoder's length ends, as it is there; the
        classes that it loses are still compared with every box.
        """
        return [*labels, f"Detect {', '.join(labels)}."]

    def encode(self, ids: Tensor, mask: Tensor) -> Words:
        """Return the features of tokens [C + 1, T], the task's last."""
        read = self._model.language_backbone
        task, _ = read(ids[-1:], mask[-1:], encode_type="task")
        return Words(read(ids[:-1], encode_type="class"), task[:, 0])

    def answer(self, pixels: Tensor, questions: Sequence[Words]) -> tuple[Tensor, Tensor]:
        """Return logits [B, Q, C] and boxes [B, Q, 4] (centre and size in fractions of the picture).

        C is that of the longest question. A shorter one is asked its last class again and again: zeros, as in
        transformers, would count as classes where the queries are chosen.
        """
        most = torch.arange(max(len(one.classes) for one in questions), device=pixels.device)
        classes = torch.stack([one.classes[most.clamp(max=len(one.classes) - 1)] for one in questions], 1)
        tasks = pad_sequence([one.task for one in questions])
        real = pad_sequence([torch.ones_like(one.task[:, 0]) for one in questions], batch_first=True)
        seen = self._model.encoder(self._model.vision_backbone(pixels)).extracted_states
        decoded = self._model.decoder(seen, classes, tasks, real)
        return decoded.decoder_classes[-1], decoded.decoder_coords[-1]

    def extent(self, width: int, height: int) -> tuple[int, int]:
        """Return what a box of size 1 measures in a picture's pixels: the picture itself, which is stretched."""
        return width, height
