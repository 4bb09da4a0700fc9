"""The attention modules of Grounding DINO, rebuilt for answering from the weights of transformers' own.

Each gives what the module that it replaces gives, to rounding; the tests compare them.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from groundcam_worker.detectors.grounding_dino.deformable import DeformableAttention, Levels
from groundcam_worker.detectors.grounding_dino.feed import Feed
from groundcam_worker.detectors.grounding_dino.linear import each_with_bias, together
from groundcam_worker.detectors.grounding_dino.norms import Norm

TEXT_AT_VISION = (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH)
"""For 64 queries and 10,845 keys of 256 numbers in fp16 an H200 took 0.06, 0.27 ms with these; torch takes the second
by itself. For 1,024 queries it took 0.32 and 0.27."""


def in_order(device: torch.device, ways: Sequence[SDPBackend]) -> AbstractContextManager[object]:
    """Let attention on CUDA go the first of these ways that can be gone."""
    return sdpa_kernel(list(ways), set_priority=True) if device.type == "cuda" else nullcontext()


def by_head(features: Tensor, heads: int, dim: int = -1) -> Tensor:
    """Split a dimension into (heads, its part of each)."""
    dim %= features.dim()
    return features.reshape(*features.shape[:dim], heads, -1, *features.shape[dim + 1 :])


class Attention(nn.Module):
    """Multi-head attention as one fused call. For GroundingDinoMultiheadAttention.

    Two of its three inputs are the same: queries and keys where tokens look at each other, keys and values elsewhere.
    """

    def __init__(self, theirs: Any, *, looks_at_itself: bool) -> None:
        super().__init__()
        self.heads, self.looks_at_itself = theirs.num_attention_heads, looks_at_itself
        query, key, value = theirs.query, theirs.key, theirs.value
        self.both = together(query, key) if looks_at_itself else together(key, value)
        self.single = value if looks_at_itself else query
        self.out_proj = theirs.out_proj

    def forward(self, queries: Tensor, values: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Attend; `allowed` [B, 1, 1 or Q, K] is true where a query may look. Keys are as the class says."""
        if self.looks_at_itself:
            (query, key), value = self.both(queries).chunk(2, -1), self.single(values)
        else:
            query, (key, value) = self.single(queries), self.both(values).chunk(2, -1)
        query, key, value = (by_head(one, self.heads).transpose(1, 2) for one in (query, key, value))
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        mixed: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return mixed


