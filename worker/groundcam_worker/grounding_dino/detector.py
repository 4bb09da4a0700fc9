"""Grounding DINO, as a detector: pictures and questions in, objects out."""

import logging
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from groundcam_schemas import Ask, Model
from groundcam_worker.detector import Detection, Image
from groundcam_worker.devices import current, is_lost, is_out_of_memory
from groundcam_worker.grounding_dino.network import Network, Text
from groundcam_worker.grounding_dino.pixels import Pixels, limits_of
from groundcam_worker.grounding_dino.prepared import (
    Forward,
    PreparedRuns,
    Recorder,
    batch_sizes,
    called_again,
    tokens_for,
)
from groundcam_worker.grounding_dino.scoring import best_classes, objects
from groundcam_worker.grounding_dino.steps import Steps
from groundcam_worker.grounding_dino.text import Reader, Row, TextSide
from groundcam_worker.guarded import first_line
from groundcam_worker.loading import Loaded

log = logging.getLogger(__name__)


class GroundingDino:
    """Grounding DINO, MM Grounding DINO or LLMDet on one device. `detect` belongs to one thread."""

    def __init__(
        self,
        loaded: Loaded,
        device: torch.device,
        steps: Steps | None = None,
        *,
        input_size: tuple[int, int] | None = None,
        on_new_shape: Callable[[int, int], None] = lambda _width, _height: None,
    ) -> None:
        """Take over a loaded model.

        `input_size` (width, height) bounds inputs instead of the model's own size; `on_new_shape` is called with each
        input shape (width, height) that was not warmed up. Raises ModelError.
        """
        steps = steps or Steps()
        dtype = steps.dtype(device)
        self._device = device
        model = loaded.model.to(device).eval().requires_grad_(False)
        self._reader = Reader(loaded.processor.tokenizer, int(model.config.max_text_len))
        image_processor = loaded.processor.image_processor
        self._limits = limits_of(image_processor, input_size)
        self._pixels = Pixels(image_processor, device, dtype)
        self._text = TextSide(model, self._reader, device, dtype)
        self._network = Network(model, steps.sampling_on(device)).to_precision(dtype).eval()
        self._compiled: Any = torch.compile(self._network, dynamic=False) if steps.compile else None
        self._records = device.type == "cuda" and steps.graphs
        self._prepared = PreparedRuns(Recorder() if self._records else called_again)
        self._warmed: set[tuple[int, int]] = set()
        self._on_new_shape = on_new_shape
        self.model: Model = loaded.identity
        if input_size is not None:
            revision = f"{loaded.identity.revision}@{input_size[0]}x{input_size[1]}"
            self.model = Model(name=loaded.identity.name, revision=revision)

    def input_shape(self, width: int, height: int) -> Hashable:
        """Return the (height, width) that a picture of this size is scaled to. Raises ValueError."""
        return self._limits.shape_of(width, height)

    def check(self, ask: Ask) -> None:
        """Raise QuestionError for a question that the model cannot be asked. Any thread may call this."""
        self._reader.captions(ask.labels)

    @torch.inference_mode()
    def warm_up(self, asks: Sequence[Ask], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """Run every shape that these questions and picture sizes (width, height) lead to, in batches of up to
        `batch_size`, so that no frame waits for what happens only once. Raises QuestionError.
        """
        with current(self._device):
            self._warm_up(asks, sizes, batch_size)

    def _warm_up(self, asks: Sequence[Ask], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        started = time.monotonic()
        rows = [row for ask in asks for row in self._text.rows(ask)]
        lengths = {self._tokens([row]): row for row in rows}
        shapes = {self._limits.shape_of(*size): size for size in sizes}
        # On a CPU nothing depends on the batch's size, and a batch of large pictures takes a minute.
        batches = batch_sizes(batch_size) if self._is_prepared else (1,)
        runs = [(shape, row, batch) for shape in shapes for row in lengths.values() for batch in reversed(batches)]
        for number, (shape, row, batch) in enumerate(runs, 1):
            log.info(
                "warming up (%d of %d): %d x %dx%d pixels, %d tokens",
                number, len(runs), batch, shape[1], shape[0], self._tokens([row]),
            )  # fmt: skip
            self._warm(shape, row, batch)
        self._warmed |= set(shapes)
        for row in rows:
            self._text.batch([row], self._tokens([row]))
        log.info("the detector is ready after %.1f s of warming up", time.monotonic() - started)

    @property
    def _is_prepared(self) -> bool:
        """Whether runs have fixed sizes."""
        return self._records or self._compiled is not None

    def _warm(self, shape: tuple[int, int], row: Row, batch: int) -> None:
        blank = np.zeros((*shape, 3), np.uint8)
        pixels = self._pixels([blank] * batch, shape)
        text, _ = self._text.batch([row] * batch, self._tokens([row]))
        if self._is_prepared:
            self._prepare(self._network if self._compiled is None else self._compiled, pixels, text)
        else:
            self._network(pixels, text)

    def _prepare(self, forward: Forward, pixels: Tensor, text: Text) -> None:
        """Prepare a run; go on without recording where that fails. Raises what torch raises for a device."""
        try:
            self._prepared.add(forward, pixels, text)
        except RuntimeError as error:
            is_of_recording = self._records and ("captur" in str(error) or not is_lost(error))
            if is_out_of_memory(error) or not is_of_recording:
                raise
            log.warning("CUDA graphs are turned off, which costs speed: %s", first_line(error))
            self._records, self._prepared = False, PreparedRuns(called_again)

    @torch.inference_mode()
    def detect(self, images: Sequence[Image], asks: Sequence[Ask]) -> Sequence[tuple[Detection, ...]]:
        """Return the objects in each image, boxes in its pixels; all images have one input shape.

        Raises whatever torch raises.
        """
        with current(self._device):
            return self._detect(images, asks)

    def _detect(self, images: Sequence[Image], asks: Sequence[Ask]) -> Sequence[tuple[Detection, ...]]:
        height, width = shape = self._limits.shape_of(images[0].shape[1], images[0].shape[0])
        if shape not in self._warmed:
            self._warmed.add(shape)
            self._on_new_shape(width, height)
        pixels = self._pixels(images, shape)
        questions = [self._text.rows(ask) for ask in asks]
        found: list[list[Tensor]] = [[] for _ in images]
        for members, best in self._rounds(pixels, questions):
            for member, rows in zip(members, best, strict=True):
                found[member].append(rows)
        return [
            objects(rows, ask, image.shape[1], image.shape[0])
            for rows, ask, image in zip(found, asks, images, strict=True)
        ]

    def _rounds(self, pixels: Tensor, questions: Sequence[tuple[Row, ...]]) -> Iterator[tuple[list[int], Tensor]]:
        """Ask each picture its first caption, then those that have one their second, and so on.

        Yield which pictures were asked, and what was found in them [n, Q, 6], on the CPU.
        """
        most = max(len(rows) for rows in questions)
        seen = self._network.see(pixels) if most > 1 else None
        for index in range(most):
            members = [number for number, rows in enumerate(questions) if index < len(rows)]
            rows = [questions[number][index] for number in members]
            text, places = self._text.batch(rows, self._tokens(rows))
            if seen is None:
                answer = self._run(pixels, text)
            else:
                vision, shape = seen
                chosen = vision if len(members) == len(questions) else vision[members]
                answer = self._network.answer(chosen, shape, text)
            yield members, best_classes(*answer, places).cpu()

    def _run(self, pixels: Tensor, text: Text) -> tuple[Tensor, Tensor]:
        answer = self._prepared.answer(pixels, text)
        if answer is None and self._records:
            # Recording takes a second or so, compiling minutes: a shape that comes up while others wait is recorded.
            self._prepare(self._network, pixels, text)
            answer = self._prepared.answer(pixels, text)
        return self._network(pixels, text) if answer is None else answer

    def _tokens(self, rows: Sequence[Row]) -> int:
        needed = max(len(row.caption.ids) for row in rows)
        return tokens_for(needed) if self._is_prepared else needed
