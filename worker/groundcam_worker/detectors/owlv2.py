"""OWLv2's network: each patch of a picture gives a box, and the box is compared with each class's words.

It knows the parts of transformers' model; tokens, thresholds and pixels are the detector's business.
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from groundcam_worker.checkpoints.loading import Loaded
from groundcam_worker.errors import ModelError


class Owlv2:
    """The halves of transformers' Owlv2ForObjectDetection, so that the words need not be read for every picture."""

    def __init__(self, loaded: Loaded) -> None:
        """Raises ModelError for an image processor that does not pad to a square of the network's own size."""
        self._model = loaded.model
        side = int(self._model.config.vision_config.image_size)
        processor = loaded.processor.image_processor
        scaled = processor.size.get("height"), processor.size.get("width")
        if not processor.do_pad or scaled != (side, side):
            raise ModelError(f"its image processor does not pad pictures to squares of {side} pixels a side")

    def sentences(self, labels: Sequence[str]) -> list[str]:
        """Return what the text encoder reads for a question: the phrases as they are."""
        return list(labels)

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the classes' embeddings [C, D] for tokens [C, T]."""
        embeddings: Tensor = self._model.owlv2.get_text_features(input_ids=ids, attention_mask=mask).pooler_output
        return embeddings

    def answer(self, pixels: Tensor, questions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits [B, Q, C] and boxes [B, Q, 4] (centre and size in fractions of the square).

        C is that of the longest question; what follows the end of a shorter one is padding.
        """
        grid, _ = self._model.image_embedder(pixels)
        patches = grid.flatten(1, 2)
        logits, _ = self._model.class_predictor(patches, pad_sequence(list(questions), batch_first=True))
        return logits, self._model.box_predictor(patches, grid)

    def extent(self, width: int, height: int) -> tuple[int, int]:
        """Return what a box of size 1 measures in a picture's pixels: the square has the picture in its top left."""
        return max(width, height), max(width, height)
