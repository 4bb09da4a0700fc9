"""Grounding DINO, as a detector: pictures and questions in, objects out."""

import logging
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Model, Question
from groundcam_worker.checkpoints.loading import Loaded
from groundcam_worker.detectors.devices import current, is_lost, is_out_of_memory
from groundcam_worker.detectors.grounding_dino.graph_cache import (
    KEPT,
    GraphCache,
    Recorder,
    Size,
    batch_sizes,
    called_again,
    size_of,
    tokens_for,
)
from groundcam_worker.detectors.grounding_dino.network import Network, Text
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.grounding_dino.pixels import Pixels, limits_of
from groundcam_worker.detectors.grounding_dino.scoring import NO_NUMBERS, best_classes, objects
from groundcam_worker.detectors.grounding_dino.text import Reader, Row, TextSide
from groundcam_worker.detectors.protocol import Detection, Synchronous
from groundcam_worker.errors import ModelError, first_line

log = logging.getLogger(__name__)

MOST = 256
"""Pictures in a batch."""


class GroundingDino(Synchronous):
    """Grounding DINO, MM Grounding DINO or LLMDet on one device. `detect` belongs to one thread."""

    def __init__(
        self,
        loaded: Loaded,
        device: torch.device,
        steps: Optimisations | None = None,
        *,
        input_size: tuple[int, int] | None = None,
        on_new_shape: Callable[[int, int], None] = lambda _width, _height: None,
    ) -> None:
        """Take over a loaded model.

        `input_size` (width, height) bounds inputs instead of the model's own size; `on_new_shape` is called with each
        input shape (width, height) that was not warmed up. Raises ModelError.
        """
        steps = steps or Optimisations()
        dtype = steps.dtype(device)
        self._device = device
        model = loaded.model.to(device).eval().requires_grad_(False)
        self._reader = Reader(loaded.processor.tokenizer, int(model.config.max_text_len))
        image_processor = loaded.processor.image_processor
        self._limits = limits_of(image_processor, input_size)
        self._pixels = Pixels(image_processor, device, dtype)
        self._text = TextSide(model, self._reader, device, dtype)
        self._network = Network(model, steps.sampling_on(device)).to_precision(dtype).eval()
        self._compiled: Any = _compiled(self._network) if steps.compile else None
        self._records = device.type == "cuda" and steps.graphs
        self._prepared = GraphCache(Recorder() if self._records else called_again)
        self._warmed: set[tuple[int, int]] = set()
        self._once: set[Size] = set()
        self._plain: set[Size] = set()
        self._on_new_shape = on_new_shape
        self.model: Model = loaded.identity
        if input_size is not None:
            revision = f"{loaded.identity.revision}@{input_size[0]}x{input_size[1]}"
            self.model = Model(name=loaded.identity.name, revision=revision)

    def input_shape(self, width: int, height: int) -> Hashable:
        """Return the (height, width) that a picture of this size is scaled to. Raises ValueError."""
        return self._limits.shape_of(width, height)

    def check(self, question: Question) -> None:
        """Raise QuestionError for a question that the model cannot be asked. Any thread may call this."""
        self._reader.captions(question.labels)

    def cost(self, question: Question) -> int:
        """Return how many captions a question needs. Raises QuestionError. Any thread may call this."""
        return len(self._reader.captions(question.labels))

    @torch.inference_mode()
    def warm_up(self, questions: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """Run every shape that these questions and picture sizes (width, height) lead to, in batches of up to
        `batch_size`, so that no frame waits for what happens only once. Raises QuestionError.
        """
        with current(self._device):
            self._warm_up(questions, sizes, batch_size)

    def _warm_up(self, questions: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        started = time.monotonic()
        rows_by_question = [self._text.rows(question) for question in questions]
        every = [row for rows in rows_by_question for row in rows]
        for row in every:
            self._text.batch([row], self._tokens([row]))
        # What several captions are asked is not prepared: their pictures are seen once.
        lengths = {self._tokens(rows): rows[0] for rows in rows_by_question if len(rows) == 1}
        shapes = sorted({self._limits.shape_of(*size) for size in sizes})
        if self._is_prepared:
            # Largest first: the others share its memory.
            counts = tuple(reversed(batch_sizes(batch_size)))
            runs = [(shape, row, count) for shape in shapes for row in lengths.values() for count in counts]
        else:
            # Nothing depends on a batch's size or a text's length, and a batch of large pictures takes a CPU a minute.
            runs = [(shape, row, 1) for shape in shapes for row in every[:1]]
        for number, (shape, row, count) in enumerate(runs, 1):
            log.info(
                "warming up (%d of %d): %d x %dx%d pixels, %d tokens",
                number, len(runs), count, shape[1], shape[0], self._tokens([row]),
            )  # fmt: skip
            self._warm(shape, row, count)
        if len(runs) > KEPT:
            log.warning("%d runs were to be prepared, and %d are kept: fewer warm_sizes are better", len(runs), KEPT)
        self._warmed |= {shape for shape, _, _ in runs}
        log.info("the detector is ready after %.1f s of warming up", time.monotonic() - started)

    @property
    def _is_prepared(self) -> bool:
        """Whether runs have fixed sizes."""
        return self._records or self._compiled is not None

    def _warm(self, shape: tuple[int, int], row: Row, count: int) -> None:
        """Raises ModelError where the network gives no numbers."""
        noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
        pixels = self._pixels([noise] * count, shape)
        text, places = self._text.batch([row] * count, self._tokens([row]))
        if self._is_prepared:
            self._prepare(self._network if self._compiled is None else self._compiled, pixels, text)
        if best_classes(*self._run(pixels, text), places)[..., 0].isnan().any():
            raise ModelError(NO_NUMBERS)

    def _prepare(self, forward: Any, pixels: Tensor, text: Text) -> None:
        """Prepare a run; go on without where that fails. Raises what torch raises for a device."""
        try:
            self._prepared.add(forward, pixels, text, self._network.shape_of(pixels))
        except RuntimeError as error:
            if is_out_of_memory(error) or (is_lost(error) and "captur" not in str(error)):
                raise
            log.warning("pictures of %dx%d are answered without preparation, which costs speed: %s",
                        pixels.shape[-1], pixels.shape[-2], first_line(error))  # fmt: skip
            self._plain.add(size_of(pixels, text))

    @torch.inference_mode()
    def detect(self, images: Sequence[Image], questions: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        """Return the objects in each image, boxes in its pixels; all images have one input shape.

        Raises whatever torch raises.
        """
        with current(self._device):
            return self._detect(images, questions)

    def _detect(self, images: Sequence[Image], questions: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        height, width = shape = self._limits.shape_of(images[0].shape[1], images[0].shape[0])
        if shape not in self._warmed:
            self._warmed.add(shape)
            self._on_new_shape(width, height)
        pixels = self._pixels(images, shape)
        rows_by_question = [self._text.rows(question) for question in questions]
        found: list[list[Tensor]] = [[] for _ in images]
        for members, best in self._rounds(pixels, rows_by_question):
            for member, rows in zip(members, best, strict=True):
                found[member].append(rows)
        return [
            objects(rows, question, image.shape[1], image.shape[0])
            for rows, question, image in zip(found, questions, images, strict=True)
        ]

    def _rounds(
        self, pixels: Tensor, rows_by_question: Sequence[tuple[Row, ...]]
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Ask each picture its first caption, then those that have one their second, and so on.

        Yield which pictures were asked, and what was found in them [n, Q, 6], on the CPU.
        """
        most = max(len(rows) for rows in rows_by_question)
        vision = self._network.see(pixels) if most > 1 else None
        for index in range(most):
            members = [number for number, rows in enumerate(rows_by_question) if index < len(rows)]
            rows = [rows_by_question[number][index] for number in members]
            text, places = self._text.batch(rows, self._tokens(rows))
            if vision is None:
                answer = self._run(pixels, text)
            else:
                chosen = vision if len(members) == len(rows_by_question) else vision[members]
                answer = self._network.answer(chosen, text, self._network.shape_of(pixels))
            yield members, best_classes(*answer, places).cpu()

    def _run(self, pixels: Tensor, text: Text) -> tuple[Tensor, Tensor]:
        answer = self._prepared.answer(pixels, text)
        size = size_of(pixels, text)
        if answer is None and self._records and size not in self._plain:
            # Recording takes a second or so, and compiling minutes: what comes up while others wait is recorded, at
            # its second sight, in the next size of a batch.
            if size in self._once:
                room = next((count for count in batch_sizes(MOST) if count >= len(pixels)), len(pixels))
                again = [number % len(pixels) for number in range(room)]
                self._prepare(self._network, pixels[again], Text(*(part[again] for part in text)))
                answer = self._prepared.answer(pixels, text)
            self._once.add(size)
        return self._network(pixels, text, self._network.shape_of(pixels)) if answer is None else answer

    def _tokens(self, rows: Sequence[Row]) -> int:
        needed = max(len(row.caption.ids) for row in rows)
        return tokens_for(needed) if self._is_prepared else needed


def _compiled(network: Network) -> Any:
    """Return the network compiled anew for each of its shapes."""
    for limit in ("recompile_limit", "cache_size_limit"):  # torch has called it both
        if hasattr(torch._dynamo.config, limit):  # noqa: SLF001 - where torch keeps its settings
            setattr(torch._dynamo.config, limit, KEPT)  # noqa: SLF001
    return torch.compile(network, dynamic=False)
