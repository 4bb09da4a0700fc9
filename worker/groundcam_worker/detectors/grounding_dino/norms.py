"""A sum and its norm in one pass, on CUDA; elsewhere torch's own two."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from groundcam_worker.detectors.grounding_dino.fused_kernels import add_and_norm_with_triton, norm_of_sum_with_triton


class Norm(nn.Module):
    """For LayerNorm over the last side."""

    def __init__(self, theirs: Any, *, fused: bool) -> None:
        super().__init__()
        self.weight, self.bias, self.eps, self.fused = theirs.weight, theirs.bias, theirs.eps, fused

    def forward(self, features: Tensor, delta: Tensor | None = None) -> Tensor:
        """Return the norm of features [..., C], or of the sum."""
        if self.fused:
            normed: Tensor = norm_of_sum_with_triton(features, delta, self.weight, self.bias, self.eps)
            return normed
        return self._plain(features if delta is None else features + delta)

    def of_sum(self, features: Tensor, delta: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the sum, and its norm."""
        if delta is None:
            return features, self(features)
        if self.fused:
            summed, normed = add_and_norm_with_triton(features, delta, self.weight, self.bias, self.eps)
            return summed, normed
        summed = features + delta
        return summed, self._plain(summed)

    def _plain(self, features: Tensor) -> Tensor:
        return functional.layer_norm(features, self.weight.shape, self.weight, self.bias, self.eps)
