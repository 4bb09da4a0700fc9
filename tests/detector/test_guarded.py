"""What a detector does when its device does not: torch's own errors, raised inside the real network's forward."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from groundcam_worker.detectors.batch_ceiling import BatchCeiling
from groundcam_worker.detectors.grounding_dino.recordings import Size
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.protocol import detect_each
from groundcam_worker.errors import DetectorLostError, ModelError, OutOfMemoryError
from parity import asking, match, picture, rows

IMAGES = [picture(seed) for seed in range(7)]
ASKS = [asking("dog", "cat")] * 7


def ceiling_of(detector: GuardedDetector) -> BatchCeiling:
    return detector.ceiling(320, 240)


class Memory:
    """Room for so many pictures."""

    def __init__(self, detector: GuardedDetector, room: int) -> None:
        self.room, self.tried = room, []  # type: ignore[var-annotated]
        inner: Any = detector._detector
        self._see, inner._see = inner._see, self.see

    def see(self, pixels: torch.Tensor, **constants: Any) -> Any:
        self.tried.append(len(pixels))
        if len(pixels) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return self._see(pixels, **constants)


def test_what_does_not_fit_is_halved_and_no_frame_is_lost(
    detector: GuardedDetector, breakable: GuardedDetector
) -> None:
    expected = detector.detect(IMAGES, ASKS)
    memory = Memory(breakable, room=2)
    found = breakable.detect(IMAGES, ASKS)
    assert memory.tried == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    for one, other in zip(found, expected, strict=True):
        assert match(rows(one), rows(other)).outside() == 0
    memory.tried.clear()
    breakable.detect(IMAGES, ASKS)
    assert max(memory.tried) <= 2, "the ceiling is remembered"


def test_a_batch_that_a_cpu_has_not_begun_is_halved_like_the_one_before(breakable: GuardedDetector) -> None:
    memory = Memory(breakable, room=2)
    begun = [breakable.begin(IMAGES[:4], ASKS[:4]) for _ in range(2)]
    assert [len(breakable.finish(one)) for one in begun] == [4, 4]
    assert memory.tried == [4, 2, 2, 2, 2]


def test_the_ceiling_grows_back_slowly(breakable: GuardedDetector) -> None:
    memory = Memory(breakable, room=3)
    breakable.detect(IMAGES[:6], ASKS[:6])
    assert ceiling_of(breakable).limit == 3
    memory.room = 6
    memory.tried.clear()
    ceiling_of(breakable)._patience = 6  # two clean batches so far
    for _ in range(20):
        breakable.detect(IMAGES[:6], ASKS[:6])
    assert memory.tried[:4] == [3] * 4
    assert memory.tried[4] == 4
    assert max(memory.tried) == 6


def test_a_picture_that_does_not_fit_alone_is_no_fault_of_the_picture(breakable: GuardedDetector) -> None:
    """The error says that memory is short now: it is neither the frame's nor that of a lost device."""
    Memory(breakable, room=0)
    answers = detect_each(breakable, IMAGES[:2], ASKS[:2])
    assert all(isinstance(one, OutOfMemoryError) for one in answers)
    with pytest.raises(OutOfMemoryError):
        breakable.detect(IMAGES[:1], ASKS[:1])


def test_one_picture_that_does_not_fit_alone_slows_nobody_else(breakable: GuardedDetector) -> None:
    memory = Memory(breakable, room=0)
    with pytest.raises(OutOfMemoryError):
        breakable.detect(IMAGES[:1], ASKS[:1])
    memory.room = 8
    breakable.detect(IMAGES, ASKS)
    assert memory.tried == [1, 7]


def test_a_batch_that_is_begun_and_does_not_fit_when_it_is_finished_is_answered_in_parts(
    breakable: GuardedDetector,
) -> None:
    memory = Memory(breakable, room=4)
    assert len(breakable.finish(breakable.begin(IMAGES, ASKS))) == len(IMAGES)
    assert memory.tried[0] == len(IMAGES)
    assert max(memory.tried[1:]) <= 4
    assert len(breakable.finish(breakable.begin(IMAGES, ASKS))) == len(IMAGES)
    assert ceiling_of(breakable).limit == len(IMAGES) // 2


