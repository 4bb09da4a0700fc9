"""The two parts of the network as torch exports and compiles them (AOTInductor), for one input shape.

Sides of batches and captions stay open, so that one compilation answers all of them. Weights and the constants of a
shape are no part of what is compiled: whoever loads it gives his own.
"""

import copy
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from groundcam_worker.detectors.grounding_dino.deformable import Levels
from groundcam_worker.detectors.grounding_dino.network import Grids, Network, Shape, Text
from groundcam_worker.detectors.grounding_dino.scoring import best_classes

SEE, ANSWER = "see", "answer"
MOST_PICTURES = 256
EXAMPLES, TOKENS = 3, 10
"""Sides of the inputs that are traced: none that could be taken for a constant of the network."""
OPTIONS = {
    "aot_inductor.package_constants_in_so": False,
    # By themselves small weights, a bias of four numbers, say, would be written into the code.
    "always_keep_tensor_constants": True,
    "joint_graph_constant_folding": False,
    # How many threads there are is up to who runs it; loops are cut for as many as a large machine has.
    "cpp.dynamic_threads": True,
    "cpp.threads": 16,
    # They would stay in the temporary folder, hundreds of megabytes.
    "aot_inductor.precompile_headers": False,
}
"""Inductor's."""


class Constants(nn.Module):
    """What follows from a shape, with its tensors as buffers, so that an export knows them by name."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self._value = value
        for name, tensor in _tensors(value, "at"):
            self.register_buffer(name, tensor)

    def value(self) -> Any:
        """Return it, made of the buffers."""
        return self._made(self._value, "at")

    def _made(self, value: Any, name: str) -> Any:
        if isinstance(value, Tensor):
            return getattr(self, name)
        if isinstance(value, tuple):
            parts = [self._made(one, f"{name}_{index}") for index, one in enumerate(value)]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        if isinstance(value, Levels):
            made = copy.copy(value)
            vars(made).update({key: self._made(one, f"{name}_{key}") for key, one in vars(value).items()})
            return made
        return value


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, tuple | Levels):
        parts = enumerate(value) if isinstance(value, tuple) else vars(value).items()
        for key, one in parts:
            yield from _tensors(one, f"{name}_{key}")


class See(nn.Module):
    """Pixels [B, 3, H, W] in, features [B, N, D] out."""

    def __init__(self, network: Network, grids: Grids) -> None:
        super().__init__()
        self.network, self.grids = network, Constants(grids)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return what the network sees."""
        return self.network.see(pixels, self.grids.value())


class Answer(nn.Module):
    """Features [B, N, D] and `Text` in, what was found [B, Q, 6] out, as `best_classes` has it."""

    def __init__(self, network: Network, shape: Shape) -> None:
        super().__init__()
        self.network, self.shape = network, Constants(shape)

    def forward(self, vision: Tensor, *text: Tensor) -> Tensor:
        """Return what the network answers."""
        given = Text(*text)
        return best_classes(*self.network.answer(vision, given, self.shape.value()), given.classes, given.thresholds)


def compile_into(folder: Path, network: Network, height: int, width: int, most_tokens: int) -> None:
    """Write the compiled parts for inputs of a shape. Takes a minute or more, and a C++ compiler.

    Raises whatever torch raises.
    """
    pixels = torch.rand(EXAMPLES, 3, height, width)
    constants = network.shape_of(pixels)
    see, answer = See(network, network.grids_of(pixels)), Answer(network, constants)
    vision = torch.rand(EXAMPLES, constants.levels.total, network.width)
    # torch reads a side of 1 as a case of its own, and begins at 2; the code is the same for both (`packages.Part` and
    # the tests look at it).
    batch, tokens = torch.export.Dim("batch", min=1, max=MOST_PICTURES), torch.export.Dim("tokens", max=most_tokens)
    one_a_token = {0: batch, 1: tokens}
    sides = (one_a_token, one_a_token, one_a_token, {0: batch, 2: tokens, 3: tokens}, one_a_token, one_a_token)
    _compile(folder / SEE, see, (pixels,), ({0: batch},))
    _compile(
        folder / ANSWER, answer, (vision, *_example(network.width, min(TOKENS, most_tokens - 1))), ({0: batch}, sides)
    )


def _example(width: int, tokens: int) -> Text:
    """Return captions as `TextSide` makes them."""
    features = torch.rand(EXAMPLES, tokens, width)
    real = torch.ones(EXAMPLES, tokens, dtype=torch.bool)
    allowed = torch.ones(EXAMPLES, 1, tokens, tokens, dtype=torch.bool)
    return Text(
        features, torch.rand_like(features), real, allowed,
        torch.zeros(EXAMPLES, tokens, dtype=torch.int64), torch.zeros(EXAMPLES, tokens),
    )  # fmt: skip


def _compile(folder: Path, part: nn.Module, inputs: tuple[Tensor, ...], sides: Any) -> None:
    """Write a part into a folder of its own: who loads a file would leave what is in it in the temporary folder."""
    exported = torch.export.export(part, inputs, dynamic_shapes=sides, strict=False)
    path = folder.with_suffix(".pt2")
    torch._inductor.aoti_compile_and_package(exported, package_path=str(path), inductor_configs=OPTIONS)  # noqa: SLF001
    with zipfile.ZipFile(path) as package:
        package.extractall(folder, [name for name in package.namelist() if not name.endswith(".cpp")])
    path.unlink()
