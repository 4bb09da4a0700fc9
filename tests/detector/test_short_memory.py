"""What a lack of a device's memory does to preparations and second looks, on a device of which only the sizes are real."""

import copy
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GroundingDinoForObjectDetection

import checkpoints
from groundcam_schemas import Question
from groundcam_worker.detectors.batch_ceiling import BatchCeiling
from groundcam_worker.detectors.grounding_dino.network import Network, Text
from groundcam_worker.detectors.grounding_dino.pixels import Upload
from groundcam_worker.detectors.grounding_dino.recordings import (
    Compiler,
    Recorder,
    Recordings,
    Size,
    batch_sizes,
    called_again,
)
from groundcam_worker.detectors.grounding_dino.second_look import SecondLook
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.errors import ModelError

GB = 10**9
SEE, ANSWER = Size("see", 800, 1333), Size("answer", 800, 1333)


def no_room() -> torch.OutOfMemoryError:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


class Device:
    """Has so much memory, of which recordings keep what they took."""

    def __init__(self, total: float, see: float, answer: float) -> None:
        self.total, self.pooled, self.each = total, 0.0, {SEE: see, ANSWER: answer}
        self.recordings = Recordings(self.prepare, live=True)
        self.warmed: list[int] = []

    def runs(self, size: Size) -> Any:
        def run(inputs: torch.Tensor) -> torch.Tensor:
            if self.each[size] * len(inputs) > self.total - self.pooled:
                raise no_room()
            return inputs

        run.size = size  # type: ignore[attr-defined]
        return run

    def prepare(self, function: Any, inputs: tuple[torch.Tensor, ...]) -> Any:
        function(*inputs)
        self.pooled = max(self.pooled, self.each[function.size] * len(inputs[0]))
        return lambda: inputs[0]

    def input_shape(self, width: int, height: int) -> tuple[int, int]:
        return height, width

    def warm_up(self, _questions: Sequence[Question], _sizes: Sequence[tuple[int, int]], batch_size: int) -> None:
        self.warmed.append(batch_size)
        assert len(self.warmed) < 20, "it tries the same again and again"
        for count in reversed(batch_sizes(batch_size)):
            inputs = (torch.zeros(count, 1),)
            for size in (SEE, ANSWER):
                self.recordings.add(size, self.runs(size), inputs)
                self.recordings.run(size, self.runs(size), inputs)

    def release(self) -> bool:
        had_any = self.recordings.release()
        self.pooled = 0.0 if had_any else self.pooled
        return had_any


def warmed(device: Device, batch_size: int) -> GuardedDetector:
    guarded = GuardedDetector(device, lambda: None, release=device.release)  # type: ignore[arg-type]
    guarded.warm_up([], [(1333, 800)], batch_size)
    return guarded


def test_a_warm_up_whose_recordings_leave_no_room_goes_on_without_them() -> None:
    device = Device(15, see=0.6, answer=0.6)
    assert warmed(device, 16).ceiling(1333, 800).limit is None
    assert (device.warmed, len(device.recordings)) == ([16, 16], 0)


def test_a_warm_up_of_what_does_not_fit_without_recordings_either_is_halved() -> None:
    device = Device(8, see=0.4, answer=0.7)
    assert warmed(device, 16).ceiling(1333, 800).limit == 8
    assert device.warmed == [16, 16, 8]


def test_a_picture_that_fits_once_recordings_are_given_up_is_enough_and_one_that_never_does_ends_the_start() -> None:
    device = Device(15, see=9, answer=9)
    assert warmed(device, 1).ceiling(1333, 800).limit is None
    with pytest.raises(ModelError, match="too small for one picture of 1333x800"):
        warmed(Device(15, see=9, answer=16), 1)


def test_after_a_release_nothing_is_recorded_for_a_while() -> None:
    now = [0.0]
    recordings = Recordings(lambda function, inputs: lambda: function(*inputs), live=True, clock=lambda: now[0])
    inputs = (torch.zeros(1, 1),)
    assert recordings.add(SEE, torch.abs, inputs)
    recordings.release()
    assert not recordings.add(SEE, torch.abs, inputs)
    now[0] = 601.0
    assert recordings.add(SEE, torch.abs, inputs)


