"""The attention modules of Grounding DINO, rebuilt for answering from the weights of transformers' own.

Each gives what the module that it replaces gives, to rounding; the tests compare them.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from groundcam_worker.detectors.grounding_dino.deformable import DeformableAttention, Levels


def by_head(features: Tensor, heads: int, dim: int = -1) -> Tensor:
    """Split a dimension into (heads, its part of each)."""
    dim %= features.dim()
    return features.reshape(*features.shape[:dim], heads, -1, *features.shape[dim + 1 :])


class Attention(nn.Module):
    """Multi-head attention as one fused call. For GroundingDinoMultiheadAttention."""

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.heads = theirs.num_attention_heads
        self.query, self.key, self.value, self.out_proj = theirs.query, theirs.key, theirs.value, theirs.out_proj

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Attend; `allowed` [B, 1, 1 or Q, K] is true where a query may look."""
        query, key, value = (
            by_head(project(tensor), self.heads).transpose(1, 2)
            for project, tensor in ((self.query, queries), (self.key, keys), (self.value, values))
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        mixed: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return mixed


class Fusion(nn.Module):
    """Vision looks at text, and text at vision. For GroundingDinoFusionLayer.

    Both directions share one matrix of scores, vision x (heads * text). A caption has few tokens, vision many:
    so the projections, which transformers applies to every vision feature (to 4 x 256 channels and back), are
    multiplied into the few text features first. The products are the same, associated another way, and the work
    on vision shrinks from 1024 columns to 4 for each token. There is no maximum over the whole batch either, which
    makes transformers' rounding depend on what else is in it.
    """

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.norm_vision, self.norm_text = theirs.layer_norm_vision, theirs.layer_norm_text
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
        bias = (keys * by_head(self.query.bias, self.heads)).sum(-1).transpose(1, 2).flatten(1)
        # Vision along the last side: a softmax over a side in between runs on one block of a GPU for each picture.
        # Both compute in fp32 and round once, as softmax(dtype=float32) and a conversion would, in half of the bytes.
        scores = torch.baddbmm(bias[:, :, None], folded, vision.transpose(1, 2))  # [B, heads * T, N]

        over_text = by_head(scores, self.heads, 1).masked_fill(~real[:, None, :, None], float("-inf"))
        over_text = over_text.softmax(2).flatten(1, 2).transpose(1, 2)
        values = by_head(self.text_value(text), self.heads)
        weight = by_head(self.vision_out.weight * self.vision_scale[:, None], self.heads)
        seen = torch.einsum("bthd,chd->bhtc", values, weight).flatten(1, 2)
        delta = torch.baddbmm((self.vision_out.bias * self.vision_scale)[None, None], over_text, seen)

        context = torch.bmm(scores.softmax(-1), vision).view(batch, self.heads, tokens, -1)
        value = self.vision_value
        seen = torch.einsum("bhtc,hdc->bthd", context, by_head(value.weight, self.heads, 0)).flatten(2)
        return vision + delta, text + self.text_scale * self.text_out(seen + value.bias)


class TextEnhancer(nn.Module):
    """Text looks at the text of its own phrase. For GroundingDinoTextEnhancerLayer."""

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.attention = Attention(theirs.self_attn)
        self.norm_before, self.norm_after = theirs.layer_norm_before, theirs.layer_norm_after
        self.feed = Feed(theirs.fc1, theirs.activation, theirs.fc2)

    def forward(self, text: Tensor, positions: Tensor, allowed: Tensor) -> Tensor:
        """Return [B, T, D]; `allowed` [B, 1, T, T]."""
        queries = text + positions
        text = self.norm_before(text + self.attention(queries, queries, text, allowed))
        enhanced: Tensor = self.norm_after(text + self.feed(text))
        return enhanced


class Feed(nn.Module):
    """Two linear layers."""

    def __init__(self, first: Any, activation: Any, second: Any) -> None:
        super().__init__()
        self.first, self.activation, self.second = first, activation, second

    def forward(self, features: Tensor) -> Tensor:
        """Return what has the shape of its input."""
        fed: Tensor = self.second(self.activation(self.first(features)))
        return fed


class EncoderLayer(nn.Module):
    """For GroundingDinoEncoderLayer."""

    def __init__(self, theirs: Any, sampling: str) -> None:
        super().__init__()
        self.fusion = Fusion(theirs.fusion_layer)
        self.enhancer = TextEnhancer(theirs.text_enhancer_layer)
        vision = theirs.deformable_layer
        self.attention = DeformableAttention(vision.self_attn, sampling)
        self.norm, self.final_norm = vision.self_attn_layer_norm, vision.final_layer_norm
        self.feed = Feed(vision.fc1, vision.activation_fn, vision.fc2)

    def forward(
        self, vision: Tensor, text: Tensor, real: Tensor, allowed: Tensor, text_positions: Tensor,
        vision_positions: Tensor, points: Tensor, levels: Levels,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Return vision [B, N, D] and text [B, T, D]."""
        vision, text = self.fusion(vision, text, real)
        text = self.enhancer(text, text_positions, allowed)
        vision = self.norm(vision + self.attention(vision + vision_positions, vision, points, levels))
        return self.final_norm(vision + self.feed(vision)), text


class DecoderLayer(nn.Module):
    """For GroundingDinoDecoderLayer."""

    def __init__(self, theirs: Any, sampling: str) -> None:
        super().__init__()
        self.own, self.own_norm = Attention(theirs.self_attn), theirs.self_attn_layer_norm
        self.text, self.text_norm = Attention(theirs.encoder_attn_text), theirs.encoder_attn_text_layer_norm
        self.vision = DeformableAttention(theirs.encoder_attn, sampling)
        self.vision_norm = theirs.encoder_attn_layer_norm
        self.feed, self.final_norm = Feed(theirs.fc1, theirs.activation_fn, theirs.fc2), theirs.final_layer_norm

    def forward(
        self, state: Tensor, positions: Tensor, vision: Tensor, text: Tensor, real: Tensor, boxes: Tensor,
        levels: Levels,
    ) -> Tensor:  # fmt: skip
        """Return the state [B, Q, D] of the queries; `boxes` [B, Q, 4] in fp32."""
        queries = state + positions
        state = self.own_norm(state + self.own(queries, queries, state))
        state = self.text_norm(state + self.text(state + positions, text, text, real[:, None, None]))
        state = self.vision_norm(state + self.vision(state + positions, vision, boxes, levels))
        final: Tensor = self.final_norm(state + self.feed(state))
        return final
