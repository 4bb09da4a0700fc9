"""The losses. transformers' own neither trains the proposals nor reads more than one question in a batch.

Every decoder layer gets DETR's set loss (Carion et al. 2020, arXiv:2005.12872) with focal classification (Lin et al.
2017, arXiv:1708.02002) over tokens and generalised IoU (Rezatofighi et al. 2019, arXiv:1902.09630), with the weights
of Grounding DINO (arXiv:2303.05499). The encoder's proposals are supervised densely instead of by matching: the
three tokens next to an object's centre answer for it. It learns in half the steps so.
"""

from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from training.batches import Batch

CLASS, L1, GIOU = 2.0, 5.0, 2.0
ALPHA, GAMMA = 0.25, 2.0
NEAREST = 3
SMALL_PX = 26
"""Objects below this answer on the map of stride 8, others on that of stride 16."""


def loss(model: Any, outputs: Any, batch: Batch) -> Tensor:
    """Return the sum of the losses of all decoder layers and of the proposals."""
    tokens = batch.words.shape[1]
    layers, references = outputs.intermediate_hidden_states, outputs.intermediate_reference_points
    total = proposal_loss(outputs, batch)
    for index in range(layers.shape[1]):
        before = outputs.init_reference_points if index == 0 else references[:, index - 1]
        logits = model.class_embed[index](layers[:, index], outputs.encoder_last_hidden_state_text, batch.mask.bool())
        boxes = (model.bbox_embed[index](layers[:, index]) + torch.special.logit(before, eps=1e-5)).sigmoid()
        total = total + set_loss(logits[..., :tokens], boxes, batch)
    return total


def set_loss(logits: Tensor, boxes: Tensor, batch: Batch) -> Tensor:
    """Match queries with objects one to one; [pictures, queries, tokens] and [pictures, queries, 4]."""
    right = torch.zeros_like(logits)
    pictures, queries, found, true = [], [], [], []
    for picture, (truth, tokens) in enumerate(zip(batch.boxes, batch.right, strict=True)):
        if not len(truth):
            continue
        rows, columns = _match(logits[picture].detach(), boxes[picture].detach(), truth, tokens)
        right[picture, rows] = tokens[columns]
        pictures.append(torch.full_like(rows, picture))
        queries.append(rows)
        true.append(truth[columns])
    if pictures:
        found.append(boxes[torch.cat(pictures), torch.cat(queries)])
    return _weighed(logits, right, batch.mask, found, true)


def _match(logits: Tensor, boxes: Tensor, truth: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    probability = logits.sigmoid()
    positive = ALPHA * (1 - probability) ** GAMMA * -torch.log(probability + 1e-8)
    negative = (1 - ALPHA) * probability**GAMMA * -torch.log(1 - probability + 1e-8)
    by_class = (positive - negative).nan_to_num() @ (tokens / tokens.sum(-1, keepdim=True)).T
    cost = CLASS * by_class + L1 * torch.cdist(boxes, truth, p=1) - GIOU * giou(boxes[:, None], truth[None])
    rows, columns = linear_sum_assignment(cost.numpy())
    return torch.from_numpy(rows), torch.from_numpy(columns)


def proposal_loss(outputs: Any, batch: Batch) -> Tensor:
    """Make the tokens next to each object's centre answer for it, and all others stay silent."""
    tall, wide = batch.pixels.shape[-2:]
    tokens = batch.words.shape[1]
    logits = outputs.enc_outputs_class[..., :tokens]
    boxes = outputs.enc_outputs_coord_logits.sigmoid()
    grids, start = [], 0
    for stride in (8, 16):
        rows, columns = -(-tall // stride), -(-wide // stride)
        y, x = torch.meshgrid((torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij")
        grids.append((start, torch.stack([x.flatten() * wide, y.flatten() * tall], -1)))
        start += rows * columns
    right = torch.zeros_like(logits)
    pictures, places, true = [], [], []
    for picture, (truth, words) in enumerate(zip(batch.boxes, batch.right, strict=True)):
        for box, row in zip(truth, words, strict=True):
            pixels = box * torch.tensor([wide, tall, wide, tall])
            start, centres = grids[0 if pixels[2:].max() < SMALL_PX else 1]
            near = start + torch.cdist(pixels[None, :2], centres)[0].topk(NEAREST, largest=False).indices
            right[picture, near] = row
            pictures.append(torch.full_like(near, picture))
            places.append(near)
            true.append(box.expand(NEAREST, 4))
    found = [boxes[torch.cat(pictures), torch.cat(places)]] if places else []
    return _weighed(logits, right, batch.mask, found, true)


def _weighed(logits: Tensor, right: Tensor, mask: Tensor, found: list[Tensor], true: list[Tensor]) -> Tensor:
    """Weigh classification and boxes, all divided by the number of boxes that answer for an object."""
    many = max(1, sum(len(boxes) for boxes in true))
    total = CLASS * focal(logits.masked_fill(mask[:, None] == 0, -30.0), right).sum() / many
    if not true:
        return total
    here, there = torch.cat(found), torch.cat(true)
    fit = torch.isfinite(here).all(-1, keepdim=True)
    here = torch.where(fit, here, there)
    return total + (L1 * (here - there).abs().sum() + GIOU * (1 - giou(here, there)).sum()) / many


def focal(logits: Tensor, right: Tensor) -> Tensor:
    """Return the focal loss of each score."""
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, right, reduction="none")
    probability = logits.sigmoid()
    wrong = probability + right - 2 * probability * right
    return (ALPHA * right + (1 - ALPHA) * (1 - right)) * plain * wrong**GAMMA


def giou(one: Tensor, other: Tensor) -> Tensor:
    """Return the generalised IoU of boxes given as centre and size, broadcast over leading dimensions."""
    low_1, high_1 = one[..., :2] - one[..., 2:] / 2, one[..., :2] + one[..., 2:] / 2
    low_2, high_2 = other[..., :2] - other[..., 2:] / 2, other[..., :2] + other[..., 2:] / 2
    shared = (torch.minimum(high_1, high_2) - torch.maximum(low_1, low_2)).clamp(min=0).prod(-1)
    union = one[..., 2:].prod(-1) + other[..., 2:].prod(-1) - shared
    hull = (torch.maximum(high_1, high_2) - torch.minimum(low_1, low_2)).prod(-1)
    return shared / (union + 1e-9) - (hull - union) / (hull + 1e-9)
