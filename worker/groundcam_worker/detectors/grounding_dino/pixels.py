"""From pictures to the network's input, on the device: as transformers' image processor does it.

Bytes travel, not floats: a quarter of the size. On CUDA they go through pinned memory on a stream of their own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from groundcam_runtime.pictures.image import Image
from groundcam_worker.detectors.grounding_dino.shapes import Limits
from groundcam_worker.errors import ModelError

_RESAMPLINGS = {
    0: vision.InterpolationMode.NEAREST,
    2: vision.InterpolationMode.BILINEAR,
    3: vision.InterpolationMode.BICUBIC,
}
"""By Pillow's numbers, which image processors carry."""


_new_stream: Any = torch.cuda.Stream  # untyped in torch


class Pixels:
    """Scales and normalises."""

    def __init__(self, processor: Any, device: torch.device, dtype: torch.dtype) -> None:
        """Take the settings of an image processor. Raises ModelError for one that does something else."""
        if not (processor.do_resize and processor.do_rescale and processor.do_normalize):
            raise ModelError("the model's image processor does not resize, rescale and normalise")
        self._device, self._dtype = device, dtype
        resampling = _RESAMPLINGS.get(int(processor.resample))
        if resampling is None:
            raise ModelError(f"the model's image processor scales by method {processor.resample}, which is not known")
        self._resampling = resampling
        factor = processor.rescale_factor
        self._mean, self._deviation = (
            torch.tensor(values, device=device).div(factor).view(1, 3, 1, 1)
            for values in (processor.image_mean, processor.image_std)
        )
        self._stream = _new_stream(device) if device.type == "cuda" else None

    def __call__(self, images: Sequence[Image], shape: tuple[int, int]) -> Tensor:
        """Return [B, 3, height, width] for RGB pictures of any sizes."""
        if self._stream is None:
            return torch.cat([self._scaled(torch.from_numpy(group), shape) for group in _of_one_size(images)])
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            sent = [
                torch.from_numpy(group).pin_memory().to(self._device, non_blocking=True)
                for group in _of_one_size(images)
            ]
        current.wait_stream(self._stream)
        for group in sent:
            group.record_stream(current)
        return torch.cat([self._scaled(group, shape) for group in sent])

    def _scaled(self, group: Tensor, shape: tuple[int, int]) -> Tensor:
        """Return the floats of [B, h, w, 3] bytes."""
        bytes_ = vision.resize(group.permute(0, 3, 1, 2), list(shape), self._resampling, antialias=True)
        normalised: Tensor = (bytes_.float() - self._mean) / self._deviation
        return normalised.to(self._dtype).contiguous()


def _of_one_size(images: Sequence[Image]) -> list[Any]:
    """Return neighbours of one size as arrays [B, h, w, 3]."""
    groups: list[list[Image]] = []
    for image in images:
        if groups and groups[-1][0].shape == image.shape:
            groups[-1].append(image)
        else:
            groups.append([image])
    return [np.stack(group) for group in groups]


def limits_of(processor: Any, largest: tuple[int, int] | None) -> Limits:
    """Return how large inputs are: as the processor says, or within `largest` (width, height). Raises ModelError."""
    if largest is not None:
        return Limits(min(largest), max(largest))
    size = processor.size
    get = size.get if hasattr(size, "get") else lambda name: getattr(size, name, None)
    shorter, longer, height, width = (get(name) for name in ("shortest_edge", "longest_edge", "height", "width"))
    if height and width:
        return Limits(height, width, fixed=(height, width))
    if not shorter:
        raise ModelError(f"the model's image processor has no size that is known here: {size}")
    return Limits(shorter, longer or 2 * shorter)
