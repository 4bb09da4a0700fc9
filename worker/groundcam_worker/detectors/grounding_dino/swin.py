"""The Swin backbone (Liu et al., arXiv 2103.14030) for answering, from the weights of transformers' own.

Each layer of it attends within windows of a grid, every second one within windows of a shifted grid. transformers
pads, rolls and cuts the grid into windows, and undoes all that again: half of the bytes that the backbone moves. Here
a window's rows are read where they lie: by one table of indices, or, on CUDA, by a Triton kernel.
"""

from collections import OrderedDict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from groundcam_worker.detectors.grounding_dino.feed import Feed
from groundcam_worker.detectors.grounding_dino.fused_kernels import Windows, attend_with_triton
from groundcam_worker.detectors.grounding_dino.linear import together
from groundcam_worker.detectors.grounding_dino.norms import Norm

REMEMBERED_GRIDS = 128
ELSEWHERE = -100.0
"""Added to the score of a token that lies next to another only because the grid was shifted: transformers' own."""


class Grid(NamedTuple):
    """Where the tokens of a layer's windows lie, for one size of its grid."""

    windows: Windows
    rows: Tensor
    """[windows * tokens], in the picture's own order; one past the last for tokens that pad the grid."""
    places: Tensor
    """[height * width], where among the windows' tokens each of the picture is."""
    mask: Tensor | None
    """[windows, tokens, tokens], added to scores; None where nothing is shifted or a kernel knows it by itself."""


class Attention(nn.Module):
    """For SwinAttention."""

    def __init__(self, theirs: Any, *, fused: bool) -> None:
        super().__init__()
        self.heads, self.scale, self.fused = theirs.num_attention_heads, theirs.scaling, fused
        self.qkv = together(theirs.q_proj, theirs.k_proj, theirs.v_proj)
        self.out = theirs.o_proj
        self.bias = nn.Parameter(theirs.relative_position_bias()[0].detach().clone(), requires_grad=False)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Return [B, L, C] for tokens [B, L, C] of a grid."""
        attended = self._fused(tokens, grid) if self.fused else self._gathered(tokens, grid)
        mixed: Tensor = self.out(attended)
        return mixed

    def _fused(self, tokens: Tensor, grid: Grid) -> Tensor:
        windows = grid.windows
        attended: Tensor = attend_with_triton(
            self.qkv(tokens), self.qkv.bias, self.bias, self.scale, windows.height, windows.width, windows.side,
            windows.shift,
        )  # fmt: skip
        return attended

    def _gathered(self, tokens: Tensor, grid: Grid) -> Tensor:
        batch, _, channels = tokens.shape
        count = grid.windows.side**2
        padded = functional.pad(tokens, (0, 0, 0, 1)) if grid.windows.is_padded else tokens
        windowed = self.qkv(padded.index_select(1, grid.rows))
        query, key, value = windowed.view(-1, count, 3, self.heads, channels // self.heads).unbind(2)
        bias = self.bias[None]
        if grid.mask is not None:
            bias = (bias + grid.mask[:, None]).repeat(batch, 1, 1, 1)
        attended = functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=bias, scale=self.scale
        )
        return attended.transpose(1, 2).reshape(batch, -1, channels).index_select(1, grid.places)


class Layer(nn.Module):
    """For SwinLayer."""

    def __init__(self, theirs: Any, *, fused: bool) -> None:
        super().__init__()
        self.attention = Attention(theirs.attention, fused=fused)
        self.norm_before, self.norm_after = (
            Norm(theirs.layernorm_before, fused=fused), Norm(theirs.layernorm_after, fused=fused)
        )  # fmt: skip
        self.feed = Feed(theirs.mlp.fc1, theirs.mlp.activation_fn, theirs.mlp.fc2)
        self.is_shifted = theirs.shift_size > 0

    def forward(self, tokens: Tensor, delta: Tensor | None, grids: tuple[Grid, Grid]) -> tuple[Tensor, Tensor]:
        """Return tokens [B, L, C] and what is still to be added to them, for the same of the layer before."""
        tokens, normed = self.norm_before.of_sum(tokens, delta)
        tokens, normed = self.norm_after.of_sum(tokens, self.attention(normed, grids[self.is_shifted]))
        return tokens, self.feed(normed)


class Stage(nn.Module):
    """For SwinStage, with the norm of its output where that is one of the backbone's."""

    def __init__(self, theirs: Any, norm: Any, *, fused: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(one, fused=fused) for one in theirs.blocks)
        self.norm = None if norm is None else Norm(norm, fused=fused)
        self.merge_norm = self.reduction = None
        if theirs.downsample is not None:
            self.merge_norm = Norm(theirs.downsample.norm, fused=fused)
            self.reduction = theirs.downsample.reduction

    def forward(self, tokens: Tensor, grids: tuple[Grid, Grid]) -> tuple[Tensor, Tensor | None]:
        """Return what the next stage reads, if there is one, and the stage's own features, if they are wanted."""
        delta: Tensor | None = None
        for layer in self.layers:
            tokens, delta = layer(tokens, delta, grids)
        assert delta is not None  # noqa: S101 - for the type checker: there are layers
        tokens, features = (
            (tokens + delta, None) if self.norm is None else self.norm.of_sum(tokens, delta)
        )  # fmt: skip
        return (tokens if self.reduction is None else self._merged(tokens, grids[0].windows)), features

    def _merged(self, tokens: Tensor, windows: Windows) -> Tensor:
        """Return a quarter of the tokens, each of four neighbours; an odd side is padded."""
        assert self.merge_norm is not None  # noqa: S101 - for the type checker
        grid = tokens.view(tokens.shape[0], windows.height, windows.width, -1)
        if windows.height % 2 or windows.width % 2:
            grid = functional.pad(grid, (0, 0, 0, windows.width % 2, 0, windows.height % 2))
        parts = [grid[:, row::2, column::2] for column in range(2) for row in range(2)]
        merged: Tensor = self.reduction(self.merge_norm(torch.cat(parts, -1).flatten(1, 2)))  # type: ignore[misc]
        return merged


