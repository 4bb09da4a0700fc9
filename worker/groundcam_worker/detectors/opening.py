"""Open a model as a detector, whatever its family. Everything heavy is imported below this file."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from groundcam_worker.checkpoints.catalogue import ModelSource
from groundcam_worker.checkpoints.loading import load
from groundcam_worker.detectors.devices import free_cache, pick, uuid_of
from groundcam_worker.detectors.grounding_dino.detector import GroundingDino
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.open_vocabulary import FAMILIES, OpenVocabulary
from groundcam_worker.detectors.protocol import Detector, DetectorHooks
from groundcam_worker.errors import ModelError
from groundcam_worker.gpus import Nvml

GROUNDING_DINO = ("grounding-dino", "mm-grounding-dino")


def open_detector(
    source: ModelSource,
    device: str = "auto",
    steps: Optimisations | None = None,
    *,
    input_size: tuple[int, int] | None = None,
    hooks: DetectorHooks | None = None,
) -> GuardedDetector:
    """Load a model onto a device. `input_size` is (width, height) in pixels. Raises ModelError."""
    chosen, hooks = pick(device, Nvml().driver()), hooks or DetectorHooks()
    if chosen.type == "cuda":
        # What is left for the host is copies; a thread for each core of a large machine would only wake and wait.
        torch.set_num_threads(min(4, torch.get_num_threads()))
        if uuid := uuid_of(chosen):
            hooks.gpu(uuid)
    loaded = load(source)
    detector: Detector
    release = _nothing
    try:
        if loaded.family in GROUNDING_DINO:
            grounding = GroundingDino(loaded, chosen, steps, input_size=input_size, on_new_shape=hooks.new_shape)
            detector, release = grounding, grounding.release
        elif loaded.family not in FAMILIES:
            raise ModelError(f"its family {loaded.family} is not known here")
        elif input_size is not None:
            raise ModelError(f"work.input_size is set, and the family {loaded.family} has one input size")
        else:
            detector = OpenVocabulary(loaded, chosen, (steps or Optimisations()).dtype(chosen))
    except ValueError as error:
        raise ModelError(f"the model {source} cannot be used: {error}") from error
    return GuardedDetector(detector, partial(free_cache, chosen), hooks, release)


def compile_for(
    source: ModelSource,
    sizes: Sequence[tuple[int, int]],
    steps: Optimisations,
    input_size: tuple[int, int] | None = None,
) -> dict[tuple[int, int], Path]:
    """Make what is missing of a model's machine code for pictures of these sizes; return where it lies by the shape
    (width, height) of its inputs. Takes a minute or more for each. Raises ModelError.
    """
    loaded = load(source)
    if loaded.family not in GROUNDING_DINO:
        raise ModelError(f"the model {source} is of the family {loaded.family}, of which nothing is compiled")
    detector = GroundingDino(loaded, torch.device("cpu"), replace(steps, compile=True), input_size=input_size)
    detector.warm_up((), sizes, 1)
    shapes = {detector.input_shape(*size) for size in sizes}
    places = {(width, height): detector.compiled_for((height, width)) for height, width in shapes}
    if missing := [shape for shape, place in places.items() if place is None]:
        width, height = missing[0]
        raise ModelError(f"the model {source} was not compiled for inputs of {width}x{height}: the log says why")
    return {shape: place for shape, place in places.items() if place}


def _nothing() -> bool:
    """Release what is not there."""
    return False
