"""A second look at pictures whose numbers 16 bits could not hold, in fp32."""

import copy
import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from groundcam_worker.detectors.grounding_dino.network import Network, Text
from groundcam_worker.detectors.grounding_dino.scoring import rows_of

log = logging.getLogger(__name__)


class SecondLook:
    """Keeps a copy of a network from the first such picture on."""

    def __init__(self, network: Network) -> None:
        """Take a network in 16 bits."""
        self._network = network
        self._careful: Network | None = None

    def __call__(self, pixels: Tensor, texts: Sequence[Text], scored: int) -> list[Tensor]:
        """Return what was found in a picture for each caption, on the CPU, as `rows_of` has it."""
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
