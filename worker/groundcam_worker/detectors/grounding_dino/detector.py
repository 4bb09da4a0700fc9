"""Grounding DINO, as a detector: pictures and questions in, objects out.

On CUDA a batch is launched without a wait, so that the host reads and packs the next one meanwhile.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Model, Question
from groundcam_worker.checkpoints.loading import Loaded
from groundcam_worker.detectors.devices import current, name_of, precision_of, require_full_fp32
from groundcam_worker.detectors.grounding_dino.compiled.compilations import Compilations
from groundcam_worker.detectors.grounding_dino.network import Network, Shape, Text
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.grounding_dino.pixels import Pixels, limits_of
from groundcam_worker.detectors.grounding_dino.recordings import (
    KEPT,
    Compiler,
    Function,
    Prepare,
    Recorder,
    Recordings,
    Size,
    batch_sizes,
    called_again,
    tokens_for,
)
from groundcam_worker.detectors.grounding_dino.scoring import objects, rows_of, scored_classes
from groundcam_worker.detectors.grounding_dino.second_look import SecondLook
from groundcam_worker.detectors.grounding_dino.text import Reader, Row, TextSide
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.errors import NO_NUMBERS, ModelError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Launched:
    """A batch on its way through the device."""

    images: Sequence[Image]
    questions: Sequence[Question]
    found: list[tuple[list[int], Tensor]]
    """Which pictures were asked, and what was found in them [n, Q, 6 + C], on the CPU once `done`."""
    done: Any


class GroundingDino:
    """Grounding DINO, MM Grounding DINO or LLMDet on one device. Asking it belongs to one thread."""

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
        self._device, self._dtype = device, dtype
        model = loaded.model.to(device).eval().requires_grad_(False)
        self._reader = Reader(loaded.processor.tokenizer, int(model.config.max_text_len))
        image_processor = loaded.processor.image_processor
        self._limits = limits_of(image_processor, input_size)
        self._pixels = Pixels(image_processor, device, dtype, fused=steps.is_scaled_on(device))
        self._text = TextSide(model, self._reader, device, dtype)
        ways = {"fused": steps.is_fused_on(device), "onednn": steps.is_onednn_on(device)}
        self._network = Network(model, steps.sampling_on(device), **ways).to_precision(dtype).eval()
        if dtype == torch.float32:
            require_full_fp32()
        records = device.type == "cuda" and steps.graphs
        compiles = device.type == "cuda" and steps.compile is True
        self._is_prepared = records or compiles
        """Whether runs have fixed sizes."""
        with current(device):
            prepare: Prepare = Recorder() if records else called_again
            self._recordings = Recordings(Compiler(prepare) if compiles else prepare, live=records)
        self._see, self._answer = self._network.see, self._find
        self._second_look = SecondLook(self._network, self.release)
        self._code: Compilations | None = None
        if mode := steps.compiled_on(device):
            self._code = Compilations(self._network, loaded, steps.sampling_on(device), mode)
        self._warmed: set[tuple[int, int]] = set()
        self._on_new_shape = on_new_shape
        self.model: Model = loaded.identity
        self.device, self.device_name, self.precision = device.type, name_of(device), precision_of(dtype)
        if input_size is not None:
            self.model = Model(name=self.model.name, revision="{}@{}x{}".format(self.model.revision, *input_size))

    def input_shape(self, width: int, height: int) -> tuple[int, int]:
        """Return the (height, width) that a picture of this size is scaled to. Raises ValueError."""
        return self._limits.shape_of(width, height)

    def check(self, question: Question) -> None:
        """Raise QuestionError for a question that the model cannot be asked. Any thread may call this."""
        self._reader.captions(question.phrases)

    def cost(self, question: Question) -> int:
        """Return how many captions a question needs. Raises QuestionError. Any thread may call this."""
        return len(self._reader.captions(question.phrases))

    @torch.inference_mode()
    def warm_up(self, questions: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        """Run every shape that these questions and picture sizes (width, height) lead to, in batches of up to
        `batch_size`, so that no frame waits for what happens only once. Raises QuestionError, ModelError.
        """
        with current(self._device):
            self._warm_up(questions, sizes, batch_size)

    def _warm_up(self, questions: Sequence[Question], sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        started = time.monotonic()
        every = [row for question in questions for row in self._text.rows(question)]
        by_length = {self._tokens([row]): row for row in every}
        for row in every:
            self._text.batch([row], self._tokens([row]))
        # Largest first: what is smaller shares its memory.
        shapes = sorted({self._limits.shape_of(*size) for size in sizes}, key=math.prod, reverse=True)
        if self._is_prepared:
            rows = [by_length[tokens] for tokens in sorted(by_length, reverse=True)]
            runs = [(shape, count) for shape in shapes for count in reversed(batch_sizes(batch_size))]
        else:
            # Nothing depends on a batch's size or a text's length, and a batch of large pictures takes a CPU a minute.
            rows = every[:1]
            runs = [(shape, 1) for shape in shapes]
        for number, (shape, count) in enumerate(runs, 1):
            log.info(
                "warming up (%d of %d): %d x %dx%d pixels, %s tokens", number, len(runs), count, shape[1], shape[0],
                " and ".join(str(self._tokens([row])) for row in rows) or "no",
            )  # fmt: skip
            self._warm(shape, rows, count)
        if len(self._recordings) >= KEPT:
            log.warning("%d prepared runs are all that are kept: fewer warm_sizes are better", KEPT)
        if rows:
            self._warmed |= set(shapes)
        log.info("the detector is ready after %.1f s of warming up", time.monotonic() - started)

    def _warm(self, shape: tuple[int, int], rows: Sequence[Row], count: int) -> None:
        """Raises ModelError where the network gives no numbers."""
        noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
        pixels = self._pixels([noise] * count, shape)
        if self._code:
            self._code.warm(pixels)
        vision = self._seen(pixels, prepare=self._is_prepared)
        for row in rows:
            text = self._text.batch([row] * count, self._tokens([row]))
            found = self._answered(vision, text, pixels, prepare=self._is_prepared)
            if found[..., 0].isnan().any():
                raise ModelError(NO_NUMBERS)

    def compiled_for(self, shape: tuple[int, int]) -> Path | None:
        """Return where the machine code lies that answers inputs of a shape (height, width), if any does."""
        return self._code.place(shape) if self._code and self._code.has(shape) else None

    def release(self) -> bool:
        """Give up the memory of what was recorded; return whether there was any."""
        return self._recordings.release()

    def detect(self, images: Sequence[Image], questions: Sequence[Question]) -> Sequence[tuple[Detection, ...]]:
        """Return the objects in each image, boxes in its pixels; all images have one input shape.

        Raises whatever torch raises.
        """
        return self.finish(self.begin(images, questions))

    def begin(self, images: Sequence[Image], questions: Sequence[Question]) -> Any:
        """Launch a batch on CUDA; a CPU is left for `finish`, since it computes while it is asked."""
        launch = partial(self._launch, images, questions)
        return launch() if self._device.type == "cuda" else launch

    def finish(self, begun: Any) -> Sequence[tuple[Detection, ...]]:
        """Return the objects in each image of a batch."""
        launched: _Launched = begun if isinstance(begun, _Launched) else begun()
        if launched.done is not None:
            launched.done.synchronize()
        found: list[list[Tensor]] = [[] for _ in launched.images]
        for members, best in launched.found:
            for member, rows in zip(members, best, strict=True):
                found[member].append(rows)
        return [
            self._objects(rows, question, image)
            for rows, question, image in zip(found, launched.questions, launched.images, strict=True)
        ]

    def _objects(self, rows: Sequence[Tensor], question: Question, image: Image) -> tuple[Detection, ...]:
        """Raises ArithmeticError where the network gives no numbers, in more than 16 bits neither."""
        try:
            return objects(rows, question, image.shape[1], image.shape[0])
        except ArithmeticError:
            if self._dtype == torch.float32:
                raise
        return self._objects_in_fp32(question, image)

    @torch.inference_mode()
    def _objects_in_fp32(self, question: Question, image: Image) -> tuple[Detection, ...]:
        with current(self._device):
            pixels = self._pixels([image], self._limits.shape_of(image.shape[1], image.shape[0]))
            texts = [self._text.batch([row], self._tokens([row])) for row in self._text.rows(question)]
            found = self._second_look(pixels, texts, scored_classes([question]))
        return objects(found, question, image.shape[1], image.shape[0])

    @torch.inference_mode()
    def _launch(self, images: Sequence[Image], questions: Sequence[Question]) -> _Launched:
        with current(self._device):
            height, width = shape = self._limits.shape_of(images[0].shape[1], images[0].shape[0])
            if shape not in self._warmed:
                self._warmed.add(shape)
                self._on_new_shape(width, height)
            pixels = self._pixels(images, shape)
            found = list(self._rounds(pixels, [self._text.rows(question) for question in questions], questions))
            return _Launched(images, questions, found, self._mark())

    def _mark(self) -> Any:
        """Return what tells when everything that was launched so far is done."""
        if self._device.type != "cuda":
            return None
        done: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
        return done

    def _rounds(
        self, pixels: Tensor, rows_by_question: Sequence[tuple[Row, ...]], questions: Sequence[Question]
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Ask each picture its first caption, then those that have one their second, and so on.

        Yield which pictures were asked, and what will be found in them [n, Q, 6 + C], on the CPU. Those whose questions
        ask for class scores are asked apart: nothing of theirs is prepared, and the others are as fast as ever.
        """
        vision = self._seen(pixels)
        most, scored = max(len(rows) for rows in rows_by_question), scored_classes(questions)
        if most > 1 or scored:
            vision = vision.clone()  # what is answered next may be prepared where this lies
        for index, has_scores in product(range(most), (False, True) if scored else (False,)):
            members = [
                number
                for number, (rows, question) in enumerate(zip(rows_by_question, questions, strict=True))
                if index < len(rows) and question.class_scores == has_scores
            ]
            if not members:
                continue
            rows = [rows_by_question[number][index] for number in members]
            chosen = vision if len(members) == len(rows_by_question) else torch.stack([vision[one] for one in members])
            text = self._text.batch(rows, self._tokens(rows))
            if has_scores:
                found = self._find(chosen, *text, shape=self._network.shape_of(pixels), scored=scored)
            else:
                found = self._answered(chosen, text, pixels)
            yield members, self._sent_back(found)

    def _sent_back(self, found: Tensor) -> Tensor:
        if self._device.type != "cuda":
            return found
        return torch.empty(found.shape, pin_memory=True).copy_(found, non_blocking=True)

    def _seen(self, pixels: Tensor, *, prepare: bool = False) -> Tensor:
        """Return what the network sees; with `prepare`, prepare that before."""
        if self._code and (parts := self._code.parts(pixels)):
            return parts.see(pixels)
        see: Function = partial(self._see, grids=self._network.grids_of(pixels))
        return self._run(Size("see", pixels.shape[-2], pixels.shape[-1]), see, (pixels,), prepare=prepare)

    def _answered(self, vision: Tensor, text: Text, pixels: Tensor, *, prepare: bool = False) -> Tensor:
        """Return what `_find` does; with `prepare`, prepare that before."""
        if self._code and (parts := self._code.taken(pixels)):
            return parts.answer(vision, *text)
        answer: Function = partial(self._answer, shape=self._network.shape_of(pixels))
        size = Size("answer", pixels.shape[-2], pixels.shape[-1], text.features.shape[1])
        return self._run(size, answer, (vision, *text), prepare=prepare)

    def _run(self, size: Size, part: Function, inputs: tuple[Tensor, ...], *, prepare: bool) -> Tensor:
        if prepare:
            self._recordings.add(size, part, inputs)
        return self._recordings.run(size, part, inputs)

    def _find(self, vision: Tensor, *text: Tensor, shape: Shape, scored: int = 0) -> Tensor:
        """Return what was found, as `rows_of` has it."""
        given = Text(*text)
        return rows_of(*self._network.answer(vision, given, shape), given.classes, given.thresholds, scored)

    def _tokens(self, rows: Sequence[Row]) -> int:
        needed = max(len(row.caption.ids) for row in rows)
        return tokens_for(needed) if self._is_prepared else needed
