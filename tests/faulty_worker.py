"""`groundcam` whose real network raises what torch raises for its device: run with FAULT=lost:N or FAULT=memory:N.

`lost:N` raises the error that stays from the Nth batch on; `memory:N` has room for N pictures; `white:0` raises for a
batch with a white picture in it, `lost-white:0` the error that stays.
"""

import os
import sys
from typing import Any

import torch

from groundcam.__main__ import main
from groundcam_worker.detectors.grounding_dino.network import Network

KIND, _, NUMBER = os.environ["FAULT"].partition(":")
see, batches = Network.see, 0


def failing(self: Network, pixels: torch.Tensor, *rest: Any, **more: Any) -> Any:
    global batches  # noqa: PLW0603
    batches += 1
    if KIND == "lost" and batches >= int(NUMBER):
        print("FAULT", file=sys.stderr, flush=True)
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if KIND == "memory" and len(pixels) > int(NUMBER):
        print("FAULT", file=sys.stderr, flush=True)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
    if KIND == "lost-white" and any(float(picture.float().min()) > 1.5 for picture in pixels):
        print("FAULT", file=sys.stderr, flush=True)
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if KIND == "white" and any(float(picture.float().min()) > 1.5 for picture in pixels):
        print("FAULT", file=sys.stderr, flush=True)
        raise RuntimeError("the size of tensor a (7) must match the size of tensor b (9)")
    return see(self, pixels, *rest, **more)


Network.see = failing  # type: ignore[method-assign] # in the sandbox's process, too

if __name__ == "__main__":
    main()
