"""What a GPU does by itself, and each kernel on it: a row of JSON as soon as it is known."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import torch
import transformers
from gpu_bench import Bench, Row
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from groundcam_worker.detectors.grounding_dino.deformable import SAMPLINGS, Levels


def environment(bench: Bench) -> Iterator[Row]:
    """Versions, and what the card does with copies and products: the constants of the model in roofline.py."""
    yield {"torch": torch.__version__, "transformers": transformers.__version__, "python": sys.version.split()[0],
           "cpus": os.cpu_count()}  # fmt: skip
    if bench.is_dry:
        return
    import triton

    free, total = torch.cuda.mem_get_info()
    yield {"device": torch.cuda.get_device_name(), "capability": torch.cuda.get_device_capability(),
           "memory_gb": total / 1e9, "free_gb": free / 1e9, "cuda": torch.version.cuda, "triton": triton.__version__,
           "architectures": torch.cuda.get_arch_list(), "cudnn": torch.backends.cudnn.version()}  # fmt: skip
    one = torch.empty(2**31, dtype=torch.uint8, device=bench.device)
    other = torch.empty_like(one)
    yield {"copy_tb_s": 2 * one.numel() / bench.ms(lambda: other.copy_(one)) / 1e9}
    for m, k, n in ((86760, 256, 2048), (86760, 2048, 256), (86760, 256, 256), (261120, 96, 384)):
        a = torch.randn(m, k, device=bench.device, dtype=torch.float16)
        b = torch.randn(n, k, device=bench.device, dtype=torch.float16)
        taken = bench.ms(lambda a=a, b=b: functional.linear(a, b))
        yield {"product": f"{m}x{k}x{n}", "ms": taken, "tflop_s": 2 * m * k * n / taken / 1e9}


def kernels(bench: Bench) -> Iterator[Row]:
    """Deformable attention's kernel against grid_sample, in answers and in time; and which is used."""
    dtype = torch.float32 if bench.is_dry else torch.float16
    sizes = ((12, 20), (6, 10)) if bench.is_dry else ((68, 120), (34, 60), (17, 30), (9, 15))
    levels = Levels(sizes, bench.device)
    batch, points = (2, 4) if bench.is_dry else (8, 4)
    draw = torch.Generator().manual_seed(1)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw).to(bench.device, dtype)

    values = random(batch, levels.total, 8, 32)
    offsets = random(batch, levels.total, 8, len(sizes), points, 2) * 3
    weights = random(batch, levels.total, 8, len(sizes) * points)
    reference = torch.rand(1, levels.total, 2, generator=draw).to(bench.device)
    plain = SAMPLINGS["grid_sample"](values, offsets, weights, reference, levels).float()
    for name in ("grid_sample", "embedding_bag") if bench.is_dry else ("grid_sample", "triton"):
        given = (values, offsets, weights, reference, levels)
        found = SAMPLINGS[name](*given).float()
        yield {"sampling": name, "difference": (found - plain).abs().max().item(),
               "ms": bench.ms(lambda name=name, given=given: SAMPLINGS[name](*given))}  # fmt: skip
    if not bench.is_dry:
        yield from _attentions(bench, batch, levels.total)
    inner: Any = bench.opened(bench.inputs[0])._detector
    network = inner._network
    yield {"used": network.encoder[0].attention.sample.__name__, "is_fused": network.encoder[0].norm.fused}


def _attentions(bench: Bench, batch: int, places: int) -> Iterator[Row]:
    """What text sees in vision, by each of torch's ways: few queries, many keys."""
    vision = torch.randn(batch, 1, places, 256, device=bench.device, dtype=torch.float16)
    for queries in (64, 1024):
        text = torch.randn(batch, 1, queries, 256, device=bench.device, dtype=torch.float16) / 16
        for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, None):
            ways = contextlib.nullcontext() if backend is None else sdpa_kernel([backend])
            try:
                with ways:
                    taken = bench.ms(
                        lambda text=text: functional.scaled_dot_product_attention(text, vision, vision, scale=1.0)
                    )
            except RuntimeError as error:
                yield {"attention": str(backend), "queries": queries, "error": str(error)[:80]}
                continue
            yield {"attention": str(backend), "queries": queries, "ms": taken}
