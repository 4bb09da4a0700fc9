"""Of several boxes on one object, keep the best; decoys compete, and are not kept."""

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

from groundcam_schemas import Question
from groundcam_schemas.questions import NMS_IOU


def kept(boxes: Tensor, scores: Tensor, classes: Tensor, question: Question) -> Tensor:
    """Return indices of the boxes to report, best first.

    None that overlaps a better one of its class, or of any class where the question says so, by more than its overlap
    (greedy non-maximum suppression), nor a better one of a decoy; and none of a decoy. Boxes [n, 4] are x1, y1, x2, y2;
    classes [n] count the question's phrases.
    """
    asked = classes < len(question.classes)
    if question.decoys:
        asked = asked & ~_outbid(boxes, scores, asked, NMS_IOU if question.nms_iou is None else question.nms_iou)
    found = asked.nonzero()[:, 0]
    scores = scores[found]
    if question.nms_iou is None:
        return found[scores.argsort(descending=True, stable=True)]
    groups = torch.zeros_like(found) if question.nms_across else classes[found]
    # Groups are told apart by offsets, in which 24 bits lose a tenth of a pixel where there are hundreds.
    order: Tensor = batched_nms(boxes[found].double(), scores.double(), groups, question.nms_iou)
    return found[order]


def _outbid(boxes: Tensor, scores: Tensor, asked: Tensor, iou: float) -> Tensor:
    """Return of each box whether a better one of a decoy lies on it."""
    decoys = boxes[~asked]
    beats = (box_iou(boxes, decoys) > iou) & (scores[~asked] > scores[:, None])
    outbid: Tensor = beats.any(-1)
    return outbid
