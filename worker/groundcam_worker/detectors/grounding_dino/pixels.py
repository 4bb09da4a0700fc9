"""From pictures to the network's input, on the device: as transformers' image processor does it.

Bytes travel, not floats: a quarter of the size. On CUDA they are copied once, into pinned memory that is kept, and go
on a stream of their own while the batch before is computed.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from groundcam_runtime.pictures.image import Image
from groundcam_worker.detectors.grounding_dino.pixel_kernels import Scaler
from groundcam_worker.detectors.grounding_dino.shapes import Limits
from groundcam_worker.errors import ModelError

_RESAMPLINGS = {
    0: vision.InterpolationMode.NEAREST,
    2: vision.InterpolationMode.BILINEAR,
    3: vision.InterpolationMode.BICUBIC,
}
"""By Pillow's numbers, which image processors carry."""
_TRIANGLES = (vision.InterpolationMode.BILINEAR,)
SLOTS = 2
"""Batches whose bytes are on their way or wait to be read: the one that runs, and the next."""


class Upload:
    """Copies pictures to a CUDA device without waiting for it. Belongs to one thread."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._slots = [_Slot() for _ in range(SLOTS)]
        self._next = 0

    @contextmanager
    def __call__(self, groups: Sequence[Sequence[Image]]) -> Iterator[list[Tensor]]:
        """Give the groups as tensors [n, h, w, 3] of the device, for work that is launched in the context."""
        slot, self._next = self._slots[self._next], (self._next + 1) % SLOTS
        shapes = [(len(group), *group[0].shape) for group in groups]
        sizes = [math.prod(shape) for shape in shapes]
        slot.take(sum(sizes), self._device)
        parts = zip(torch.split(slot.pinned[: sum(sizes)], sizes), groups, shapes, strict=True)
        for part, group, shape in parts:
            for place, image in zip(part.view(shape).numpy(), group, strict=True):
                np.copyto(place, image)
        computing = torch.cuda.current_stream(self._device)
        self._stream.wait_event(slot.read)
        with torch.cuda.stream(self._stream):
            slot.there[: sum(sizes)].copy_(slot.pinned[: sum(sizes)], non_blocking=True)
        slot.sent.record(self._stream)
        computing.wait_event(slot.sent)
        there = torch.split(slot.there[: sum(sizes)], sizes)
        yield [part.view(shape) for part, shape in zip(there, shapes, strict=True)]
        slot.read.record(computing)


class _Slot:
    """A place for the bytes of one batch, here and there."""

    def __init__(self) -> None:
        self.pinned = self.there = torch.empty(0, dtype=torch.uint8)
        self.sent: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self.read: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def take(self, size: int, device: torch.device) -> None:
        """Wait until the slot is free, which it is unless the device is batches behind, and make room in it."""
        self.sent.synchronize()
        if len(self.pinned) < size:
            self.read.synchronize()
            # The device's first: where that is full, the slot stays as it was.
            self.there = torch.empty(size, dtype=torch.uint8, device=device)
            # It may lie where the batch before still computes: what is launched by now comes before the copy.
            self.read.record(torch.cuda.current_stream(device))
            self.pinned = torch.empty(size, dtype=torch.uint8, pin_memory=True)


class Pixels:
    """Scales and normalises."""

    def __init__(self, processor: Any, device: torch.device, dtype: torch.dtype, *, fused: bool = False) -> None:
        """Take the settings of an image processor; `fused` scales with Triton's kernel where that knows the filter.

        Raises ModelError for a processor that does something else.
        """
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
        self._upload = Upload(device) if device.type == "cuda" else None
        self._scaler = Scaler(self._mean, self._deviation) if fused and resampling in _TRIANGLES else None

    def __call__(self, images: Sequence[Image], shape: tuple[int, int]) -> Tensor:
        """Return [B, 3, height, width] for RGB pictures of any sizes."""
        groups = _of_one_size(images)
        if self._upload is None:
            return self._all_scaled([torch.from_numpy(np.stack(group)) for group in groups], shape)
        with self._upload(groups) as sent:
            return self._all_scaled(sent, shape)

    def _all_scaled(self, groups: Sequence[Tensor], shape: tuple[int, int]) -> Tensor:
        if self._scaler is None:
            return torch.cat([self._scaled(group, shape) for group in groups])
        counts = [len(group) for group in groups]
        out = torch.empty(sum(counts), 3, *shape, dtype=self._dtype, device=self._device)
        for group, part in zip(groups, torch.split(out, counts), strict=True):
            self._scaler(group, part)
        return out

    def _scaled(self, group: Tensor, shape: tuple[int, int]) -> Tensor:
        """Return the floats of [B, h, w, 3] bytes."""
        bytes_ = vision.resize(group.permute(0, 3, 1, 2), list(shape), self._resampling, antialias=True)
        normalised: Tensor = (bytes_.float() - self._mean) / self._deviation
        return normalised.to(self._dtype).contiguous()


def _of_one_size(images: Sequence[Image]) -> list[list[Image]]:
    """Return neighbours of one size together."""
    groups: list[list[Image]] = []
    for image in images:
        if groups and groups[-1][0].shape == image.shape:
            groups[-1].append(image)
        else:
            groups.append([image])
    return groups


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
