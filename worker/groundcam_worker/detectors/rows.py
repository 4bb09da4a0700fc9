"""From rows of numbers, one for each query of a model, to the detections of one picture."""

import torch
from torch import Tensor

from groundcam_schemas import Question
from groundcam_worker.detectors.nms import kept
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.errors import NO_NUMBERS

PLACE = 6
"""Columns before the class scores: score (below 0 where no class passes), class, x1, y1, x2, y2 in fractions."""


def best_of(scores: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """Return of each query [B, Q] its best score, below 0 where none passes its threshold, and at which place it is.

    For scores [B, Q, C] and thresholds [B, C], which are above 1 where a column is padding.
    """
    best, at = torch.where(scores > thresholds[:, None], scores, -1.0).max(-1)
    # A NaN passes no threshold: without this, a model that broke down would look as if it saw nothing.
    is_broken = (scores.isnan() & (thresholds <= 1.0)[:, None]).any(-1)
    return torch.where(is_broken, torch.nan, best), at


def with_class_scores(rows: Tensor, scores: Tensor) -> Tensor:
    """Return rows [B, Q, 6] with the scores of classes [B, Q, C] behind them, for `detections`."""
    return torch.cat([rows, scores.to(rows.dtype)], -1)


def detections(rows: Tensor, question: Question, extent: tuple[int, int]) -> tuple[Detection, ...]:
    """Return a picture's objects, best first, from its rows [Q, 6 + C].

    `extent` is what a box of size 1 measures in the picture's pixels. Of the scores, those of the question's classes
    are taken; NaN is a class that has none. Raises ArithmeticError where the network gave no numbers.
    """
    if rows[:, 0].isnan().any():
        raise ArithmeticError(NO_NUMBERS)
    rows = rows[rows[:, 0] >= 0]
    boxes = rows[:, 2:PLACE] * rows.new_tensor([*extent, *extent])
    order = kept(boxes, rows[:, 0], rows[:, 1].long(), question)
    best, corners = rows[order], boxes[order].tolist()
    scores: list[tuple[float | None, ...] | None] = [None] * len(order)
    if question.class_scores:
        scores = list(map(_numbers, best[:, PLACE : PLACE + len(question.classes)].tolist()))
    return tuple(
        Detection(int(class_id), score, (x1, y1, x2, y2), of_classes)
        for (score, class_id), (x1, y1, x2, y2), of_classes in zip(
            best[:, :2].tolist(), corners, scores, strict=True
        )
    )  # fmt: skip


def _numbers(scores: list[float]) -> tuple[float | None, ...]:
    return tuple(None if score != score else score for score in scores)  # noqa: PLR0124 - NaN is not itself
