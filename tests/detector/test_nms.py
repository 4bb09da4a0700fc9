"""Which of several boxes on one object is kept."""

import pytest
import torch
from torchvision.ops import box_iou

from groundcam_schemas import Question
from groundcam_worker.detectors.nms import kept

CLASSES = 500
PLACES = 4000


@pytest.mark.parametrize("class_id", [0, CLASSES - 1])
def test_boxes_of_any_class_are_dropped_only_where_they_overlap_by_more_than_asked(class_id: int) -> None:
    """Also of the last of many classes, in a picture of 4K."""
    question = Question.of(*(f"c{number}" for number in range(CLASSES)), nms_iou=0.5)
    draw = torch.Generator().manual_seed(1)
    corner = torch.rand(PLACES, 2, generator=draw) * torch.tensor([3800.0, 2100.0])
    moved = corner + torch.rand(PLACES, 2, generator=draw) * 5
    aside = torch.tensor([[3820.0, 0.0, 3840.0, 20.0]])  # of the first class, so that offsets are as large as they get
    classes = torch.tensor([class_id, class_id, 0])
    wrong = []
    for one, other in zip(corner, moved, strict=True):
        boxes = torch.cat([torch.stack([torch.cat([one, one + 10]), torch.cat([other, other + 10])]), aside])
        overlap = float(box_iou(boxes[:1].double(), boxes[1:2].double()))
        both = 1 in kept(boxes, torch.tensor([0.9, 0.8, 0.7]), classes, question).tolist()
        if both != (overlap <= 0.5):
            wrong.append(overlap)
    assert wrong == []
