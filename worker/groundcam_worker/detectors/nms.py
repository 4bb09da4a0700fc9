"""Of several boxes on one object, keep the best."""

import torch
from torch import Tensor
from torchvision.ops import batched_nms


def nms(boxes: Tensor, scores: Tensor, classes: Tensor, iou: float | None) -> Tensor:
    """Return indices of the boxes to keep, best first: all of them where `iou` is None.

    Else none that overlaps a better one of its class by more than `iou` (greedy non-maximum suppression). Boxes
    [n, 4] are x1, y1, x2, y2.
    """
    if iou is None:
        return scores.argsort(descending=True, stable=True)
    kept: torch.Tensor = batched_nms(boxes, scores, classes, iou)
    return kept