def test_what_cannot_be_recorded_costs_no_recording_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundcam_worker.detectors.grounding_dino.recordings.KEPT", 1)

    def prepare(function: Any, inputs: tuple[torch.Tensor, ...]) -> Any:
        if function is torch.neg:
            raise RuntimeError("an operation that cannot be recorded")
        return lambda: function(*inputs)

    recordings = Recordings(prepare, live=True)
    inputs = (torch.zeros(1, 1),)
    assert recordings.add(SEE, torch.abs, inputs)
    assert not recordings.add(ANSWER, torch.neg, inputs)
    assert [key.size for key in recordings.keys] == [SEE]
    assert recordings.add(ANSWER, torch.abs, inputs)
    assert [key.size for key in recordings.keys] == [ANSWER]


def test_what_cannot_be_compiled_is_run_as_it_is_whatever_the_compiler_raises() -> None:
    def refuse(_function: Any, _inputs: tuple[torch.Tensor, ...]) -> Any:
        raise AssertionError("expected size 768==768, stride 24==1 at dim=1")

    recordings = Recordings(refuse, live=True)
    inputs = (torch.full((1, 1), -3.0),)
    assert not recordings.add(SEE, torch.abs, inputs)
    assert recordings.run(SEE, torch.abs, inputs) == 3


def test_only_what_is_prepared_is_compiled_and_one_part_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compilations: list[Any] = []

    def compile_(function: Any) -> Any:
        compilations.append(function)
        return lambda *inputs, **constants: function(*inputs, **constants) + 100

    monkeypatch.setattr("groundcam_worker.detectors.grounding_dino.recordings.compiled", compile_)

    def shifted(inputs: torch.Tensor, *, by: float) -> torch.Tensor:
        return inputs + by

    recordings = Recordings(Compiler(called_again), live=False)
    inputs = (torch.zeros(2, 1),)
    assert recordings.add(SEE, partial(shifted, by=1), inputs)
    assert recordings.add(ANSWER, partial(shifted, by=2), inputs)
    assert compilations == [shifted]
    assert recordings.run(SEE, partial(shifted, by=1), inputs).tolist() == [[101], [101]]
    assert recordings.run(ANSWER, partial(shifted, by=2), inputs).tolist() == [[102], [102]]
    other = Size("see", 480, 640)
    assert recordings.run(other, partial(shifted, by=3), inputs).tolist() == [[3], [3]], "while cameras wait"
    assert len(compilations) == 1


class Stream:
    def __init__(self, *_: object) -> None:
        self.launched = 0
        self.waited_for: list[int] = []

    def wait_event(self, event: "Event") -> None:
        self.waited_for.append(event.behind)

    def wait_stream(self, _other: "Stream") -> None:
        pass


class Event:
    def __init__(self) -> None:
        self.behind = 0

    def record(self, stream: Stream) -> None:
        self.behind = stream.launched

    def synchronize(self) -> None:
        pass


