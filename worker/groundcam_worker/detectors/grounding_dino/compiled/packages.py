"""Where compiled code lies, and how it is taken.

What it depends on is in the name of its folder: the network and torch that it was made from, and the processor that
it was made for. So a folder is right or not there, and an image or a volume may carry it. Its weights are the ones of
the network that takes it.
"""

import hashlib
import json
import logging
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from groundcam_worker.detectors.grounding_dino.compiled.export import ANSWER, SEE, Answer, See
from groundcam_worker.detectors.grounding_dino.network import Network
from groundcam_worker.errors import first_line

log = logging.getLogger(__name__)

SOURCES = Path(__file__).parents[1]
SUMS = "sha256.json"
UNFINISHED = ".unfinished-"
"""What begins so in the cache is nobody's, and is removed by who makes something next."""
OF_ITS_PLACE = {"_name_or_path", "transformers_version", "dtype", "torch_dtype"}
"""Of a model's config: where it came from, and not what it is."""
NEAR, FAR = 1e-2, 0.05
"""Numbers that differ by more than the first are far apart; at most this part of them may be, since places of nearly
the same score may change their ranks."""


def digest_of(config: dict[str, Any], sampling: str) -> str:
    """Return a hash of all that compiled code depends on, but for the shape of its inputs."""
    parts = json.dumps(
        [
            version("torch"), version("transformers"), _sources(), sampling, _without_place(config),
            platform.machine(), platform.libc_ver(), _processor(),
        ],
        sort_keys=True, default=str,
    )  # fmt: skip
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _sources() -> str:
    """Return a hash of the network's own source."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    """Return what the processor can do: a compiler uses all of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    found = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return " ".join(sorted(found.partition(":")[2].split() or [found]))


def _without_place(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_place(value) for key, value in config.items() if key not in OF_ITS_PLACE}
    return config


class Part:
    """A part of the network, compiled. The first answer is held against the network's own."""

    def __init__(self, path: Path, module: nn.Module) -> None:
        """Raises almost anything for what cannot be loaded."""
        self._plain: Callable[..., Tensor] = module
        self._name = path.name
        tensors: dict[str, Tensor] = {}
        tensors.update(module.named_parameters(remove_duplicate=False))
        tensors.update(module.named_buffers(remove_duplicate=False))
        code: Any = torch._inductor.aoti_load_package(str(path))  # noqa: SLF001 - documented, for all its name
        names = code.get_constant_fqns()
        if strangers := [name for name in names if name not in tensors]:
            raise RuntimeError(f"it wants {strangers[0]}, which this network has not")
        # The code reads them where they lie.
        self._weights = {name: tensors[name].detach().contiguous() for name in names}
        code.load_constants(self._weights, check_full_update=True, user_managed=True)
        self._code: Callable[..., Tensor] | None = code
        self._is_checked = False

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Raises what the network raises."""
        if self._code is None:
            return self._plain(*inputs)
        try:
            found = self._code(*(one.contiguous() for one in inputs))
        except RuntimeError as error:
            # It does not say whether there was too little memory, for one: then the network raises that.
            expected, why = self._plain(*inputs), first_line(error)
        else:
            if self._is_checked:
                return found
            self._is_checked, expected = True, self._plain(*inputs)
            far = _far_apart(found, expected)
            if far <= FAR:
                return found
            why = f"it does not give what the network gives, in {far:.0%} of the numbers"
        log.warning("compiled code (%s) is not used any more, which costs speed: %s", self._name, why)
        self._code = None
        return expected

    @property
    def is_used(self) -> bool:
        """Whether it was not given up."""
        return self._code is not None


def _far_apart(found: Tensor, expected: Tensor) -> float:
    """Return the part of the numbers that are."""
    both = found.isfinite() & expected.isfinite()
    near = (found - expected).abs() <= NEAR * (1 + expected.abs())
    return float(1.0 - torch.where(both, near, found.isfinite() == expected.isfinite()).float().mean())


@dataclass(frozen=True, slots=True)
class Parts:
    """Both, for inputs of one shape."""

    see: Part
    answer: Part

    @property
    def are_used(self) -> bool:
        """Whether none of them was given up."""
        return self.see.is_used and self.answer.is_used


def is_there(folder: Path) -> bool:
    """Return whether compiled code lies there: folders get their name when they are whole."""
    return os.path.isfile(folder / SUMS)  # noqa: PTH113 - where nothing may be read, nothing is there


def sums_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file: code that was cut off would end the process that loads it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != SUMS
    }


def load(folder: Path, network: Network, pixels: Tensor) -> Parts:
    """Take compiled code for inputs like `pixels`. Raises almost anything for what cannot be loaded."""
    if json.loads((folder / SUMS).read_bytes()) != sums_of(folder):
        raise RuntimeError("it is damaged")
    return Parts(
        Part(folder / SEE, See(network, network.grids_of(pixels))),
        Part(folder / ANSWER, Answer(network, network.shape_of(pixels))),
    )
