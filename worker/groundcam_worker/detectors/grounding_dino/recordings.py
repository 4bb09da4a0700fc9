"""Parts of the network that were prepared for one size: recorded as a CUDA graph, compiled, or both.

What is prepared has fixed sizes. A smaller batch is put into the next larger one: rows do not see each other, so
that the content of the other rows does not matter.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakSet

import torch
from torch import Tensor

from groundcam_worker.detectors.devices import is_lost, is_out_of_memory
from groundcam_worker.detectors.grounding_dino.recording_policy import RecordingPolicy
from groundcam_worker.errors import first_line

log = logging.getLogger(__name__)

Function = Callable[..., Tensor]
"""A part of the network: tensors in, all with one row a picture, and one tensor out."""
Prepare = Callable[[Function, tuple[Tensor, ...]], Callable[[], Tensor]]
"""Takes inputs that stay where they are; gives what answers them again and again, as they are then."""

KEPT = 256
MOST = 256
"""Pictures in a batch."""
TOKENS = (16, 32, 64, 128, 256)
HEADROOM = 1.3
"""A recording must find so much of the memory that the same run takes unrecorded."""


class Size(NamedTuple):
    """What is fixed, besides the batch."""

    part: str
    height: int
    width: int
    tokens: int = 0
    """0 where text has no part in it."""


class Key(NamedTuple):
    """What is prepared."""

    size: Size
    batch: int


class NoRoomError(torch.OutOfMemoryError):
    """There is too little memory for a recording, and enough to go on without."""


def batch_sizes(most: int) -> tuple[int, ...]:
    """Return the sizes to prepare for batches of up to `most`: powers of two, and `most` itself."""
    return tuple(sorted({size for size in (2**power for power in range(most.bit_length())) if size < most} | {most}))


def tokens_for(needed: int) -> int:
    """Return the text length to pad to, so that few lengths are prepared."""
    return next((tokens for tokens in TOKENS if tokens >= needed), needed)


@dataclass(slots=True)
class _Run:
    function: Function
    """Kept as long as the run: what is recorded reads its constants where they lie."""
    inputs: tuple[Tensor, ...]
    answer: Callable[[], Tensor]


class Recordings:
    """What was prepared, for the runs that are used most. Belongs to one thread at a time."""

    def __init__(self, prepare: Prepare, *, live: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """`live` prepares what comes up while frames wait, too."""
        self._prepare, self._live, self._clock = prepare, live, clock
        self._policy = RecordingPolicy(KEPT, clock())
        self._runs: dict[Key, _Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def keys(self) -> tuple[Key, ...]:
        """What is prepared, in the order in which it was."""
        return tuple(self._runs)

    def add(self, size: Size, function: Function, inputs: tuple[Tensor, ...]) -> bool:
        """Prepare for inputs of these sizes, whose contents do not matter; return whether that was done.

        A part that cannot be prepared, for whatever reason and a lack of memory too, is run as it is, and so is every
        part for a while after a release. Raises what torch raises for a lost device.
        """
        if self._policy.is_released(self._clock()):
            return False
        key = Key(size, len(inputs[0]))
        try:
            self._add(key, function, inputs)
        except Exception as error:  # whatever a compiler raises, too
            # During a recording the driver refuses what is not recorded, in words like those of a lost device.
            if is_lost(error) and "captur" not in str(error):
                raise
            why, is_short = first_line(error), is_out_of_memory(error)
        else:
            self._policy.succeeded()
            return True
        # Outside of the handler, whose traceback would keep the tensors of the failed recording alive.
        if is_short:
            self._policy.had_no_room(key, self._clock())
        else:
            self._policy.failed(key, self._clock())
        log.warning("pictures of %dx%d (%s, %d at once) are answered without preparation, which costs speed: %s%s",
                    size.width, size.height, size.part, key.batch, why,
                    "; nothing more will be prepared" if self._policy.is_off else "")  # fmt: skip
        return False

    def _add(self, key: Key, function: Function, inputs: tuple[Tensor, ...]) -> None:
        kept = tuple(self._room_for(key.size.part, index, one) for index, one in enumerate(inputs))
        run = _Run(function, kept, self._prepare(function, kept))
        if len(self._runs) >= KEPT and key not in self._runs:
            del self._runs[self._policy.victim(self._runs)]  # type: ignore[arg-type] # it is one of them
        self._runs[key] = run

    def run(self, size: Size, function: Function, inputs: tuple[Tensor, ...]) -> Tensor:
        """Answer, as it was prepared where it was. Valid until the next call."""
        count = len(inputs[0])
        run = self._fitting(size, count)
        if run is None and self._live:
            run = self._perhaps_new(size, function, inputs)
        if run is None:
            return function(*inputs)
        for mine, given in zip(run.inputs, inputs, strict=True):
            mine[:count].copy_(given)
        return run.answer()[:count]

    def _fitting(self, size: Size, count: int) -> _Run | None:
        fitting = min((key for key in self._runs if key.size == size and key.batch >= count), default=None)
        self._policy.used(Key(size, _room(count)) if fitting is None else fitting)
        return None if fitting is None else self._runs[fitting]

    def _perhaps_new(self, size: Size, function: Function, inputs: tuple[Tensor, ...]) -> _Run | None:
        """Prepare what came up again, in the next size of a batch, if that is worth its time."""
        count = len(inputs[0])
        key = Key(size, _room(count))
        started = self._clock()
        if not self._policy.wants(key, self._runs, started):
            return None
        again = [number % count for number in range(key.batch)]
        try:
            repeated = tuple(one[again] for one in inputs)
        except torch.OutOfMemoryError:
            return None
        done = self.add(size, function, repeated)
        self._policy.spent(self._clock() - started)
        return self._runs[key] if done else None

    def clear(self) -> None:
        """Forget everything that was prepared."""
        self._runs.clear()

    def release(self) -> bool:
        """Give the memory of everything prepared back, for a while; return whether there was any."""
        if not self._runs:
            return False
        log.warning("recorded runs are given up for their memory, for some minutes: answers are slower")
        self.clear()
        self._policy.released(self._clock())
        return True

    def _room_for(self, part: str, index: int, given: Tensor) -> Tensor:
        """Return a place for an input: runs of a part share the largest of one form, since they run one at a time."""
        for key, run in self._runs.items():
            one = run.inputs[index] if key.size.part == part else given[:0]
            if one.shape[1:] == given.shape[1:] and len(one) >= len(given):
                return one[: len(given)]
        return given.clone()


def _room(count: int) -> int:
    return next((batch for batch in batch_sizes(MOST) if batch >= count), count)


def called_again(function: Function, inputs: tuple[Tensor, ...]) -> Callable[[], Tensor]:
    """Prepare by a first call, in which the function may compile itself."""
    function(*inputs)
    return lambda: function(*inputs)


class Compiler:
    """Prepares by compiling a part for its sizes, before it is prepared as else.

    So what cannot be compiled is run as it is, and while frames wait that is done within the policy's share alone.
    """

    def __init__(self, prepare: Prepare) -> None:
        """`prepare` comes behind."""
        self._prepare = prepare
        self._compiled: dict[Function, Function] = {}

    def __call__(self, function: Function, inputs: tuple[Tensor, ...]) -> Callable[[], Tensor]:
        """Raises whatever a compiler raises, and what preparing raises."""
        part = function if isinstance(function, partial) else partial(function)
        if part.func not in self._compiled:
            self._compiled[part.func] = compiled(part.func)
        return self._prepare(partial(self._compiled[part.func], *part.args, **part.keywords), inputs)


class Recorder:
    """Prepares by recording CUDA graphs: thousands of launches become one.

    All of them share one pool of memory, since they run one at a time and each answer is read before the next.
    """

    def __init__(self) -> None:
        self._pool: Any = torch.cuda.graph_pool_handle()
        self._pooled = 0
        self._graphs: Any = WeakSet()
        """Those that are still there."""
        # One for all: each stream keeps a workspace of cuBLAS.
        self._stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def __call__(self, function: Function, inputs: tuple[Tensor, ...]) -> Callable[[], Tensor]:
        """Raises RuntimeError where a part cannot be recorded or its replay gives something else, NoRoomError."""
        if not self._graphs:
            self._pool, self._pooled = torch.cuda.graph_pool_handle(), 0  # what they had is free again
        expected = self._expected(function, inputs)
        reserved = torch.cuda.memory_reserved()
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads' calls of the driver are none of the recording's business.
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                answer = function(*inputs)
        except RuntimeError:
            # What failed may keep its pool in a state in which nothing can be recorded into it (pytorch#180395).
            self._pool, self._pooled = torch.cuda.graph_pool_handle(), 0
            raise
        self._pooled += max(0, torch.cuda.memory_reserved() - reserved)
        self._graphs.add(graph)

        def replay() -> Tensor:
            graph.replay()
            return answer

        _require_equal(replay(), expected)
        return replay

    def _expected(self, function: Function, inputs: tuple[Tensor, ...]) -> Tensor:
        """Run it as it is, so that kernels are chosen outside of the recording. Raises NoRoomError."""
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            for _ in range(2):
                expected = function(*inputs)
        torch.cuda.current_stream().wait_stream(self._stream)
        needed = torch.cuda.max_memory_allocated() - before
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        found = torch.cuda.mem_get_info()[0] + self._pooled
        if found < HEADROOM * needed:
            raise NoRoomError(f"recording takes {needed / 1e6:.0f} MB of memory, of which {found / 1e6:.0f} are free")
        return expected


def _require_equal(answer: Tensor, expected: Tensor) -> None:
    """Raise RuntimeError where a replay does not give what the network gave."""
    real = expected.isfinite()
    if not torch.allclose(answer[real], expected[real], rtol=1e-2, atol=1e-2):
        raise RuntimeError("a recorded run does not give what the network gives")


def compiled(function: Any) -> Any:
    """Return a part of the network compiled anew for each of its shapes."""
    for limit in ("recompile_limit", "cache_size_limit"):  # torch has called it both
        if hasattr(torch._dynamo.config, limit):  # noqa: SLF001 - where torch keeps its settings
            setattr(torch._dynamo.config, limit, KEPT)  # noqa: SLF001
    return torch.compile(function, dynamic=False)
