"""Grounding DINO's forward pass for answering (Liu et al., arXiv 2303.05499; transformers' model in eval mode).

The modules and weights are transformers'; what joins them is written anew, so that nothing is computed that no
answer needs: no losses, no padding of pictures, one output head, boxes for the chosen proposals only. Whatever
follows from the input's shape only is computed once a shape, and whatever follows from the question only comes
in as `Text`. Nothing in `forward` waits for the device.

Features may be 16-bit; coordinates of boxes and points are fp32 throughout.
"""

import math
from collections import OrderedDict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from groundcam_worker.detectors.grounding_dino.deformable import Levels
from groundcam_worker.detectors.grounding_dino.layers import DecoderLayer, EncoderLayer
from groundcam_worker.detectors.grounding_dino.linear import with_onednn
from groundcam_worker.detectors.grounding_dino.swin import Grid, Swin

REMEMBERED_SHAPES = 32
SMALLEST, LARGEST = 0.01, 0.99
PROPOSAL_SIDE = 0.05
"""Proposals closer to the border are none, and their sides double from level to level: Deformable DETR's own."""


Grids = tuple[tuple[Grid, Grid], ...]
"""Of every stage of the backbone, plain and shifted."""


class Text(NamedTuple):
    """Captions as the network takes them, padded to the longest of the batch."""

    features: Tensor
    """[B, T, D]"""
    positions: Tensor
    """[B, T, D], the place of each token in its phrase."""
    real: Tensor
    """[B, T], false where a caption is padded."""
    allowed: Tensor
    """[B, 1, T, T], true where a token may look: in its own phrase."""
    classes: Tensor
    """[B, T], the class that owns a token, below 0 where none does."""
    thresholds: Tensor
    """[B, T], what a token must score in fp32; above 1 where no class is."""


class Shape(NamedTuple):
    """What follows from the sizes of the feature levels only."""

    levels: Levels
    positions: Tensor
    """[1, N, D]"""
    points: Tensor
    """[1, N, 2], fractions of the picture."""
    proposals: Tensor
    """[1, N, 4], before the sigmoid; infinite where there is none."""
    is_proposal: Tensor
    """[1, N, 1]"""