@pytest.fixture
def compute(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """The stream on which the network runs, in place of CUDA's."""
    stream = Stream()
    for name, stand_in in {
        "Stream": Stream, "Event": Event, "current_stream": lambda *_: stream, "stream": lambda _: nullcontext(),
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return stream


def test_room_in_which_the_batch_before_still_computes_is_written_only_behind_it(
    compute: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allocator gives memory of one stream again as soon as it is launched that nobody needs it."""
    real: Any = torch.empty

    def unpinned(*size: int, **given: object) -> torch.Tensor:
        given.pop("pin_memory", None)
        made: torch.Tensor = real(*size, **given)
        return made

    monkeypatch.setattr(torch, "empty", unpinned)
    upload = Upload(torch.device("cpu"))
    for side in (8, 8, 8, 8, 64):
        before = compute.launched
        with upload([[np.zeros((side, side, 3), np.uint8)]]):
            compute.launched += 1
        compute.launched += 100
    waiting: Any = upload._stream
    assert waiting.waited_for[-1] == before
    assert waiting.waited_for[-2] < before - 100, "room that is kept needs no waiting"


def test_what_was_pooled_before_a_release_is_no_room(monkeypatch: pytest.MonkeyPatch, compute: Stream) -> None:
    total, needs = 16 * GB, 10 * GB
    taken = {"pool": 0, "others": 0}

    class Graph:
        def replay(self) -> None:
            pass

    @contextmanager
    def graph(*_: object, **__: object) -> Any:
        taken["pool"] += needs
        yield

    for name, stand_in in {
        "graph_pool_handle": lambda: (0, 1), "reset_peak_memory_stats": lambda: None, "memory_allocated": lambda: 0,
        "max_memory_allocated": lambda: needs, "synchronize": lambda: None, "empty_cache": lambda: None,
        "memory_reserved": lambda: taken["pool"], "CUDAGraph": Graph, "graph": graph,
        "mem_get_info": lambda: (total - sum(taken.values()), total),
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, stand_in)
    now = [0.0]
    recordings = Recordings(Recorder(), live=True, clock=lambda: now[0])
    inputs = (torch.zeros(1, 1),)
    assert recordings.add(SEE, torch.abs, inputs)
    assert recordings.add(ANSWER, torch.abs, inputs), "what the first one took is room for the second"
    recordings.release()
    now[0], taken["pool"], taken["others"] = 601.0, 0, 9 * GB
    assert not recordings.add(SEE, torch.abs, inputs)
    assert compute.launched == 0


@pytest.mark.parametrize(("has_recordings", "tries"), [(True, 2), (False, 1)])
def test_a_second_look_without_room_gives_recordings_up_before_it_fails(has_recordings: bool, tries: int) -> None:
    asked: list[int] = []

    class Network:
        """Its copy in fp32 finds no room."""

        def __deepcopy__(self, _: object) -> "Network":
            return self

        def to_precision(self, _: torch.dtype) -> "Network":
            return self

        def shape_of(self, _: torch.Tensor) -> None:
            return None

        def __call__(self, *_: object) -> tuple[torch.Tensor, torch.Tensor]:
            asked.append(1)
            raise no_room()

    left = [has_recordings]

    def release() -> bool:
        return left.pop() if left else False

    look = SecondLook(Network(), release)  # type: ignore[arg-type]
    text = Text(*(torch.zeros(1) for _ in Text._fields))
    with pytest.raises(torch.OutOfMemoryError):
        look(torch.zeros(1, 3, 8, 8), [text], 0)
    assert len(asked) == tries


def test_a_batch_that_fails_while_another_has_failed_never_raises_the_ceiling() -> None:
    ceiling = BatchCeiling()
    ceiling.failed(16)
    ceiling.failed(8)
    ceiling.failed(16)
    assert ceiling.limit == 4


def test_what_is_remembered_of_shapes_is_no_part_of_a_copy() -> None:
    """It is made just when there is little room, and in another type, for which none of that holds."""
    network = Network(GroundingDinoForObjectDetection(checkpoints.small_config()), "embedding_bag").eval()
    pixels = torch.zeros(1, 3, 64, 96)
    network.shape_of(pixels)
    copied = copy.deepcopy(network)
    assert (len(copied._shapes), len(copied.backbone._grids)) == (0, 0)
    assert network._shapes
    assert network.backbone._grids
    with torch.inference_mode():
        assert torch.equal(*(one.see(pixels, one.grids_of(pixels)) for one in (copied, network)))


def test_masks_that_a_kernel_knows_by_itself_lie_nowhere() -> None:
    model = GroundingDinoForObjectDetection(checkpoints.small_config())
    for fused in (False, True):
        network = Network(model, "embedding_bag", fused=fused)
        for plain, shifted in network.grids_of(torch.zeros(1, 3, 64, 96)):
            assert (plain.mask is None, shifted.mask is None) == (True, fused)
