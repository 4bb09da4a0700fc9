"""Pictures scaled and normalised in one Triton kernel: bytes in, the network's numbers out.

torch's own antialiased scaling on CUDA goes through floats of the whole picture, and takes a GPU longer than a tenth
of the network. Here each output pixel adds up the few bytes that it covers, rounded as Pillow and torch round on a
CPU: once along rows, and once more along columns. With TRITON_INTERPRET=1 it runs on a CPU, slowly, for tests.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from groundcam_worker.detectors.devices import current
from groundcam_worker.detectors.grounding_dino.kernels import HAS_TRITON

if HAS_TRITON:
    import triton
    import triton.language as tl

COLUMNS_PER_PROGRAM = 256


if HAS_TRITON:

    @triton.jit(do_not_specialize=["tall", "wide", "height", "width", "many_down", "many_across"])
    def _scale(
        bytes_, out, first_down, weights_down, first_across, weights_across, mean, deviation,
        tall, wide, height, width, many_down, many_across,
        COLUMNS: tl.constexpr,
    ):  # fmt: skip
        picture, y = tl.program_id(2).to(tl.int64), tl.program_id(1)
        x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
        is_there = x < width
        left = tl.load(first_across + x, mask=is_there, other=0)
        top = tl.load(first_down + y)
        for channel in tl.static_range(3):
            total = tl.zeros([COLUMNS], tl.float32)
            for down in range(many_down):
                row = tl.minimum(top + down, tall - 1)
                line = bytes_ + (picture * tall + row) * wide * 3 + channel
                along = tl.zeros([COLUMNS], tl.float32)
                for across in range(many_across):
                    column = tl.minimum(left + across, wide - 1)
                    share = tl.load(weights_across + x * many_across + across, mask=is_there, other=0.0)
                    along += share * tl.load(line + column * 3, mask=is_there, other=0).to(tl.float32)
                total += tl.load(weights_down + y * many_down + down) * tl.floor(along + 0.5)
            level = tl.minimum(tl.maximum(tl.floor(total + 0.5), 0.0), 255.0)
            value = (level - tl.load(mean + channel)) / tl.load(deviation + channel)
            place = ((picture * 3 + channel) * height + y) * width + x
            tl.store(out + place, value.to(out.dtype.element_ty), mask=is_there)


@lru_cache(256)
def taps(size: int, target: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of `size` pixels each of `target` begins with, [target], and what it takes of them, [target, n].

    Pillow's antialiased bilinear filter (precompute_coeffs in its Resample.c): a triangle as wide as an output pixel,
    and no narrower than an input pixel.
    """
    scale = size / target
    reach = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + reach + 0.5).astype(np.int64), size)
    places = first[:, None] + np.arange((last - first).max())
    weights = np.maximum(0.0, 1.0 - np.abs(places + 0.5 - centres[:, None]) / reach)
    weights = np.where(places < last[:, None], weights, 0.0)
    return first.astype(np.int32), (weights / weights.sum(1, keepdims=True)).astype(np.float32)


class Scaler:
    """Scales and normalises pictures of a CUDA device. Belongs to one thread."""

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        """Take the mean and the deviation of each channel, [3] in levels of 0 to 255, on the device."""
        self._mean, self._deviation = mean.flatten().float(), deviation.flatten().float()
        self._taps = lru_cache(256)(self._taps_there)

    def __call__(self, pictures: Tensor, out: Tensor) -> None:
        """Write pictures [n, h, w, 3] of bytes to out [n, 3, height, width]."""
        count, tall, wide, _ = pictures.shape
        height, width = out.shape[-2:]
        down, across = self._taps(tall, height), self._taps(wide, width)
        _scale[triton.cdiv(width, COLUMNS_PER_PROGRAM), height, count](
            pictures.contiguous(), out, *down, *across, self._mean, self._deviation,
            tall, wide, height, width, down[1].shape[1], across[1].shape[1],
            COLUMNS=COLUMNS_PER_PROGRAM, enable_fp_fusion=True,
        )  # fmt: skip

    def _taps_there(self, size: int, target: int) -> tuple[Tensor, Tensor]:
        first, weights = taps(size, target)
        device = self._mean.device
        return torch.from_numpy(first).to(device), torch.from_numpy(weights).to(device)


def scaling_fault(device: torch.device) -> str | None:
    """Scale a small picture; return why that does not give what torch gives, in one line, or None."""
    picture = np.random.default_rng(1).integers(0, 255, (1, 40, 60, 3), dtype=np.uint8)
    wanted = vision.resize(torch.from_numpy(picture).permute(0, 3, 1, 2), [32, 27], antialias=True)
    out = torch.empty(1, 3, 32, 27, device=device)
    try:
        with current(device):
            scaler = Scaler(torch.zeros(3, device=device), torch.ones(3, device=device))
            scaler(torch.from_numpy(picture).to(device), out)
        is_right = (out.cpu() - wanted.float()).abs().max() <= 1
    except Exception as error:  # noqa: BLE001 - whatever it is, there is another way
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None if is_right else "it gives other pictures"
