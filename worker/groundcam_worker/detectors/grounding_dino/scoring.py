"""From the network's output to objects with one class each, on the device and for the whole batch.

A class's score is that of its best token, and a box belongs to the best class among those that pass their
threshold. transformers' own post-processing joins whatever tokens pass, so that it also answers "person forklift",
or a piece of a word; and it takes the maximum over [CLS], [SEP] and full stops too, which no class owns.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from groundcam_schemas import Question
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.detectors.rows import detections, with_class_scores


def best_classes(logits: Tensor, boxes: Tensor, classes: Tensor, thresholds: Tensor) -> Tensor:
    """Return [B, Q, 6]: score (below 0 where no class passes), class, x1, y1, x2, y2 in fractions of the picture.

    For logits [B, Q, T], boxes [B, Q, 4] (centre and size), and of each token the class that owns it and what it must
    score [B, T].
    """
    scores = logits.sigmoid()
    best, token = torch.where(scores > thresholds[:, None], scores, -1.0).max(-1)
    # A NaN passes no threshold: without this, a model that broke down would look as if it saw nothing.
    best = torch.where(scores.isnan().any(-1), torch.nan, best)
    owners = classes.gather(1, token)
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([torch.stack([best, owners.float()], -1), centre - half, centre + half], -1)


def rows_of(logits: Tensor, boxes: Tensor, classes: Tensor, thresholds: Tensor, scored: int) -> Tensor:
    """Return what `best_classes` does, and behind it what each of the first `scored` classes scores."""
    best = best_classes(logits, boxes, classes, thresholds)
    return with_class_scores(best, class_scores(logits, classes, scored)) if scored else best


def scored_classes(questions: Sequence[Question]) -> int:
    """Return of how many classes scores are wanted, decoys among them; 0 where no question asks for any."""
    return max((len(question.phrases) for question in questions if question.class_scores), default=0)


def class_scores(logits: Tensor, classes: Tensor, count: int) -> Tensor:
    """Return what each of `count` classes scores [B, Q, count]: its best token's score, NaN where it owns no token.

    For logits [B, Q, T], and of each token the class that owns it [B, T], below 0 for none.
    """
    scores = logits.sigmoid()
    of_none = classes.new_full((), count)  # a column of its own, which is cut off
    owners = torch.where(classes < 0, of_none, classes)[:, None].expand_as(scores)
    unknown = scores.new_full((*scores.shape[:-1], count + 1), torch.nan)
    return unknown.scatter_reduce(-1, owners, scores, "amax", include_self=False)[..., :count]


def objects(found: Sequence[Tensor], question: Question, width: int, height: int) -> tuple[Detection, ...]:
    """Return a picture's objects, best first, from what each of its captions gave ([Q, 6 + C], on the CPU).

    Raises ArithmeticError where the network gave no numbers.
    """
    return detections(torch.cat(list(found)), question, (width, height))
