"""Load a model and its processor. The only file that imports transformers."""

import hashlib
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForZeroShotObjectDetection, AutoProcessor
from transformers.utils.logging import disable_progress_bar

from groundcam_schemas import Model
from groundcam_worker.checkpoints.catalogue import ModelSource
from groundcam_worker.checkpoints.hub import commit_of, local_folder
from groundcam_worker.errors import ModelError, first_line

log = logging.getLogger(__name__)

_OPTIONS: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model of transformers on the CPU, in fp32, with what prepares its inputs."""

    family: str
    """The config's `model_type`."""
    model: Any
    processor: Any
    identity: Model
    folder: Path


def load(source: ModelSource) -> Loaded:
    """Load a checkpoint from a folder or the Hub, downloading it if need be. Raises ModelError."""
    started = time.monotonic()
    _log_as_we_do()
    folder = local_folder(source)
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    log.info("loading the model %s: %.0f MB", source, size / 1e6)
    try:
        config: Any = _load_config(folder, **_OPTIONS)
        processor: Any = _load_processor(folder, **_OPTIONS)
        model: Any
        model, loading = AutoModelForZeroShotObjectDetection.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **_OPTIONS
        )
    except Exception as error:
        # transformers raises almost anything here: OSError, ValueError, KeyError, SafetensorError.
        raise ModelError(f"the model {source} cannot be loaded: {first_line(error)}") from error
    if loading["missing_keys"]:
        # transformers would go on with random weights in their place.
        missing = sorted(loading["missing_keys"])
        raise ModelError(f"the model {source} is incomplete: {len(missing)} weights such as {missing[0]} are missing")
    identity = Model(name=source.name, revision=commit_of(folder) or weights_checksum(folder))
    millions = sum(weight.numel() for weight in model.parameters()) / 1e6
    log.info(
        "loaded %s (%s): %.1f million parameters in %.1f s",
        source, config.model_type, millions, time.monotonic() - started,
    )  # fmt: skip
    return Loaded(config.model_type, model, processor, identity, folder)


# Untyped in transformers.
_load_config: Any = AutoConfig.from_pretrained
_load_processor: Any = AutoProcessor.from_pretrained


def _log_as_we_do() -> None:
    """Both libraries bring handlers of their own, so that each of their lines would be written twice."""
    for name in ("transformers", "huggingface_hub"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    if not sys.stderr.isatty():
        disable_progress_bar()  # type: ignore[no-untyped-call]


def weights_checksum(folder: Path) -> str:
    """Return a hash of a folder's weights, to distinguish one training from the next."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()[:16]
