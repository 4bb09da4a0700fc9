"""What a training step looks at: pictures of one shape, a question for each, and what is right."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from training.architecture import LONGEST, SHORTEST
from training.phrases import COLOURS, SHAPES, draw_kinds, draw_question
from training.scenes import draw_scene

SIDES = ((1.0, 0.4), (4 / 3, 0.25), (16 / 9, 0.25), (3 / 4, 0.1))
"""Width by height of a picture, and how often."""
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
CLS, SEP, STOP = 101, 102, 1012
WORD_IDS = {word: 110 + index for index, word in enumerate((*COLOURS, *SHAPES, "shape"))}


@dataclass(slots=True)
class Batch:
    """Tensors of one step."""

    pixels: torch.Tensor
    """[pictures, 3, height, width], normalised."""
    words: torch.Tensor
    """Token ids, [pictures, tokens], padded with 0."""
    boxes: list[torch.Tensor]
    """Per picture [objects, 4]: centre and size as fractions of the picture."""
    right: list[torch.Tensor]
    """Per picture [objects, tokens]: 1 at every token of every phrase that is true of the object."""

    @property
    def mask(self) -> torch.Tensor:
        """1 where there is a token, [pictures, tokens]."""
        return (self.words != 0).long()


def input_shape(width: int, height: int) -> tuple[int, int]:
    """Return (width, height) after the processor's resizing."""
    scale = min(SHORTEST / min(width, height), LONGEST / max(width, height))
    return int(width * scale), int(height * scale)  # it rounds down


def draw_batch(seed: int, step: int, count: int) -> Batch:
    """Draw the step's pictures; the same seed and step give the same batch, so that a run can be resumed."""
    rng = np.random.default_rng((seed, step))
    aspect = float(rng.choice([side for side, _ in SIDES], p=[share for _, share in SIDES]))
    wide, tall = input_shape(round(480 * aspect), 480)
    pixels, questions, boxes, right = [], [], [], []
    for _ in range(count):
        question = draw_question(rng)
        short = int(np.exp(rng.uniform(np.log(90), np.log(240))))
        width, height = (round(short * aspect), short) if aspect >= 1 else (short, round(short / aspect))
        scene = draw_scene(rng, width, height, draw_kinds(rng, int(rng.integers(1, 9)), question))
        method = cv2.INTER_AREA if width > wide else cv2.INTER_LINEAR
        picture = cv2.resize(scene.picture, (wide, tall), interpolation=method)
        pixels.append(((picture / np.float32(255) - MEAN) / STD).transpose(2, 0, 1))
        asked = [thing for thing in scene.things if any(phrase.fits(thing.kind) for phrase in question)]
        corners = np.array([thing.box for thing in asked], np.float32).reshape(-1, 2, 2) / (width, height)
        boxes.append(np.concatenate([corners.mean(1), corners[:, 1] - corners[:, 0]], -1))
        ids = [CLS]
        truth: list[list[float]] = [[0.0] for _ in asked]
        for phrase in question:
            words = str(phrase).split()
            ids += [*(WORD_IDS[word] for word in words), STOP]
            for row, thing in zip(truth, asked, strict=True):
                row.extend([float(phrase.fits(thing.kind))] * len(words) + [0.0])
        questions.append([*ids, SEP])
        right.append(truth)
    longest = max(len(ids) for ids in questions)
    return Batch(
        torch.from_numpy(np.stack(pixels).astype(np.float32)),
        torch.tensor([ids + [0] * (longest - len(ids)) for ids in questions]),
        [torch.from_numpy(box.astype(np.float32)) for box in boxes],
        [torch.tensor([row + [0.0] * (longest - len(row)) for row in truth]).reshape(-1, longest) for truth in right],
    )


class Batches(torch.utils.data.IterableDataset[Batch]):
    """Batches from one step on, for a DataLoader's worker process."""

    def __init__(self, seed: int, first: int, last: int, count: int) -> None:
        self._seed, self._steps, self._count = seed, range(first, last), count

    def __iter__(self) -> Iterator[Batch]:
        """Draw one batch after the other."""
        cv2.setNumThreads(1)
        return (draw_batch(self._seed, step, self._count) for step in self._steps)
