"""Products: linear layers that read the same input as one, by oneDNN, and batches whose members each have a bias."""

import platform
from typing import Any

import torch
from torch import Tensor, nn


def together(*parts: Any) -> nn.Linear:
    """Return one linear layer that gives what these give, one behind the other. Their biases may be missing."""
    joined = nn.Linear(parts[0].in_features, sum(one.out_features for one in parts))
    biases = [one.weight.new_zeros(one.out_features) if one.bias is None else one.bias for one in parts]
    joined.weight = nn.Parameter(torch.cat([one.weight for one in parts]).detach(), requires_grad=False)
    joined.bias = nn.Parameter(torch.cat(biases).detach(), requires_grad=False)
    return joined


HAS_ONEDNN: bool = (
    torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and platform.machine() in {"x86_64", "AMD64"}
)


LEAST_PRODUCTS = 2**24
"""Multiplications for each picture from which on oneDNN was the faster of the two; a call of it costs 15 us more."""


class OneDnnLinear(nn.Linear):
    """A linear layer that has oneDNN compute what is large, in fp32 on a CPU; everything else is computed as it is.

    torch goes to MKL there, which took 1.1 to 1.6 times as long for the large products of full Swin-T on an AMD EPYC,
    and takes a pass of its own for ReLU or GELU.
    """

    def __init__(self, theirs: nn.Linear) -> None:
        """Take over the weights of a linear layer."""
        super().__init__(theirs.in_features, theirs.out_features, bias=theirs.bias is not None, device="meta")
        self.weight, self.bias = theirs.weight, theirs.bias

    def is_for(self, features: Tensor) -> bool:
        """Whether oneDNN computes with these [B, N, in].

        Where N is no number, since it is left open while the network is compiled, that is a caption's few tokens.
        """
        rows = features.shape[1]
        is_large = isinstance(rows, int) and rows * self.in_features * self.out_features >= LEAST_PRODUCTS
        return is_large and features.device.type == "cpu" and features.dtype == torch.float32

    def forward(self, features: Tensor) -> Tensor:
        """Return [..., out] for [..., in]."""
        return self.then(features, "none") if self.is_for(features) else super().forward(features)

    def then(self, features: Tensor, activation: str) -> Tensor:
        """Return the product in fp32 on a CPU, with `relu` or `gelu` of it, or `none`."""
        how = "none" if activation == "gelu" else ""  # no approximation
        product: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001 - what torch's own compiler calls
            features, self.weight, self.bias, activation, [], how
        )
        return product


def with_onednn(module: nn.Module) -> None:
    """Let oneDNN compute every linear layer in a module."""
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            setattr(module, name, OneDnnLinear(child))
        else:
            with_onednn(child)


WIDE = 256
"""Columns from which on the products of one picture occupy a GPU by themselves."""


def each_with_bias(rows: Tensor, columns: Tensor, bias: Tensor) -> Tensor:
    """Return rows @ columns + bias, [B, N, M], for rows [B, N, C], columns [B, C, M] and a bias [B, M] each.

    A product of a whole batch cannot add a bias by itself: torch first writes it to every row of the result, which
    the product then reads. Wide ones go picture by picture on a GPU, whose products of one picture can.
    """
    if rows.device.type == "cpu" or bias.shape[-1] < WIDE:
        return torch.baddbmm(bias[:, None], rows, columns)
    return by_picture(rows, columns, bias)


def by_picture(rows: Tensor, columns: Tensor, bias: Tensor) -> Tensor:
    """Return the same, picture by picture."""
    result = rows.new_empty(*rows.shape[:-1], columns.shape[-1])
    for index in range(len(rows)):
        torch.addmm(bias[index], rows[index], columns[index], out=result[index])
    return result