class Fusion(nn.Module):
    """Vision looks at text, and text at vision. For GroundingDinoFusionLayer.

    A caption has few tokens, vision many: so the projections, which transformers applies to every vision feature (to
    4 x 256 channels and back), are multiplied into the few text features first. The products are the same, associated
    another way, and the work on vision shrinks from 1024 columns to 4 for each token. What text sees in vision is then
    attention whose keys and values are the features themselves; its scores are written to memory nowhere. There is no
    maximum over the whole batch either, which makes transformers' rounding depend on what else is in it.
    """

    def __init__(self, theirs: Any, *, fused: bool) -> None:
        super().__init__()
        self.norm_vision, self.norm_text = (
            Norm(theirs.layer_norm_vision, fused=fused), Norm(theirs.layer_norm_text, fused=fused)
        )  # fmt: skip
        self.vision_scale, self.text_scale = theirs.vision_param, theirs.text_param
        attention = theirs.attn
        self.heads, self.scale = attention.num_heads, attention.scale
        self.query, self.key = attention.vision_proj, attention.text_proj
        self.vision_value, self.text_value = attention.values_vision_proj, attention.values_text_proj
        self.vision_out, self.text_out = attention.out_vision_proj, attention.out_text_proj

    def forward(self, vision: Tensor, text: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Return vision [B, N, D] and text [B, T, D], each with what it saw in the other; `real` [B, T]."""
        vision, text = self.norm_vision(vision), self.norm_text(text)
        batch, tokens, _ = text.shape
        keys = by_head(self.key(text), self.heads) * self.scale  # [B, T, heads, d]
        folded = torch.einsum("bthd,hdc->bhtc", keys, by_head(self.query.weight, self.heads, 0)).flatten(1, 2)
        bias = (keys * by_head(self.query.bias, self.heads)).sum(-1).masked_fill(~real[..., None], float("-inf"))
        scores = each_with_bias(vision, folded.transpose(1, 2), bias.transpose(1, 2).flatten(1))
        # [B, N, heads * T]; it computes in fp32 and rounds once.
        over_text = by_head(scores, self.heads).softmax(-1).flatten(2)
        values = by_head(self.text_value(text), self.heads)
        weight = by_head(self.vision_out.weight * self.vision_scale[:, None], self.heads)
        # The shares of a head add up to one, so that each head's part of the bias comes in with what is seen.
        share = self.vision_out.bias * self.vision_scale / self.heads
        seen = (torch.einsum("bthd,chd->bhtc", values, weight) + share).flatten(1, 2)
        looked = torch.baddbmm(vision, over_text, seen)

        # The query's bias adds the same to a token's every score, which its softmax takes off again.
        with in_order(vision.device, TEXT_AT_VISION):
            context = functional.scaled_dot_product_attention(
                folded[:, None], vision[:, None], vision[:, None], scale=1.0
            )
        value = self.vision_value
        seen = torch.einsum(
            "bhtc,hdc->bthd", context.view(batch, self.heads, tokens, -1), by_head(value.weight, self.heads, 0)
        ).flatten(2)
        return looked, text + self.text_scale * self.text_out(seen + value.bias)


class TextEnhancer(nn.Module):
    """Text looks at the text of its own phrase. For GroundingDinoTextEnhancerLayer."""

    def __init__(self, theirs: Any, *, fused: bool) -> None:
        super().__init__()
        self.attention = Attention(theirs.self_attn, looks_at_itself=True)
        self.norm_before, self.norm_after = (
            Norm(theirs.layer_norm_before, fused=fused), Norm(theirs.layer_norm_after, fused=fused)
        )  # fmt: skip
        self.feed = Feed(theirs.fc1, theirs.activation, theirs.fc2)

    def forward(self, text: Tensor, positions: Tensor, allowed: Tensor) -> Tensor:
        """Return [B, T, D]; `allowed` [B, 1, T, T]."""
        text = self.norm_before(text, self.attention(text + positions, text, allowed))
        enhanced: Tensor = self.norm_after(text, self.feed(text))
        return enhanced


class EncoderLayer(nn.Module):
    """For GroundingDinoEncoderLayer."""

    def __init__(self, theirs: Any, sampling: str, *, fused: bool) -> None:
        super().__init__()
        self.fusion = Fusion(theirs.fusion_layer, fused=fused)
        self.enhancer = TextEnhancer(theirs.text_enhancer_layer, fused=fused)
        vision = theirs.deformable_layer
        self.attention = DeformableAttention(vision.self_attn, sampling)
        self.norm, self.final_norm = (
            Norm(vision.self_attn_layer_norm, fused=fused), Norm(vision.final_layer_norm, fused=fused)
        )  # fmt: skip
        self.feed = Feed(vision.fc1, vision.activation_fn, vision.fc2)

    def forward(
        self, vision: Tensor, text: Tensor, real: Tensor, allowed: Tensor, text_positions: Tensor,
        vision_positions: Tensor, points: Tensor, levels: Levels,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Return vision [B, N, D] and text [B, T, D]."""
        vision, text = self.fusion(vision, text, real)
        text = self.enhancer(text, text_positions, allowed)
        vision = self.norm(vision, self.attention(vision + vision_positions, vision, points, levels))
        return self.final_norm(vision, self.feed(vision)), text


class DecoderLayer(nn.Module):
    """For GroundingDinoDecoderLayer."""

    def __init__(self, theirs: Any, sampling: str, *, fused: bool) -> None:
        super().__init__()
        self.own = Attention(theirs.self_attn, looks_at_itself=True)
        self.text = Attention(theirs.encoder_attn_text, looks_at_itself=False)
        self.vision = DeformableAttention(theirs.encoder_attn, sampling)
        self.feed = Feed(theirs.fc1, theirs.activation_fn, theirs.fc2)
        self.own_norm, self.text_norm, self.vision_norm, self.final_norm = (
            Norm(one, fused=fused)
            for one in (
                theirs.self_attn_layer_norm, theirs.encoder_attn_text_layer_norm, theirs.encoder_attn_layer_norm,
                theirs.final_layer_norm,
            )
        )  # fmt: skip

    def forward(
        self, state: Tensor, positions: Tensor, vision: Tensor, text: Tensor, real: Tensor, boxes: Tensor,
        levels: Levels,
    ) -> Tensor:  # fmt: skip
        """Return the state [B, Q, D] of the queries; `boxes` [B, Q, 4] in fp32."""
        state = self.own_norm(state, self.own(state + positions, state))
        state = self.text_norm(state, self.text(state + positions, text, real[:, None, None]))
        state = self.vision_norm(state, self.vision(state + positions, vision, boxes, levels))
        final: Tensor = self.final_norm(state, self.feed(state))
        return final
