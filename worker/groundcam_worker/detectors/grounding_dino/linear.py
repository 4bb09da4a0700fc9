"""Linear layers that read the same input, as one product."""

from typing import Any

import torch
from torch import nn


def together(*parts: Any) -> nn.Linear:
    """Return one linear layer that gives what these give, one behind the other. Their biases may be missing."""
    joined = nn.Linear(parts[0].in_features, sum(one.out_features for one in parts))
    biases = [one.weight.new_zeros(one.out_features) if one.bias is None else one.bias for one in parts]
    joined.weight = nn.Parameter(torch.cat([one.weight for one in parts]).detach(), requires_grad=False)
    joined.bias = nn.Parameter(torch.cat(biases).detach(), requires_grad=False)
    return joined
