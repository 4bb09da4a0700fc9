"""Triton kernels for what moves memory between matrix products: attention within windows, and sums with their norms.

Each is registered with torch as an operator of its own. With TRITON_INTERPRET=1 they run on a CPU, slowly, for tests.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from groundcam_worker.detectors.devices import current
from groundcam_worker.detectors.grounding_dino.kernels import HAS_TRITON

if HAS_TRITON:
    import triton
    import triton.language as tl

TOKENS_PER_PROGRAM = 64
NUMBERS_PER_PROGRAM = 2048


class Windows(NamedTuple):
    """Windows of side x side tokens over a grid, which is shifted up and to the left by `shift`, around its ends."""

    height: int
    width: int
    side: int
    shift: int

    @property
    def padded(self) -> tuple[int, int]:
        """The (height, width) that the windows cover."""
        return -(-self.height // self.side) * self.side, -(-self.width // self.side) * self.side

    @property
    def is_padded(self) -> bool:
        """Whether that is more than the grid."""
        return self.padded != (self.height, self.width)


if HAS_TRITON:

    @triton.jit
    def _place(token, first_y, first_x, height, width, tall, wide, SIDE: tl.constexpr, shift):
        """Where a token of a window is in the picture, whether it is there, and in which region of the shifted grid."""
        y, x = first_y + token // SIDE, first_x + token % SIDE
        down, right = (y + shift) % tall, (x + shift) % wide
        is_real = (token < SIDE * SIDE) & (down < height) & (right < width)
        region = 3 * ((y >= tall - SIDE).to(tl.int32) + (y >= tall - shift).to(tl.int32))
        region += (x >= wide - SIDE).to(tl.int32) + (x >= wide - shift).to(tl.int32)
        return tl.minimum(down, height - 1) * width + tl.minimum(right, width - 1), is_real, region

    @triton.jit
    def _rows(start, row, channel, is_real, pad, is_channel):
        """Rows of q, k or v; a token that pads the grid has what a linear layer makes of zeros: its bias."""
        is_there = is_real[:, None] & is_channel[None, :]
        there = tl.load(start + row[:, None] + channel[None, :], mask=is_there, other=0.0)
        return there + ((1 - is_real.to(tl.int32)).to(there.dtype))[:, None] * pad[None, :]

    @triton.jit(do_not_specialize=["height", "width", "tall", "wide", "shift"])
    def _attend(
        qkv, qkv_bias, bias, out, scale, height, width, tall, wide, shift,
        HEADS: tl.constexpr, DEPTH: tl.constexpr, DEPTH_BLOCK: tl.constexpr, SIDE: tl.constexpr,
        BLOCK: tl.constexpr, IS_SHIFTED: tl.constexpr,
    ):  # fmt: skip
        window, head, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
        across = wide // SIDE
        count = across * (tall // SIDE)
        picture = (window // count).to(tl.int64)
        first_y, first_x = (window % count) // across * SIDE, (window % count) % across * SIDE
        CHANNELS: tl.constexpr = HEADS * DEPTH
        TOKENS: tl.constexpr = SIDE * SIDE
        channel = tl.arange(0, DEPTH_BLOCK)
        is_channel = channel < DEPTH
        values = qkv + picture * height * width * 3 * CHANNELS + head * DEPTH
        pads = qkv_bias + head * DEPTH + channel

        token = part * BLOCK + tl.arange(0, BLOCK)
        row, is_real, region = _place(token, first_y, first_x, height, width, tall, wide, SIDE, shift)
        pad = tl.load(pads, mask=is_channel, other=0.0)
        query = _rows(values, row * 3 * CHANNELS, channel, is_real, pad, is_channel)
        highest = tl.full([BLOCK], -1e30, tl.float32)
        shares = tl.zeros([BLOCK], tl.float32)
        summed = tl.zeros([BLOCK, DEPTH_BLOCK], tl.float32)
        key_pad = tl.load(pads + CHANNELS, mask=is_channel, other=0.0)
        value_pad = tl.load(pads + 2 * CHANNELS, mask=is_channel, other=0.0)
        for start in range(0, TOKENS, BLOCK):
            other = start + tl.arange(0, BLOCK)
            other_row, other_real, other_region = _place(
                other, first_y, first_x, height, width, tall, wide, SIDE, shift
            )
            key = _rows(values + CHANNELS, other_row * 3 * CHANNELS, channel, other_real, key_pad, is_channel)
            value = _rows(values + 2 * CHANNELS, other_row * 3 * CHANNELS, channel, other_real, value_pad, is_channel)
            is_pair = (token < TOKENS)[:, None] & (other < TOKENS)[None, :]
            near = tl.load(
                bias + head * TOKENS * TOKENS + token[:, None] * TOKENS + other[None, :], mask=is_pair, other=0.0
            )
            scores = tl.dot(query, tl.trans(key), input_precision="ieee") * scale + near.to(tl.float32)
            if IS_SHIFTED:
                scores += (region[:, None] != other_region[None, :]).to(tl.float32) * -100.0
            scores += (other >= TOKENS).to(tl.float32)[None, :] * -1e30
            higher = tl.maximum(highest, tl.max(scores, 1))
            weights = tl.exp(scores - higher[:, None])
            before = tl.exp(highest - higher)
            shares = shares * before + tl.sum(weights, 1)
            summed = summed * before[:, None] + tl.dot(weights.to(value.dtype), value, input_precision="ieee")
            highest = higher
        place = (picture * height * width + row) * CHANNELS + head * DEPTH
        tl.store(
            out + place[:, None] + channel[None, :],
            (summed / shares[:, None]).to(out.dtype.element_ty),
            mask=is_real[:, None] & is_channel[None, :],
        )

    @triton.jit(do_not_specialize=["rows"])
    def _add_and_norm(
        features, delta, weight, bias, summed, normed, rows, eps,
        WIDTH: tl.constexpr, WIDTH_BLOCK: tl.constexpr, ROWS: tl.constexpr,
        HAS_DELTA: tl.constexpr, KEEPS_SUM: tl.constexpr,
    ):  # fmt: skip
        row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
        column = tl.arange(0, WIDTH_BLOCK)
        is_column = column < WIDTH
        at = row[:, None] * WIDTH + column[None, :]
        is_there = (row < rows)[:, None] & is_column[None, :]
        value = tl.load(features + at, mask=is_there, other=0.0).to(tl.float32)
        if HAS_DELTA:
            value += tl.load(delta + at, mask=is_there, other=0.0).to(tl.float32)
            value = value.to(normed.dtype.element_ty).to(tl.float32)  # as it is when it lies in memory
        if KEEPS_SUM:
            tl.store(summed + at, value.to(summed.dtype.element_ty), mask=is_there)
        mean = tl.sum(value, 1) / WIDTH
        apart = (value - mean[:, None]) * is_column.to(tl.float32)[None, :]
        spread = tl.sum(apart * apart, 1) / WIDTH
        scale = tl.load(weight + column, mask=is_column, other=0.0).to(tl.float32)
        offset = tl.load(bias + column, mask=is_column, other=0.0).to(tl.float32)
        found = apart * (1.0 / tl.sqrt(spread + eps))[:, None] * scale[None, :] + offset[None, :]
        tl.store(normed + at, found.to(normed.dtype.element_ty), mask=is_there)


@torch.library.custom_op("groundcam::attend_in_windows", mutates_args=())
def attend_with_triton(
    qkv: Tensor, qkv_bias: Tensor, bias: Tensor, scale: float, height: int, width: int, side: int, shift: int
) -> Tensor:
    """Return [B, height * width, C] for queries, keys and values [B, height * width, 3 * C], rows of a grid.

    Attention within windows of side x side, on a grid that is shifted by `shift`; `bias` [heads, tokens, tokens] is
    added to the scores, `qkv_bias` [3 * C] is what stands for tokens that pad the grid.
    """
    qkv = qkv.contiguous()
    heads, channels = bias.shape[0], qkv.shape[-1] // 3
    tall, wide = Windows(height, width, side, shift).padded
    out = qkv.new_empty(qkv.shape[0], height * width, channels)
    depth = channels // heads
    block = min(TOKENS_PER_PROGRAM, max(16, triton.next_power_of_2(side * side)))
    grid = (qkv.shape[0] * (tall // side) * (wide // side), heads, triton.cdiv(side * side, block))
    _attend[grid](
        qkv, qkv_bias, bias, out, scale, height, width, tall, wide, shift,
        HEADS=heads, DEPTH=depth, DEPTH_BLOCK=max(16, triton.next_power_of_2(depth)), SIDE=side, BLOCK=block,
        IS_SHIFTED=shift > 0, enable_fp_fusion=True,
    )  # fmt: skip
    return out


@attend_with_triton.register_fake
def _(
    qkv: Tensor, _qkv_bias: Tensor, _bias: Tensor, _scale: float, height: int, width: int, _side: int, _shift: int
) -> Tensor:
    return qkv.new_empty(qkv.shape[0], height * width, qkv.shape[-1] // 3)


def _launch(
    features: Tensor, delta: Tensor | None, weight: Tensor, bias: Tensor, eps: float, *, keeps_sum: bool
) -> tuple[Tensor, Tensor]:
    features = features.contiguous()
    normed = torch.empty_like(features)
    summed = torch.empty_like(features) if keeps_sum else normed
    width = features.shape[-1]
    block = triton.next_power_of_2(width)
    count = features.numel() // width
    rows = max(1, NUMBERS_PER_PROGRAM // block)
    _add_and_norm[(triton.cdiv(count, rows),)](
        features, features if delta is None else delta.contiguous(), weight, bias, summed, normed, count, eps,
        WIDTH=width, WIDTH_BLOCK=block, ROWS=rows, HAS_DELTA=delta is not None, KEEPS_SUM=keeps_sum,
        enable_fp_fusion=True,
    )  # fmt: skip
    return summed, normed


@torch.library.custom_op("groundcam::add_and_norm", mutates_args=())
def add_and_norm_with_triton(
    features: Tensor, delta: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """Return the sum of features and delta [..., C], and its layer norm; statistics are fp32."""
    return _launch(features, delta, weight, bias, eps, keeps_sum=True)


@add_and_norm_with_triton.register_fake
def _(features: Tensor, _delta: Tensor, _weight: Tensor, _bias: Tensor, _eps: float) -> tuple[Tensor, Tensor]:
    return _packed_like(features), _packed_like(features)


@torch.library.custom_op("groundcam::norm_of_sum", mutates_args=())
def norm_of_sum_with_triton(features: Tensor, delta: Tensor | None, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Return the layer norm of features [..., C], or of their sum with delta."""
    return _launch(features, delta, weight, bias, eps, keeps_sum=False)[1]