class Swin(nn.Module):
    """For SwinBackbone."""

    def __init__(self, theirs: Any, *, fused: bool) -> None:
        """Raises ValueError for a backbone with absolute positions, which no known model has."""
        super().__init__()
        embeddings = theirs.swin.embeddings
        if embeddings.position_embeddings is not None:
            raise ValueError("a Swin backbone with absolute positions is not known")
        self.patches, self.norm = embeddings.patch_embeddings, Norm(embeddings.norm, fused=fused)
        norms = dict(theirs.hidden_states_norms.items())
        self.stages = nn.ModuleList(
            Stage(one, norms.get(name), fused=fused)
            for one, name in zip(theirs.swin.encoder.layers, theirs.stage_names[1:], strict=True)
        )
        self.side, self.fused = theirs.config.window_size, fused
        self._grids: OrderedDict[tuple[int, int], tuple[Grid, Grid]] = OrderedDict()

    def grids_of(self, height: int, width: int, like: Tensor) -> tuple[tuple[Grid, Grid], ...]:
        """Return the grids of every stage, plain and shifted, for pictures of a size. The latest are remembered.

        They are no part of `forward`, where what is recorded would keep what is evicted here.
        """
        patch_height, patch_width = self.patches.patch_size
        tall, wide = -(-height // patch_height), -(-width // patch_width)
        found = []
        for _ in self.stages:
            found.append(self._grid(tall, wide, like))
            tall, wide = (tall + 1) // 2, (wide + 1) // 2
        return tuple(found)

    def forget(self) -> None:
        """Make grids anew, of what type the weights have now."""
        self._grids.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the grids out of a copy, which may be of another type."""
        return {**self.__dict__, "_grids": OrderedDict()}

    def _grid(self, height: int, width: int, like: Tensor) -> tuple[Grid, Grid]:
        if (height, width) not in self._grids:
            plain, shifted = (Windows(height, width, self.side, shift) for shift in (0, self.side // 2))
            self._grids[height, width] = grid(plain, like), grid(shifted, like, is_masked=not self.fused)
            if len(self._grids) > REMEMBERED_GRIDS:
                self._grids.popitem(last=False)
        self._grids.move_to_end((height, width))
        return self._grids[height, width]

    def forward(self, pixels: Tensor, grids: tuple[tuple[Grid, Grid], ...]) -> list[Tensor]:
        """Return the features [B, C, height, width] of the backbone's stages, for pixels [B, 3, H, W]."""
        embedded, _ = self.patches(pixels)
        tokens = self.norm(embedded)
        found = []
        for stage, both in zip(self.stages, grids, strict=True):
            tokens, features = stage(tokens, both)
            if features is not None:
                windows = both[0].windows
                found.append(features.view(features.shape[0], windows.height, windows.width, -1).permute(0, 3, 1, 2))
        return found


def grid(windows: Windows, like: Tensor, *, is_masked: bool = True) -> Grid:
    """Return where the tokens of windows lie."""
    side, shift = windows.side, windows.shift
    tall, wide = windows.padded

    def windowed(cells: Tensor) -> Tensor:
        """Return [windows, tokens] for cells [tall, wide] of the shifted grid."""
        return cells.view(tall // side, side, wide // side, side).transpose(1, 2).reshape(-1, side * side)

    y, x = torch.arange(tall, device=like.device), torch.arange(wide, device=like.device)
    down, right = (y + shift) % tall, (x + shift) % wide
    is_real = (down < windows.height)[:, None] & (right < windows.width)
    rows = windowed(torch.where(is_real, down[:, None] * windows.width + right, windows.height * windows.width))
    rows = rows.flatten()
    places = torch.empty(windows.height * windows.width + 1, dtype=torch.int64, device=like.device)
    places[rows] = torch.arange(len(rows), device=like.device)
    mask = None
    if shift and is_masked:
        lower, righter = (
            (axis >= size - side).int() + (axis >= size - shift).int() for axis, size in ((y, tall), (x, wide))
        )
        region = windowed(3 * lower[:, None] + righter)
        mask = torch.where(region[:, :, None] == region[:, None, :], 0.0, ELSEWHERE).to(like.dtype)
    return Grid(windows, rows, places[:-1], mask)
