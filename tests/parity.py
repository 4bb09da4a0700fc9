"""Compare what two ways of running one model find: pictures to ask, answers matched one to one, ranks that tie."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Question
from groundcam_worker.detectors.grounding_dino.network import Network
from groundcam_worker.detectors.grounding_dino.reference import DELIMITERS, Reference
from groundcam_worker.detectors.protocol import Detection

SCORE, BOX = 1e-4, 0.05
"""Tolerances of fp32: of a score, and of a box's side in pixels."""
SCORE_16, BOX_16 = 0.01, 1.0
TIE = 1e-4
"""Proposals whose scores differ by less may change places from rounding alone, and their queries with them."""

Row = tuple[float, float, float, float, float]
"""Score, x1, y1, x2, y2."""


def picture(seed: int, width: int = 320, height: int = 240) -> Image:
    """Smooth colours, as in a photograph: noise would look alike everywhere."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    tensor = torch.from_numpy(small).permute(2, 0, 1)[None].float()
    large = torch.nn.functional.interpolate(tensor, (height, width), mode="bicubic").clamp(0, 255)
    image: Image = large[0].permute(1, 2, 0).to(torch.uint8).numpy()
    return image


def rows(found: Sequence[Detection]) -> list[Row]:
    return [(one.score, *one.box) for one in found]


def reference_rows(reference: Reference, image: Image, ask: Question, shape: tuple[int, int]) -> list[Row]:
    """What transformers' documented way gives once no score may come from [CLS], [SEP] or a full stop."""
    outputs, ids = reference.outputs([image], [ask.labels], shape)
    owned = torch.zeros(outputs.logits.shape[-1], dtype=torch.bool, device=ids.device)
    owned[: ids.shape[1]] = ~torch.isin(ids[0], torch.tensor(DELIMITERS, device=ids.device))
    outputs.logits = outputs.logits.masked_fill(~owned, float("-inf"))
    (found,) = reference.post_process(outputs, ids, ask.box_threshold, ask.text_threshold, [image.shape[:2]])
    return [(score, *box) for score, box in zip(found["scores"].tolist(), found["boxes"].tolist(), strict=True)]


@dataclass
class Match:
    """Answers matched one to one by what is nearest."""

    scores: list[float] = field(default_factory=list)
    pixels: list[float] = field(default_factory=list)
    alone: int = 0

    def outside(self, score: float = SCORE, box: float = BOX) -> int:
        """How many have no partner within these."""
        far = sum(ds > score or db > box for ds, db in zip(self.scores, self.pixels, strict=True))
        return far + self.alone

    def add(self, other: "Match") -> None:
        """Count another answer's boxes too."""
        self.scores += other.scores
        self.pixels += other.pixels
        self.alone += other.alone

    def __str__(self) -> str:
        worst = f"score {max(self.scores, default=0):.1e}, box {max(self.pixels, default=0):.4f} px"
        return f"{len(self.scores)} matched, {self.alone} alone, {self.outside()} outside, at most {worst}"


def match(ours: Sequence[Row], theirs: Sequence[Row]) -> Match:
    found = Match(alone=abs(len(ours) - len(theirs)))
    left = np.array(theirs).reshape(-1, 5)
    for one in np.array(ours).reshape(-1, 5):
        if not len(left):
            break
        apart = np.abs(left - one)
        nearest = int((apart[:, 0] * 100 + apart[:, 1:].max(1)).argmin())
        found.scores.append(float(apart[nearest, 0]))
        found.pixels.append(float(apart[nearest, 1:].max()))
        left = np.delete(left, nearest, 0)
    return found


class Ranks:
    """Which proposals became queries, in which order, one row a picture."""

    def __init__(self) -> None:
        self.places: list[torch.Tensor] = []
        self.scores: list[torch.Tensor] = []

    def add(self, scores: torch.Tensor, places: torch.Tensor) -> None:
        self.places += list(places)
        self.scores += list(scores.float())

    def ties_with(self, other: "Ranks") -> int:
        """How many ranks are held by another proposal; fails where that is more than a tie."""
        count = 0
        for mine, theirs, scores in zip(self.places, other.places, other.scores, strict=True):
            differ = mine != theirs
            gaps = (scores[mine] - scores[theirs]).abs()[differ]
            assert not len(gaps) or gaps.max() < TIE, f"ranks differ by {gaps.max()}: no tie"
            count += int(differ.sum())
        return count


@contextmanager
def _replaced(ranked: Any) -> Iterator[None]:
    original = Network.ranked
    Network.ranked = ranked  # type: ignore[method-assign]
    try:
        yield
    finally:
        Network.ranked = original  # type: ignore[method-assign]


@contextmanager
def our_ranks() -> Iterator[Ranks]:
    """Record the ranks of every network that runs meanwhile."""
    ranks, original = Ranks(), Network.ranked

    def ranked(self: Network, scores: torch.Tensor) -> torch.Tensor:
        places = original(self, scores)
        ranks.add(scores, places)
        return places

    with _replaced(ranked):
        yield ranks


@contextmanager
def held_ranks(ranks: Ranks) -> Iterator[None]:
    """Let every network that runs meanwhile take its proposals in this order: what a tie decided is decided so."""
    with _replaced(lambda _self, _scores: torch.stack(ranks.places)):
        yield


@contextmanager
def their_ranks(reference: Reference) -> Iterator[Ranks]:
    """Record the ranks of transformers' model; of its two calls of this head the first scores the proposals."""
    ranks, model = Ranks(), reference._model.model
    head: Any = model.encoder_output_class_embed

    def hook(_head: Any, _inputs: Any, output: torch.Tensor) -> None:
        if output.shape[1] != model.config.num_queries:
            scores = output.max(-1)[0]
            ranks.add(scores, scores.topk(model.config.num_queries, dim=1)[1])

    handle = head.register_forward_hook(hook)
    try:
        yield ranks
    finally:
        handle.remove()


def asking(*phrases: str, **options: Any) -> Question:
    """A question of which every box is kept: transformers merges none, and a tie must not decide which is."""
    return Question.of(*phrases, **{"nms_iou": 1.0, **options})
