"""`groundcam` whose real network raises what torch raises for its device: run with FAULT=lost:N or FAULT=memory:N.

`lost:N` raises the error that stays from the Nth batch on; `memory:N` has room for N pictures.
"""

import os
import sys
from typing import Any

import torch

from groundcam.__main__ import main
from groundcam_worker.grounding_dino.network import Network

KIND, _, NUMBER = os.environ["FAULT"].partition(":")
answer, batches = Network.forward, 0


def forward(self: Network, pixels: torch.Tensor, *rest: Any) -> Any:
    global batches  # noqa: PLW0603
    batches += 1
    if KIND == "lost" and batches >= int(NUMBER):
        print("FAULT", file=sys.stderr, flush=True)
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if KIND == "memory" and len(pixels) > int(NUMBER):
        print("FAULT", file=sys.stderr, flush=True)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
    return answer(self, pixels, *rest)


if __name__ == "__main__":
    Network.forward = forward  # type: ignore[method-assign]
    main()