def test_warming_up_finds_the_largest_batch_that_fits(breakable: GuardedDetector) -> None:
    memory = Memory(breakable, room=2)
    inner: Any = breakable._detector
    inner._is_prepared = True  # warms up all sizes of batches
    breakable.warm_up([asking("dog")], [(320, 240)], 8)
    assert ceiling_of(breakable).limit == 2
    assert list(dict.fromkeys(memory.tried)) == [8, 4, 2, 1]
    assert {key.batch for key in inner._recordings.keys} == {1, 2}


def test_one_shape_that_does_not_fit_costs_another_nothing(breakable: GuardedDetector) -> None:
    """Ceilings are those of a shape, and what was prepared for one stays when another needs a smaller batch."""
    memory = Memory(breakable, room=8)
    inner: Any = breakable._detector
    inner._is_prepared, inner.release = True, lambda: False
    see = memory.see

    def small_ones_only(pixels: torch.Tensor, **constants: Any) -> Any:
        memory.room = 8 if pixels.shape[-2] < pixels.shape[-1] else 2
        return see(pixels, **constants)

    inner._see = small_ones_only
    breakable.warm_up([asking("dog")], [(320, 240), (240, 320)], 8)
    assert (breakable.ceiling(320, 240).limit, breakable.ceiling(240, 320).limit) == (None, 2)


def test_where_one_picture_does_not_fit_what_was_recorded_is_given_up_first(breakable: GuardedDetector) -> None:
    """No frame is given up for what only makes it faster."""
    inner: Any = breakable._detector
    inner._is_prepared = True
    breakable.warm_up([asking("dog")], [(320, 240)], 2)
    memory = Memory(breakable, room=0)
    inner._recordings.clear()
    breakable.warm_up([], [], 1)
    inner._recordings.add(Size("see", 1, 1), lambda one: one, (torch.zeros(1, 1),))

    class Freed:
        def __call__(self) -> bool:
            memory.room = 8
            return bool(inner.release())

    breakable._release = Freed()
    assert len(breakable.detect(IMAGES[:1], ASKS[:1])) == 1
    assert len(inner._recordings) == 0


def test_a_device_that_is_too_small_for_one_picture_is_told_at_the_start(breakable: GuardedDetector) -> None:
    Memory(breakable, room=0)
    with pytest.raises(ModelError, match="memory is too small"):
        breakable.warm_up([asking("dog")], [(320, 240)], 8)


ERRORS = {
    "sticky": RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be"),
    "assert": RuntimeError("CUDA error: device-side assert triggered"),
    "cublas": RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`"),
    "cudnn": RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
}
if hasattr(torch, "AcceleratorError"):
    ERRORS["accelerator"] = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


@pytest.fixture
def failing(breakable: GuardedDetector) -> Callable[[BaseException], GuardedDetector]:
    """A real detector whose forward raises."""

    def fail_with(error: BaseException) -> GuardedDetector:
        def see(*_inputs: Any, **_options: Any) -> None:
            raise error

        inner: Any = breakable._detector
        inner._see = see
        return breakable

    return fail_with


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_the_device_that_stays_is_told_apart(
    failing: Callable[[BaseException], GuardedDetector], name: str
) -> None:
    with pytest.raises(DetectorLostError) as lost:
        failing(ERRORS[name]).detect(IMAGES[:1], ASKS[:1])
    assert "\n" not in str(lost.value)
    with pytest.raises(DetectorLostError):
        failing(ERRORS[name]).warm_up([asking("dog")], [(64, 64)], 1)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate",
        "CUDA error: out of memory",
    ],
)
def test_memory_that_fails_outside_of_torchs_allocator_is_memory(breakable: GuardedDetector, text: str) -> None:
    memory = Memory(breakable, room=1)
    original = memory.see

    def see(pixels: torch.Tensor, **constants: Any) -> Any:
        try:
            return original(pixels, **constants)
        except torch.OutOfMemoryError:
            raise RuntimeError(text) from None

    inner: Any = breakable._detector
    inner._see = see
    assert len(breakable.detect(IMAGES[:4], ASKS[:4])) == 4


def test_an_error_of_one_picture_is_neither(failing: Callable[[BaseException], GuardedDetector]) -> None:
    with pytest.raises(RuntimeError, match="shape"):
        failing(RuntimeError("shape mismatch")).detect(IMAGES[:1], ASKS[:1])
