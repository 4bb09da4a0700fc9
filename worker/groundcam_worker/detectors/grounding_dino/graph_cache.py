"""Runs of the network that were prepared for one shape: recorded as a CUDA graph, compiled, or both.

What is prepared has fixed sizes. A smaller batch is put into the next larger one: rows do not see each other, so
that the content of the other rows does not matter.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from groundcam_worker.detectors.grounding_dino.network import Shape, Text

Answer = tuple[Tensor, Tensor]
"""Logits [B, Q, T] and boxes [B, Q, 4]."""
Forward = Callable[[Tensor, Text, Shape], Answer]
Prepare = Callable[[Forward, Tensor, Text, Shape], Callable[[], Answer]]
"""Takes inputs that stay where they are; gives what answers them again and again, as they are then."""

KEPT = 256
TOKENS = (16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class Size:
    """What is fixed."""

    height: int
    width: int
    tokens: int


def batch_sizes(most: int) -> tuple[int, ...]:
    """Return the sizes to prepare for batches of up to `most`: powers of two, and `most` itself."""
    return tuple(sorted({size for size in (2**power for power in range(most.bit_length())) if size < most} | {most}))


def tokens_for(needed: int) -> int:
    """Return the text length to pad to, so that few lengths are prepared."""
    return next((tokens for tokens in TOKENS if tokens >= needed), needed)


def size_of(pixels: Tensor, text: Text) -> Size:
    """Return what a run of these inputs is prepared for."""
    return Size(pixels.shape[-2], pixels.shape[-1], text.features.shape[1])


@dataclass(slots=True)
class _Run:
    pixels: Tensor
    text: Text
    shape: Shape
    """Kept as long as the run: what is recorded reads it where it lies."""
    answer: Callable[[], Answer]


class GraphCache:
    """The newest of them. Belongs to one thread at a time."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._runs: OrderedDict[tuple[Size, int], _Run] = OrderedDict()

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, forward: Forward, pixels: Tensor, text: Text, shape: Shape) -> None:
        """Prepare for inputs of these sizes; their contents do not matter. Raises what preparing raises."""
        key = (size_of(pixels, text), len(pixels))
        kept = self._room_for(pixels), Text(*(part.clone() for part in text)), shape
        self._runs[key] = _Run(*kept, self._prepare(forward, *kept))
        if len(self._runs) > KEPT:
            self._runs.popitem(last=False)

    def answer(self, pixels: Tensor, text: Text) -> Answer | None:
        """Answer, or return None where nothing is prepared for this size. Valid until the next call."""
        size, count = size_of(pixels, text), len(pixels)
        fitting = [batch for known, batch in self._runs if known == size and batch >= count]
        if not fitting:
            return None
        self._runs.move_to_end((size, min(fitting)))
        run = self._runs[size, min(fitting)]
        run.pixels[:count].copy_(pixels)
        for mine, given in zip(run.text, text, strict=True):
            mine[:count].copy_(given)
        logits, boxes = run.answer()
        return logits[:count], boxes[:count]

    def _room_for(self, pixels: Tensor) -> Tensor:
        """Return a place for pixels: runs of one shape share the largest, since they run one at a time."""
        for run in self._runs.values():
            if run.pixels.shape[1:] == pixels.shape[1:] and len(run.pixels) >= len(pixels):
                return run.pixels[: len(pixels)]
        return pixels.clone()


def called_again(forward: Forward, pixels: Tensor, text: Text, shape: Shape) -> Callable[[], Answer]:
    """Prepare by a first call, in which `forward` may compile itself."""
    forward(pixels, text, shape)
    return lambda: forward(pixels, text, shape)


class Recorder:
    """Prepares by recording CUDA graphs: thousands of launches become one.

    All of them share one pool of memory, since they run one at a time and each answer is read before the next.
    """

    def __init__(self) -> None:
        self._pool: Any = torch.cuda.graph_pool_handle()

    def __call__(self, forward: Forward, pixels: Tensor, text: Text, shape: Shape) -> Callable[[], Answer]:
        """Raises RuntimeError where the network cannot be recorded, or a replay gives something else."""
        aside: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):  # kernels are chosen outside of the recording
                expected = forward(pixels, text, shape)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            answer = forward(pixels, text, shape)

        def replay() -> Answer:
            graph.replay()
            return answer

        _require_equal(replay(), expected)
        return replay


def _require_equal(answers: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    """Raise RuntimeError where a replay does not give what the network gave."""
    for answer, wanted in zip(answers, expected, strict=True):
        real = wanted.isfinite()
        if not torch.allclose(answer[real], wanted[real], rtol=1e-2, atol=1e-2):
            raise RuntimeError("a recorded run does not give what the network gives")
