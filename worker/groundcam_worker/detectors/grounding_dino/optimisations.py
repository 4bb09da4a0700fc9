"""What makes the detector fast, each a switch that can be turned off. The answers stay the same, to rounding."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch

from groundcam_worker.detectors.grounding_dino.fused_kernels import fused_fault
from groundcam_worker.detectors.grounding_dino.kernels import HAS_TRITON, IS_INTERPRETED, kernel_fault
from groundcam_worker.detectors.grounding_dino.linear import HAS_ONEDNN
from groundcam_worker.detectors.grounding_dino.pixel_kernels import scaling_fault

log = logging.getLogger(__name__)

Precision = Literal["auto", "fp32", "fp16", "bf16"]
Fused = Literal["auto", "plain", "triton"]
Products = Literal["auto", "plain", "onednn"]
Compile = bool | Literal["auto", "background"]
Sampling = Literal["auto", "grid_sample", "embedding_bag", "triton"]

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Optimisations:
    """How to run the network."""

    precision: Precision = "auto"
    """Of weights and features; coordinates of boxes are always fp32. auto: fp16 on CUDA, fp32 elsewhere."""
    sampling: Sampling = "auto"
    """How deformable attention reads features. auto: on CUDA triton, or grid_sample where Triton cannot
    start its kernel, for lack of a C compiler, say; embedding_bag elsewhere."""
    fused: Fused = "auto"
    """What is between matrix products: attention within the backbone's windows, sums with their norms, and pictures
    being scaled. auto: on CUDA Triton kernels, where they can run; plain operators elsewhere."""
    products: Products = "auto"
    """Linear layers on a CPU. auto: onednn for fp32 on x86, with what follows a product as its last step; else torch's
    own, MKL."""
    graphs: bool = True
    """On CUDA, record the launches of each warmed shape once and replay them."""
    compile: Compile = False
    """On a CPU machine code of the whole network, a file for each input shape: auto takes what is in the cache,
    background makes what is missing while the network answers as it is, true makes it at the start. On CUDA true is
    torch.compile for warmed shapes, at each start."""

    def dtype(self, device: torch.device) -> torch.dtype:
        """Return what `precision` means on a device."""
        if self.precision == "auto":
            return torch.float16 if device.type == "cuda" else torch.float32
        return DTYPES[self.precision]

    def sampling_on(self, device: torch.device) -> str:
        """Return what `sampling` means on a device. Raises ValueError for a kernel that cannot run there."""
        if self.sampling == "triton" and not (HAS_TRITON and (device.type == "cuda" or IS_INTERPRETED)):
            raise ValueError("work.sampling is triton, which needs a CUDA device and the package triton")
        if self.sampling != "auto":
            return self.sampling
        if device.type != "cuda":
            return "embedding_bag"
        if (fault := kernel_fault(device)) is None:
            return "triton"
        log.warning("deformable attention runs without its Triton kernel: %s", fault)
        return "grid_sample"

    def compiled_on(self, device: torch.device) -> Compile:
        """Return what `compile` means on a CPU; False elsewhere."""
        if device.type != "cpu" or not self.compile:
            return False
        if self.dtype(device) == torch.float32:
            return self.compile
        if self.compile != "auto":
            log.warning(
                "nothing is compiled: on a CPU that is for fp32 alone, and work.precision is %s", self.precision
            )
        return False

    def is_fused_on(self, device: torch.device) -> bool:
        """Return what `fused` means on a device. Raises ValueError for kernels that cannot run there."""
        fault = partial(fused_fault, dtype=self.dtype(device))
        return self._runs(device, fault, "the network runs without its Triton kernels for windows and norms")

    def is_onednn_on(self, device: torch.device) -> bool:
        """Return what `products` means on a device. Raises ValueError where there is no oneDNN."""
        if self.products == "onednn" and not (HAS_ONEDNN and device.type == "cpu"):
            raise ValueError("products is onednn, which needs an x86 CPU and a torch that has it")
        return self.products != "plain" and HAS_ONEDNN and self.dtype(device) == torch.float32 and device.type == "cpu"

    def is_scaled_on(self, device: torch.device) -> bool:
        """Return whether a kernel scales pictures, which goes with `fused`. Raises ValueError as `is_fused_on`."""
        return self._runs(device, scaling_fault, "pictures are scaled without a Triton kernel")

    def _runs(self, device: torch.device, fault_on: Callable[[torch.device], str | None], else_: str) -> bool:
        if self.fused == "triton" and not (HAS_TRITON and (device.type == "cuda" or IS_INTERPRETED)):
            raise ValueError("fused is triton, which needs a CUDA device and the package triton")
        if self.fused != "auto" or device.type != "cuda":
            return self.fused == "triton"
        if (fault := fault_on(device)) is None:
            return True
        log.warning("%s: %s", else_, fault)
        return False
