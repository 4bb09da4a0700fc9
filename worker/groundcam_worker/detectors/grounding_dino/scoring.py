"""From the network's output to objects with one class each, on the device and for the whole batch.

A class's score is that of its best token, and a box belongs to the best class among those that pass their
threshold. transformers' own post-processing joins whatever tokens pass, so that it also answers "person forklift",
or a piece of a word; and it takes the maximum over [CLS], [SEP] and full stops too, which no class owns.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from groundcam_schemas import Question
from groundcam_worker.detectors.nms import kept
from groundcam_worker.detectors.protocol import Detection

NO_NUMBERS = "the model gives no numbers (NaN); in fp16 that is an overflow: set work.precision to bf16 or fp32"


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


def objects(found: Sequence[Tensor], question: Question, width: int, height: int) -> tuple[Detection, ...]:
    """Return a picture's objects, best first, from what each of its captions gave ([Q, 6], on the CPU).

    Raises ArithmeticError where the network gave no numbers.
    """
    rows = torch.cat(list(found))
    if rows[:, 0].isnan().any():
        raise ArithmeticError(NO_NUMBERS)
    rows = rows[rows[:, 0] >= 0]
    boxes = rows[:, 2:] * rows.new_tensor([width, height, width, height])
    order = kept(boxes, rows[:, 0], rows[:, 1].long(), question)
    return tuple(
        Detection(int(class_id), score, (x1, y1, x2, y2))
        for (score, class_id), (x1, y1, x2, y2) in zip(
            rows[order, :2].tolist(), boxes[order].tolist(), strict=True
        )
    )  # fmt: skip
