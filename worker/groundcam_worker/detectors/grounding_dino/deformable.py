"""Multi-scale deformable attention (Zhu et al., Deformable DETR, arXiv 2010.04159, equation 3) for answering.

A query looks at a few points of each feature level. transformers samples them level by level with `grid_sample`,
which writes every sample to memory before it is weighed: 29 % of what the whole model moves. Here samples are
weighed while they are read. On CUDA that is a Triton kernel; elsewhere it is torch's own `embedding_bag`, whose
rows are the features and whose weights are attention times bilinear share: six times as fast on a CPU.

Coordinates are always fp32: 16 bits would move a box by pixels.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from groundcam_worker.detectors.grounding_dino.kernels import sample_with_triton
from groundcam_worker.detectors.grounding_dino.linear import together

RING_COLUMNS, RING_ROWS = 2, 4


class Levels:
    """The feature levels of one input shape, flattened one behind the other."""

    def __init__(self, sizes: Sequence[tuple[int, int]], device: torch.device) -> None:
        """Take (height, width) of each level."""
        self.sizes = tuple(sizes)
        counts = [height * width for height, width in sizes]
        self.starts = tuple(sum(counts[:index]) for index in range(len(counts)))
        self.total = sum(counts)
        rows = [[*size, start] for size, start in zip(sizes, self.starts, strict=True)]
        self.table = torch.tensor(rows, dtype=torch.int32, device=device)
        """[levels, (height, width, start)]"""
        self.extent = self.table[:, [1, 0]].float()[:, None]
        """[levels, 1, (width, height)]"""
        # Where things lie once each level has a ring of zeros (see `with_embedding_bag`).
        ringed = [(height + RING_ROWS) * (width + RING_COLUMNS) for height, width in sizes]
        self.stride = self.extent[..., 0] + RING_COLUMNS
        """[levels, 1]"""
        begins = [float(sum(ringed[:index])) for index in range(len(ringed))]
        self.origin = torch.tensor(begins, device=device)[:, None] + self.stride + 1
        """[levels, 1], of the first real cell."""
        none = torch.zeros_like(self.stride)
        self.corners = torch.stack([none, none + 1, self.stride, self.stride + 1], -1).int()
        """[levels, 1, 4], steps to the four cells around a place."""


class DeformableAttention(nn.Module):
    """Takes over the weights of a module of transformers."""

    def __init__(self, theirs: Any, sampling: str) -> None:
        """`sampling` is one of SAMPLINGS."""
        super().__init__()
        self.heads, self.levels, self.points = theirs.n_heads, theirs.n_levels, theirs.n_points
        self.value_proj, self.output_proj = theirs.value_proj, theirs.output_proj
        offsets, weights = theirs.sampling_offsets, theirs.attention_weights
        self.split = [offsets.out_features, weights.out_features]
        self.looks = together(offsets, weights)
        self.sample = SAMPLINGS[sampling]

    def forward(self, queries: Tensor, features: Tensor, reference: Tensor, levels: Levels) -> Tensor:
        """Return [B, Q, D] for queries [B, Q, D] and features [B, N, D].

        `reference` has fractions of the picture in fp32, points [1, Q, 2] or boxes [B, Q, 4].
        """
        batch, count, _ = queries.shape
        values = self.value_proj(features).view(batch, features.shape[1], self.heads, -1)
        offsets, weights = self.looks(queries).split(self.split, -1)
        offsets = offsets.reshape(batch, count, self.heads, self.levels, self.points, 2)
        weights = weights.reshape(batch, count, self.heads, self.levels * self.points)
        summed: Tensor = self.output_proj(self.sample(values, offsets, weights, reference, levels))
        return summed


def places(offsets: Tensor, reference: Tensor, levels: Levels) -> Tensor:
    """Return where each point lies, [B, Q, heads, levels, points, (x, y)] in cells of its level, in fp32."""
    reference = reference[:, :, None, None, None]
    offsets = offsets.float()
    if reference.shape[-1] == 4:
        reach = reference[..., 2:] * (0.5 / offsets.shape[-2])
        return (reference[..., :2] + offsets * reach) * levels.extent - 0.5
    return reference * levels.extent + offsets - 0.5


def with_grid_sample(values: Tensor, offsets: Tensor, weights: Tensor, reference: Tensor, levels: Levels) -> Tensor:
    """The plain way, as transformers has it: [B, Q, heads * D] from values [B, N, heads, D]."""
    batch, _, heads, depth = values.shape
    count = offsets.shape[1]
    # From cells to the -1 to 1 of grid_sample.
    grids = (places(offsets, reference, levels) * 2 + 1) / levels.extent - 1
    grids = grids.transpose(1, 2).flatten(0, 1)
    samples = []
    for index, level in enumerate(_by_level(values, levels)):
        maps = level.view(*level.shape[:3], heads, depth).permute(0, 3, 4, 1, 2).flatten(0, 1)
        # Half a feature map cannot be sampled at places in fp32, and places in 16 bits would be wrong.
        sampled = functional.grid_sample(maps.float(), grids[:, :, index], align_corners=False)
        samples.append(sampled.to(values.dtype))
    shares = _softmax(weights, values.dtype).transpose(1, 2).reshape(batch * heads, 1, count, -1)
    weighed = (torch.stack(samples, -2).flatten(-2) * shares).sum(-1)
    return weighed.view(batch, heads * depth, count).transpose(1, 2)


def with_embedding_bag(values: Tensor, offsets: Tensor, weights: Tensor, reference: Tensor, levels: Levels) -> Tensor:
    """The same sum as one weighted look-up of rows, each of them one head's features at one cell.

    A ring of zeros around each level is the value of a cell outside of it, so that nothing has to be masked.
    """
    batch, _, heads, depth = values.shape
    count, points = offsets.shape[1], offsets.shape[-2]
    table = torch.cat([_ringed(level) for level in _by_level(values, levels)], 1)
    at = torch.minimum(places(offsets, reference, levels), levels.extent).clamp(min=-1.0)
    first = at.floor()
    across, down = (at - first).unbind(-1)
    attention = _softmax(weights, torch.float32).view(batch, count, heads, -1, points)
    below = attention * down
    above = attention - below
    below_right, above_right = below * across, above * across
    shares = torch.stack([above - above_right, above_right, below - below_right, below_right], -1)
    # A cell's number is below 2**24 for any picture that fits into memory, so that a float represents it exactly.
    cell = (first[..., 1] * levels.stride + first[..., 0] + levels.origin).int()
    picture = torch.arange(batch, dtype=torch.int32, device=values.device).view(-1, 1, 1, 1, 1) * table.shape[1]
    head = torch.arange(heads, dtype=torch.int32, device=values.device).view(-1, 1, 1)
    row = (cell + picture) * heads + head
    rows = row[..., None] + levels.corners * heads
    summed = functional.embedding_bag(
        rows.view(batch * count * heads, -1),
        table.view(-1, depth),
        mode="sum",
        per_sample_weights=shares.view(batch * count * heads, -1).to(values.dtype),
    )
    return summed.view(batch, count, heads * depth)


def _by_level(values: Tensor, levels: Levels) -> Iterator[Tensor]:
    """Yield [B, height, width, heads * D] of each level."""
    for (height, width), start in zip(levels.sizes, levels.starts, strict=True):
        yield values[:, start : start + height * width].reshape(values.shape[0], height, width, -1)


def _ringed(level: Tensor) -> Tensor:
    # The cell to the right of a row is the one to the left of the next; below, the last place has two more rows.
    return functional.pad(level, (0, 0, 1, RING_COLUMNS - 1, 1, RING_ROWS - 1)).flatten(1, 2)


def with_triton(values: Tensor, offsets: Tensor, weights: Tensor, reference: Tensor, levels: Levels) -> Tensor:
    """The same sum in one kernel."""
    sampled: Tensor = sample_with_triton(values.contiguous(), offsets, weights, reference.contiguous(), levels.table)
    return sampled


def _softmax(weights: Tensor, dtype: torch.dtype) -> Tensor:
    return weights.softmax(-1, dtype=torch.float32).to(dtype)


SAMPLINGS = {"grid_sample": with_grid_sample, "embedding_bag": with_embedding_bag, "triton": with_triton}