class Network(nn.Module):
    """A (MM) Grounding DINO of transformers, its backbone and text side as they are, the rest rebuilt."""

    def __init__(self, model: Any, sampling: str, *, fused: bool = False, onednn: bool = False) -> None:
        """`sampling` is how deformable attention reads, `fused` uses Triton's kernels elsewhere, `onednn` multiplies by
        oneDNN on a CPU. Raises ValueError.
        """
        super().__init__()
        inner = model.model
        config = model.config
        if not config.two_stage or not config.embedding_init_target:
            raise ValueError("only two-stage models with learned queries are known")
        self.width, self.queries = config.d_model, config.num_queries
        self.backbone = Swin(inner.backbone.conv_encoder.model, fused=fused)
        self.position_embedding = inner.backbone.position_embedding
        self.projections = inner.input_proj_vision
        self.level_embed = inner.level_embed
        self.encoder = nn.ModuleList(EncoderLayer(layer, sampling, fused=fused) for layer in inner.encoder.layers)
        self.proposal, self.proposal_norm = inner.enc_output, inner.enc_output_norm
        self.proposal_box = inner.encoder_output_bbox_embed
        self.query_embeddings = inner.query_position_embeddings
        self.reference_head = inner.decoder.reference_points_head
        self.decoder = nn.ModuleList(DecoderLayer(layer, sampling, fused=fused) for layer in inner.decoder.layers)
        self.norm = inner.decoder.layer_norm
        self.refinements = nn.ModuleList(list(inner.decoder.bbox_embed)[:-1])
        self.box = model.bbox_embed[-1]
        # MM Grounding DINO scales its scores and adds a bias, Grounding DINO does neither.
        self.proposal_bias = getattr(inner.encoder_output_class_embed, "bias", None)
        self.bias = getattr(model.class_embed[-1], "bias", None)
        self._shapes: OrderedDict[tuple[int, int], Shape] = OrderedDict()
        if onednn:
            with_onednn(self)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the constants of shapes out of a copy, which may be of another type."""
        return {**self.__dict__, "_shapes": OrderedDict()}

    def to_precision(self, dtype: torch.dtype) -> "Network":
        """Convert the weights; those that make boxes stay fp32."""
        self.to(dtype)
        for head in (self.proposal_box, self.refinements, self.box):
            head.float()
        self._shapes.clear()
        self.backbone.forget()
        return self

    def forward(self, pixels: Tensor, text: Text, shape: Shape) -> tuple[Tensor, Tensor]:
        """Return logits [B, Q, T] and boxes [B, Q, 4], centre and size in fractions of the picture, both fp32.

        `pixels` [B, 3, H, W] is normalised, and `shape` is theirs; one caption a picture. What is in `text` of
        classes and thresholds is not read.
        """
        return self.answer(self.see(pixels, self.grids_of(pixels)), text, shape)

    def answer(self, vision: Tensor, text: Text, shape: Shape) -> tuple[Tensor, Tensor]:
        """Return logits and boxes, as `forward` does, for what `see` gave: for another caption of the same pictures."""
        features = text.features
        for layer in self.encoder:
            vision, features = layer(
                vision, features, text.real, text.allowed, text.positions, shape.positions, shape.points, shape.levels
            )
        boxes = self._propose(vision, features, text.real, shape)
        state = self.query_embeddings.weight[None, : boxes.shape[1]].expand(features.shape[0], -1, -1)
        for index, layer in enumerate(self.decoder):
            positions = self.reference_head(sinusoid(boxes, self.width // 2).to(state.dtype))
            state = layer(state, positions, vision, features, text.real, boxes, shape.levels)
            if index < len(self.refinements):
                boxes = (self.refinements[index](state.float()) + torch.special.logit(boxes, eps=1e-5)).sigmoid()
        state = self.norm(state)
        boxes = (self.box(state.float()) + torch.special.logit(boxes, eps=1e-5)).sigmoid()
        return self._logits(state, features, text.real, self.bias), boxes

    def see(self, pixels: Tensor, grids: Grids) -> Tensor:
        """Return the features of all levels [B, N, D] for pixels [B, 3, H, W], whose `grids` are given."""
        return torch.cat([level.flatten(2).transpose(1, 2) for level in self._levels(pixels, grids)], 1)

    def grids_of(self, pixels: Tensor) -> Grids:
        """Return the grids of the backbone for pixels' height and width."""
        return self.backbone.grids_of(pixels.shape[-2], pixels.shape[-1], pixels)

    def _levels(self, pixels: Tensor, grids: Grids) -> list[Tensor]:
        maps = self.backbone(pixels, grids)
        projected = [project(features) for project, features in zip(self.projections, maps, strict=False)]
        source = maps[-1]
        for project in self.projections[len(maps) :]:
            source = project(source)
            projected.append(source)
        return projected

    def _propose(self, vision: Tensor, text: Tensor, real: Tensor, shape: Shape) -> Tensor:
        """Return the boxes [B, Q, 4] at which the decoder begins: those of the best places."""
        features = self.proposal_norm(self.proposal(vision.masked_fill(~shape.is_proposal, 0.0)))
        best = self.ranked(self._logits(features, text, real, self.proposal_bias).amax(-1))[..., None]
        chosen = features.gather(1, best.expand(-1, -1, features.shape[-1]))
        proposals = shape.proposals.expand(vision.shape[0], -1, -1).gather(1, best.expand(-1, -1, 4))
        boxes: Tensor = (self.proposal_box(chosen.float()) + proposals).sigmoid()
        return boxes

    def ranked(self, scores: Tensor) -> Tensor:
        """Return the places [B, Q] with the best scores [B, N], best first: a query's embedding follows its rank."""
        return scores.topk(min(self.queries, scores.shape[1]), dim=1).indices

    def _logits(self, features: Tensor, text: Tensor, real: Tensor, bias: Tensor | None) -> Tensor:
        scores = features.float() @ text.float().transpose(1, 2)
        if bias is not None:
            scores = scores / math.sqrt(self.width) + bias.float()
        return scores.masked_fill(~real[:, None], float("-inf"))

    def shape_of(self, pixels: Tensor) -> Shape:
        """Return the constants of pixels' height and width. The latest are remembered.

        They are no part of `forward`, where what is recorded or compiled would keep what is evicted here.
        """
        size = (pixels.shape[-2], pixels.shape[-1])
        if size not in self._shapes:
            # How large the levels are is the backbone's business.
            levels = self._levels(pixels[:1], self.grids_of(pixels))
            sizes = tuple((level.shape[-2], level.shape[-1]) for level in levels)
            self._shapes[size] = self._make_shape(sizes, pixels)
            if len(self._shapes) > REMEMBERED_SHAPES:
                self._shapes.popitem(last=False)
        self._shapes.move_to_end(size)
        return self._shapes[size]

    def _make_shape(self, sizes: tuple[tuple[int, int], ...], like: Tensor) -> Shape:
        positions, points, sides = [], [], []
        for index, (height, width) in enumerate(sizes):
            blank = like.new_zeros(1, 1, height, width)
            embedded = self.position_embedding(blank, torch.ones_like(blank[0], dtype=torch.bool)).to(like.dtype)
            positions.append(embedded.flatten(2).transpose(1, 2) + self.level_embed[index])
            y = (torch.arange(height, device=like.device, dtype=torch.float32) + 0.5) / height
            x = (torch.arange(width, device=like.device, dtype=torch.float32) + 0.5) / width
            points.append(torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1).view(1, -1, 2))
            sides.append(torch.full_like(points[-1], PROPOSAL_SIDE * 2.0**index))
        every = torch.cat(points, 1)
        boxes = torch.cat([every, torch.cat(sides, 1)], -1)
        is_proposal = ((boxes > SMALLEST) & (boxes < LARGEST)).all(-1, keepdim=True)
        proposals = torch.log(boxes / (1 - boxes)).masked_fill(~is_proposal, float("inf"))
        return Shape(Levels(sizes, like.device), torch.cat(positions, 1), every, proposals, is_proposal)


def sinusoid(coordinates: Tensor, width: int) -> Tensor:
    """Return [..., n * width] for n coordinates: sines and cosines of falling frequency, y before x (DETR's order)."""
    step = torch.arange(width, dtype=torch.float32, device=coordinates.device)
    divisors = 10000.0 ** (2 * (step // 2) / width)
    angles = coordinates[..., None].float() * (2 * math.pi) / divisors
    waves = torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], -1).flatten(-2)
    if coordinates.shape[-1] > 1:
        # Slices: a list of indices would be copied to the device, and waited for.
        waves = torch.cat([waves[..., 1:2, :], waves[..., :1, :], waves[..., 2:, :]], -2)
    return waves.flatten(-2)
