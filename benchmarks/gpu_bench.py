"""What the parts of the check of a GPU share: the model, the pictures and the questions."""

import gc
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

import checkpoints
from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import ModelSource, resolve
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector
from parity import picture

Row = dict[str, Any]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORT = Question.of("person", "red forklift", "open door", nms_iou=1.0)
LONG = Question.of(*[f"{one}{other}" for one in LETTERS for other in LETTERS][:84], nms_iou=1.0)
"""254 tokens, as many as the model reads: NVIDIA pads to 256."""


@dataclass(frozen=True)
class Bench:
    """What is measured, and where."""

    is_dry: bool
    folder: Path

    @cached_property
    def device(self) -> torch.device:
        return torch.device("cpu" if self.is_dry else "cuda")

    @cached_property
    def source(self) -> ModelSource:
        """A small model for a dry run, else Swin-T of random weights, or what SWIN_T names."""
        if given := os.environ.get("SWIN_T"):
            return resolve(given)
        at = self.folder / ("small" if self.is_dry else "swin-t")
        if not (at / "config.json").exists():
            config = checkpoints.small_config() if self.is_dry else checkpoints.swin_t_config()
            checkpoints.save(at, config, shortest=800, longest=1333)
        return resolve(str(at))

    @property
    def inputs(self) -> tuple[tuple[int, int], ...]:
        return ((160, 96),) if self.is_dry else ((960, 544), (1333, 750))

    @property
    def camera(self) -> tuple[int, int]:
        return (320, 180) if self.is_dry else (1920, 1080)

    def opened(self, size: tuple[int, int], steps: Optimisations | None = None) -> GuardedDetector:
        return open_detector(self.source, self.device.type, steps, input_size=size)

    def sync(self) -> None:
        if not self.is_dry:
            torch.cuda.synchronize()

    def free(self) -> None:
        gc.collect()
        if not self.is_dry:
            torch.cuda.empty_cache()

    def ms(self, run: Callable[[], Any], times: int = 20, warm: int = 3) -> float:
        """Return the median time of a call on the device."""
        times, warm = (1, 1) if self.is_dry else (times, warm)
        for _ in range(warm):
            run()
        self.sync()
        taken = []
        for _ in range(times):
            started = time.perf_counter()
            run()
            self.sync()
            taken.append(1000 * (time.perf_counter() - started))
        return statistics.median(taken)


def few_objects(detector: GuardedDetector, bench: Bench, ask: Question, most: int = 10) -> Question:
    """The question with thresholds that about ten boxes pass: with random weights hundreds pass the usual ones."""
    every = ask.model_copy(update={"box_threshold": 0.0, "text_threshold": 0.0})
    (found,) = detector.detect(decoded(bench, 1), [every])
    scores = sorted((one.score for one in found), reverse=True)
    return ask.model_copy(update={"box_threshold": scores[most], "text_threshold": scores[most]})


def tokens_of(inner: Any, ask: Question) -> list[tuple[int, ...]]:
    return [row.caption.ids for row in inner._text.rows(ask)]


def decoded(bench: Bench, count: int) -> list[Image]:
    """Pictures as a decoder leaves them: row by row, in one piece."""
    return [np.ascontiguousarray(picture(seed, *bench.camera)) for seed in range(count)]
