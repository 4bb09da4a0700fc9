"""Two linear layers with what lies between them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from groundcam_worker.detectors.grounding_dino.linear import OneDnnLinear

ROWS = 1024
"""Of each picture that go through both at a time on a CPU. What lies between is eight times as wide as the rows of the
encoder, and 89 MB for all of them at 544x960; so it stays in the processor's cache. 512 to 2048 took the same."""


class Feed(nn.Module):
    """Two linear layers. For the feed-forward networks of all layers, and for SwinMLP."""

    def __init__(self, first: Any, activation: Any, second: Any) -> None:
        super().__init__()
        self.first, self.activation, self.second = first, activation, second
        self.is_relu = isinstance(activation, nn.ReLU)
        self._then = "relu" if self.is_relu else "gelu" if _is_exact_gelu(activation) else ""
        """What a product may end in; empty where it may not."""

    def forward(self, features: Tensor) -> Tensor:
        """Return what has the shape of its input, [B, N, C]."""
        if isinstance(self.first, OneDnnLinear) and self.first.is_for(features) and self._then:
            return in_parts(self._in_one, features)
        if self.is_relu:
            # In the product's own last step, and not in a pass of its own.
            rows = features.flatten(0, -2)
            inner = torch._addmm_activation(self.first.bias, rows, self.first.weight.t())  # noqa: SLF001
            fed: Tensor = self.second(inner).view_as(features)
            return fed
        return self.second(self.activation(self.first(features)))  # type: ignore[no-any-return]

    def _in_one(self, features: Tensor) -> Tensor:
        fed: Tensor = self.second(self.first.then(features, self._then))
        return fed


def in_parts(function: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    """Return what a function makes of the rows of [B, N, C], some at a time: none of them needs another."""
    if features.shape[1] <= ROWS:
        return function(features)
    return torch.cat([function(part) for part in torch.split(features, ROWS, 1)], 1)


def _is_exact_gelu(activation: Any) -> bool:
    """Whether it is GELU itself, and not one of its approximations."""
    if isinstance(activation, nn.GELU):
        return activation.approximate == "none"
    return getattr(activation, "act", None) is nn.functional.gelu  # transformers' own
