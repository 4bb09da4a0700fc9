"""What one picture costs, counted instead of timed: operators, waits for the device, bytes and floating-point work.

Counts do not depend on the machine, so that they say something of a GPU where there is none. Bytes are those that
each operator reads and writes, as if nothing stayed in a cache; what is spread over a side by a stride of 0 counts
once. Attention is one operator, as it is on CUDA, and what only gives memory another form is none.
"""

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import checkpoints
from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.checkpoints.loading import load
from groundcam_worker.detectors.grounding_dino.network import Network
from groundcam_worker.detectors.grounding_dino.reference import Reference
from groundcam_worker.detectors.grounding_dino.text import Reader, TextSide

SHAPE = (544, 960)
LABELS = ("person", "red forklift", "open door")


def _product(_bias: Any, rows: Any, columns: Any, *_given: Any, **_more: Any) -> int:
    return int(2 * rows[0] * rows[1] * columns[1])


PRODUCTS: Any = {torch.ops.aten._addmm_activation: _product}
"""What torch's own counter of FLOP does not know; kernels of ours for attention are not in it."""
FORMS = ("empty", "_unsafe_view", "_reshape_alias", "detach", "alias")
WAITS = ("aten.item.", "_local_scalar_dense", "nonzero", "masked_select", "lift_fresh")


@dataclass
class Counts:
    """Of one forward pass at batch 1; views are not counted."""

    way: str
    operators: int
    waits: int
    gigabytes: float
    gigaflop: float

    def __str__(self) -> str:
        return (
            f"{self.way}: {self.operators} operators, {self.waits} waits for the device, {self.gigabytes:.1f} GB,"
            f" {self.gigaflop:.0f} GFLOP"
        )


class _Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operators = self.waits = self.bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.waits += any(name in str(function) for name in WAITS)
        if is_work(function):
            self.operators += 1
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(map(bytes_of, tensors))
        return result


def is_work(function: Any) -> bool:
    """Whether an operator runs on the device: what only gives memory another form does not."""
    return not function.is_view and not any(name in str(function) for name in FORMS)


def bytes_of(tensor: torch.Tensor) -> int:
    """Return how many bytes are read or written; what is spread over a side by a stride of 0 counts once."""
    spread = zip(tensor.shape, tensor.stride(), strict=True)
    return tensor.element_size() * math.prod(size for size, stride in spread if stride)


@torch.library.custom_op("counting::attention", mutates_args=())
def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return functional_attention(query, key, value, attn_mask=mask)


@_attention.register_fake
def _(query: torch.Tensor, _key: torch.Tensor, value: torch.Tensor, _mask: torch.Tensor | None) -> torch.Tensor:
    return query.new_empty(*query.shape[:-1], value.shape[-1])


functional_attention = functional.scaled_dot_product_attention


@contextmanager
def whole_attention() -> Iterator[None]:
    """On the meta device, and on a CPU, attention with a mask falls apart into what it is made of."""

    def attention(query: Any, key: Any, value: Any, attn_mask: Any = None, **_more: Any) -> Any:
        return _attention(query, key, value, attn_mask)

    functional.scaled_dot_product_attention = attention
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = functional_attention


def _count(way: str, run: Callable[[], Any]) -> Counts:
    with torch.no_grad():
        run()  # what happens only once is not counted
        with whole_attention(), _Counting() as counting:
            run()
        flops = FlopCounterMode(display=False, custom_mapping=PRODUCTS)
        with flops:
            run()
    return Counts(way, counting.operators, counting.waits, counting.bytes / 1e9, flops.get_total_flops() / 1e9)


def counted() -> list[Counts]:
    """Return the counts of transformers' model and of ours, full Swin-T at 544x960."""
    with tempfile.TemporaryDirectory() as folder:
        source = resolve(str(checkpoints.save(Path(folder) / "swin-t", checkpoints.swin_t_config())))
        reference: Any = Reference(load(source), torch.device("cpu"))
        ours = load(source)
    for model in (reference._model, ours.model):
        model.requires_grad_(False)
    pixels = torch.randn(1, 3, *SHAPE)
    tokenizer = reference._processor.tokenizer
    ids = tokenizer(". ".join(LABELS) + ".", return_tensors="pt")
    mask = torch.ones(1, *SHAPE, dtype=torch.long)
    results = [
        _count(
            "transformers, fp32", lambda: reference._model(pixel_values=pixels, pixel_mask=mask, **ids)
        )
    ]  # fmt: skip
    reader = Reader(ours.processor.tokenizer, 256)
    side = TextSide(ours.model.eval(), reader, torch.device("cpu"), torch.float32)
    with torch.no_grad():
        (row,) = side.rows(Question.of(*LABELS))
        text = side.batch([row], 16)
    for dtype, name in ((torch.float32, "fp32"), (torch.float16, "fp16")):
        # On the meta device nothing is computed, and each of Triton's kernels is one operator.
        network = Network(ours.model, "triton", fused=True).to_precision(dtype).to("meta")
        network._shapes.clear()
        network.backbone.forget()
        moved = type(text)(*(part.to("meta", dtype if part.is_floating_point() else part.dtype) for part in text))
        given = pixels.to("meta", dtype)
        results.append(
            _count(f"ours, {name}", lambda net=network, one=given, two=moved: net(one, two, net.shape_of(one)))
        )
    return results
