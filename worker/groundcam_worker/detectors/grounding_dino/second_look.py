"""A second look at pictures whose numbers 16 bits could not hold, in fp32."""

import copy
import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from groundcam_worker.detectors.devices import free_cache, is_out_of_memory
from groundcam_worker.detectors.grounding_dino.network import Network, Text
from groundcam_worker.detectors.grounding_dino.scoring import rows_of

log = logging.getLogger(__name__)


class SecondLook:
    """Keeps a copy of a network from the first such picture on."""

    def __init__(self, network: Network, release: Callable[[], bool] = lambda: False) -> None:
        """Take a network in 16 bits; `release` gives other memory back where there is too little for its copy."""
        self._network, self._release = network, release
        self._careful: Network | None = None

    def __call__(self, pixels: Tensor, texts: Sequence[Text], scored: int) -> list[Tensor]:
        """Return what was found in a picture for each caption, on the CPU, as `rows_of` has it."""
        try:
            return self._found(pixels, texts, scored)
        except RuntimeError as error:
            if not (is_out_of_memory(error) and self._release()):
                raise
        # Outside of the handler, whose traceback would keep the tensors of the failed look alive.
        self._careful = None
        free_cache(pixels.device)
        return self._found(pixels, texts, scored)

    def _found(self, pixels: Tensor, texts: Sequence[Text], scored: int) -> list[Tensor]:
        if self._careful is None:
            log.warning(
                "a picture gave numbers that 16 bits cannot hold; such pictures are asked once more in fp32, slowly:"
                " set work.precision to bf16 or fp32 if there are many"
            )
            self._careful = copy.deepcopy(self._network).to_precision(torch.float32)
        network, pixels, found = self._careful, pixels.float(), []
        for text in texts:
            given = Text(*(part.float() if part.is_floating_point() else part for part in text))
            logits, boxes = network(pixels, given, network.shape_of(pixels))
            found.append(rows_of(logits, boxes, given.classes, given.thresholds, scored)[0].cpu())
        return found
