"""Products: linear layers that read the same input as one, and batches whose members each have a bias."""

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