@norm_of_sum_with_triton.register_fake
def _(features: Tensor, _delta: Tensor | None, _weight: Tensor, _bias: Tensor, _eps: float) -> Tensor:
    return _packed_like(features)


def _packed_like(features: Tensor) -> Tensor:
    """Return what a kernel gives, however its input lies."""
    return torch.empty_like(features, memory_format=torch.contiguous_format)


def fused_fault(device: torch.device, dtype: torch.dtype) -> str | None:
    """Run both kernels once on little of a type; return why they do not run there, in one line, or None."""
    draw = torch.Generator().manual_seed(1)
    features, delta = (torch.randn(2, 16, 96, generator=draw).to(device, dtype) for _ in range(2))
    ones, zeros = torch.ones(32, device=device, dtype=dtype), torch.zeros(96, device=device, dtype=dtype)
    near = 1e-3 if dtype == torch.float32 else 0.05
    try:
        with current(device):
            summed, normed = add_and_norm_with_triton(features[..., :32], delta[..., :32], ones, zeros[:32], 1e-5)
            attended = attend_with_triton(features, zeros, zeros[:32].view(2, 4, 4), 0.25, 4, 4, 2, 1)
        pairs = (
            (summed, features[..., :32] + delta[..., :32]),
            (normed, functional.layer_norm(summed.float(), (32,))),
            # On a CPU: a device's own attention may round to TF32, and is not what is looked at.
            (attended.cpu(), _in_small_windows(features.float().cpu())),
        )
        is_right = all(torch.allclose(one.float(), wanted.float(), atol=near) for one, wanted in pairs)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is another way
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None if is_right else "its answers are wrong"


def _in_small_windows(qkv: Tensor) -> Tensor:
    """Return what two heads see in windows of 2 x 2 over 4 x 4 tokens, shifted by 1: rows 0, 1 + 2 and 3 are apart."""
    stripe = (torch.arange(4) + 1) // 2
    window = (3 * stripe[:, None] + stripe).flatten()
    query, key, value = qkv.view(qkv.shape[0], 16, 3, 2, -1).permute(2, 0, 3, 1, 4)
    seen = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=window[:, None] == window, scale=0.25
    )  # fmt: skip
    return seen.transpose(1, 2).flatten(2)
