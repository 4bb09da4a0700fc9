"""What makes it fast changes no answer: deformable attention, the kernel, prepared runs, and no waiting in between."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from groundcam_schemas import Ask
from groundcam_worker.errors import DetectorLostError, ModelError
from groundcam_worker.grounding_dino.deformable import SAMPLINGS, Levels
from groundcam_worker.grounding_dino.pixels import Pixels
from groundcam_worker.grounding_dino.prepared import KEPT, PreparedRuns, batch_sizes, called_again, tokens_for
from groundcam_worker.grounding_dino.reference import Reference
from groundcam_worker.grounding_dino.shapes import Limits
from groundcam_worker.grounding_dino.steps import Steps
from groundcam_worker.guarded import GuardedDetector
from groundcam_worker.loading import load
from groundcam_worker.models import DEMO, resolve
from groundcam_worker.opening import open_detector
from parity import match, picture, rows

SIZES = ((9, 16), (5, 8), (3, 4), (2, 2))


def deformable_inputs(
    coordinates: int, *, depth: int = 16, count: int = 37, batch: int = 2, heads: int = 3, spread: float = 4.0
) -> tuple[Any, ...]:
    """Values, offsets, weights, reference and levels; some points lie far outside."""
    draw = torch.Generator().manual_seed(coordinates + depth)
    levels = Levels(SIZES, torch.device("cpu"))
    values = torch.randn(batch, levels.total, heads, depth, generator=draw)
    offsets = torch.randn(batch, count, heads, len(SIZES), 4, 2, generator=draw) * spread
    offsets[:, 0] = 1e6
    offsets[:, 1] = -1e6
    weights = torch.randn(batch, count, heads, len(SIZES) * 4, generator=draw)
    reference = torch.rand(batch if coordinates == 4 else 1, count, coordinates, generator=draw)
    return values, offsets, weights, reference, levels


@pytest.mark.parametrize("coordinates", [2, 4])
@pytest.mark.parametrize("depth", [16, 32])
def test_both_ways_of_deformable_attention_give_the_same(coordinates: int, depth: int) -> None:
    inputs = deformable_inputs(coordinates, depth=depth)
    plain, bag = (SAMPLINGS[name](*inputs) for name in ("grid_sample", "embedding_bag"))
    assert torch.allclose(plain, bag, atol=1e-5)
    moved = (*inputs[:1], inputs[1] + 0.1, *inputs[2:])
    assert not torch.allclose(plain, SAMPLINGS["embedding_bag"](*moved), atol=1e-2)


_KERNEL = """
import sys
sys.path[:0] = {paths!r}
import torch
from test_steps import deformable_inputs
from groundcam_worker.grounding_dino.deformable import SAMPLINGS
single, half = (torch.float32, 1e-5), (torch.float16, 1e-2)
for coordinates, depth, (dtype, near) in ((2, 16, single), (4, 24, single), (4, 32, half)):
    values, offsets, weights, *rest = deformable_inputs(coordinates, depth=depth, count=19, heads=2)
    given = values.to(dtype), offsets.clamp(-6e4, 6e4).to(dtype), weights.to(dtype)
    plain = SAMPLINGS["grid_sample"](*given, *rest).float()
    ours = SAMPLINGS["triton"](*given, *rest).float()
    worst = (plain - ours).abs().max().item()
    assert worst < near, (coordinates, depth, dtype, worst)
    moved = SAMPLINGS["triton"](given[0], given[1] + 0.2, given[2], *rest).float()
    assert (plain - moved).abs().max() > 10 * near
print("equal")
"""


def test_the_triton_kernel_gives_the_same() -> None:
    """Run by Triton's interpreter, on a CPU: its arithmetic, masks and edges, not its speed."""
    pytest.importorskip("triton", reason="there is no triton on this machine: its kernel is not tested")
    code = _KERNEL.format(paths=[str(Path(__file__).parent), str(Path(__file__).parents[1])])
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "equal", done.stderr[-2000:]


def test_a_kernel_that_cannot_run_here_is_refused_by_its_setting(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"small.*work\.sampling is triton"):
        open_detector(resolve(str(folder)), "cpu", Steps(sampling="triton"))


def test_the_kernel_is_an_operator_that_can_be_traced() -> None:
    from groundcam_worker.grounding_dino.kernels import sample_with_triton

    values, offsets, weights, reference, levels = (
        one.to("meta") if isinstance(one, torch.Tensor) else one for one in deformable_inputs(2)
    )
    traced = sample_with_triton(values, offsets, weights, reference, levels.table.to("meta"))
    assert traced.shape == (2, 37, 3 * 16)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler, and there is none")
def test_a_compiled_network_gives_the_same(detector: GuardedDetector, folder: Path) -> None:
    compiled = open_detector(resolve(str(folder)), "cpu", Steps(compile=True))
    ask = Ask.of("person", "open door")
    compiled.warm_up([ask], [(320, 240)], 1)
    inner: Any = compiled._detector
    assert len(inner._prepared._runs) == 1
    image = picture(1)
    (mine,), (plain,) = compiled.detect([image], [ask]), detector.detect([image], [ask])
    assert match(rows(mine), rows(plain)).outside() == 0


def test_a_prepared_run_answers_smaller_batches_too(breakable: GuardedDetector, detector: GuardedDetector) -> None:
    """What the other rows hold does not matter, whatever batch ran before."""
    inner: Any = breakable._detector
    inner._prepared, inner._compiled = PreparedRuns(called_again), inner._network  # as if it were compiled
    asks = [Ask.of("dog"), Ask.of("person", "open door", "taxi")]
    breakable.warm_up(asks, [(320, 240)], 4)
    ran: list[int] = []
    forward = inner._network.forward
    inner._network.forward = lambda pixels, *rest: (ran.append(len(pixels)), forward(pixels, *rest))[1]
    for count in (4, 3, 1, 2):
        images = [picture(seed + 10 * count) for seed in range(count)]
        questions = [asks[seed % 2] for seed in range(count)]
        for one, other in zip(breakable.detect(images, questions), detector.detect(images, questions), strict=True):
            assert match(rows(one), rows(other)).outside() == 0
    assert ran == [4, 4, 1, 2]


def test_where_recording_fails_it_goes_on_without(breakable: GuardedDetector, detector: GuardedDetector) -> None:
    """A network that cannot be recorded, or gives something else, is run as it is; a lost device is none of that."""

    class Failing:
        def __init__(self, text: str) -> None:
            self.text, self.tries = text, 0

        def __call__(self, *_given: Any) -> Any:
            self.tries += 1
            raise RuntimeError(self.text)

    inner: Any = breakable._detector
    images, asks = [picture(1)], [Ask.of("dog")]
    inner._records = True
    for text in ("a recorded run does not give", "CUDA error: operation not permitted when stream is capturing"):
        failing = Failing(text)
        inner._prepared = PreparedRuns(failing)
        inner._plain.clear()
        inner._once.clear()
        for _ in range(4):
            (found,) = breakable.detect(images, asks)
            assert match(rows(found), rows(detector.detect(images, asks)[0])).outside() == 0
        assert failing.tries == 1, "at its second sight, and not again"
    inner._prepared = PreparedRuns(Failing("CUDA error: an illegal memory access"))
    inner._plain.clear()
    with pytest.raises(DetectorLostError):
        breakable.detect(images, asks)


def test_a_shape_that_comes_up_again_is_recorded_once_for_all_batches_up_to_a_size(
    breakable: GuardedDetector,
) -> None:
    inner: Any = breakable._detector
    inner._records, inner._prepared = True, PreparedRuns(called_again)
    for count in (3, 3, 4, 2, 1, 3):
        breakable.detect([picture(seed) for seed in range(count)], [Ask.of("dog")] * count)
    assert [batch for _, batch in inner._prepared._runs] == [4]


def test_a_model_without_numbers_is_never_ready(breakable: GuardedDetector) -> None:
    inner: Any = breakable._detector
    inner._network.norm.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        breakable.warm_up([Ask.of("dog")], [(320, 240)], 1)


def test_on_a_cpu_each_shape_is_warmed_once_whatever_is_asked(breakable: GuardedDetector) -> None:
    inner: Any = breakable._detector
    ran: list[int] = []
    forward = inner._network.forward
    inner._network.forward = lambda pixels, *rest: (ran.append(len(pixels)), forward(pixels, *rest))[1]
    breakable.warm_up([Ask.of("dog"), Ask.of("a red taxi"), Ask.of("person", "cat")], [(320, 240), (640, 360)], 8)
    assert ran == [1, 1]


def test_batch_sizes_and_text_lengths_to_prepare_are_few() -> None:
    assert batch_sizes(1) == (1,)
    assert batch_sizes(8) == (1, 2, 4, 8)
    assert batch_sizes(12) == (1, 2, 4, 8, 12)
    assert [tokens_for(needed) for needed in (5, 16, 17, 256)] == [16, 16, 32, 256]


def test_every_shape_is_warmed_up_and_another_is_counted(folder: Path) -> None:
    new: list[tuple[int, int]] = []
    detector = open_detector(
        resolve(str(folder)), "cpu", on_new_shape=lambda width, height: new.append((width, height))
    )
    detector.warm_up([Ask.of("dog"), Ask.of("person", "taxi")], [(320, 240), (640, 480), (1280, 720)], 8)
    for size in ((320, 240), (1280, 720), (1920, 1080)):
        detector.detect([picture(1, *size)], [Ask.of("dog")])
    assert new == []
    for _ in range(2):
        detector.detect([picture(1, 240, 320)], [Ask.of("dog")])
    assert new == [(128, 170)]


class _Waits(TorchDispatchMode):
    """Counts operators that make a host wait for its device."""

    NAMES = ("_local_scalar_dense", "aten.item.", "nonzero", "is_nonzero", "masked_select", "equal", "lift_fresh")

    def __init__(self) -> None:
        super().__init__()
        self.waits, self.operators = 0, 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operators += 1
        self.waits += any(name in str(function) for name in self.NAMES)
        return function(*args, **(kwargs or {}))


def test_nothing_waits_for_the_device_in_the_middle(folder: Path, detector: GuardedDetector) -> None:
    """On this small model of 2 and 2 layers, transformers' own way waits four times, and launches more."""
    inner: Any = detector._detector
    image, ask = picture(1), Ask.of("person", "dog")
    shape = detector.input_shape(320, 240)
    detector.detect([image], [ask])
    with torch.inference_mode():
        pixels = inner._pixels([image], shape)
        questions = inner._text.rows(ask)
        text, _ = inner._text.batch(questions, inner._tokens(questions))
        constants = inner._network.shape_of(pixels)
        with _Waits() as ours:
            inner._network(pixels, text, constants)
    reference = Reference(load(resolve(str(folder))), torch.device("cpu"))
    inputs = reference._processor(images=image, text=[list(ask.labels)], return_tensors="pt")
    with torch.inference_mode(), _Waits() as theirs:
        reference._model(**inputs)
    assert ours.waits == 0
    assert theirs.waits > 0, "the count cannot fail"
    assert ours.operators < 0.75 * theirs.operators


@pytest.mark.parametrize("size", [(320, 240), (1920, 1080), (100, 37)])
def test_pictures_are_scaled_and_normalised_as_the_processor_does_it(size: tuple[int, int]) -> None:
    loaded = load(resolve("demo"))
    image, shape = picture(1, *size), (128, 224)
    theirs = loaded.processor.image_processor(
        images=[image], size={"height": shape[0], "width": shape[1]}, return_tensors="pt"
    )["pixel_values"]
    pixels = Pixels(loaded.processor.image_processor, torch.device("cpu"), torch.float32)
    assert torch.allclose(pixels([image], shape), theirs, atol=1e-6)
    mixed = pixels([image, picture(2), image], shape)
    assert torch.equal(mixed[2], mixed[0])
    assert torch.allclose(mixed[:1], theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("limits", "size", "shape"),
    [
        (Limits(800, 1333), (1920, 1080), (752, 1328)),
        (Limits(800, 1333), (1920, 1088), (752, 1328)),
        (Limits(800, 1333), (1280, 720), (752, 1328)),
        (Limits(800, 1333), (640, 480), (800, 1072)),
        (Limits(800, 1333), (1080, 1920), (1328, 752)),
        (Limits(544, 960), (1920, 1080), (544, 960)),
        (Limits(128, 256), (640, 360), (128, 228)),
        (Limits(800, 1333), (5000, 1), (32, 1328)),
        (Limits(640, 640, (640, 640)), (1920, 1080), (640, 640)),
    ],
)
def test_a_pictures_shape_follows_from_its_size_alone(
    limits: Limits, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    assert limits.shape_of(*size) == shape


def test_a_shape_stretches_a_picture_by_little_and_shapes_are_few() -> None:
    limits, shapes = Limits(800, 1333), set()
    for width in range(600, 2000, 7):
        for height in (480, 720, 1080):
            tall, wide = limits.shape_of(width, height)
            assert abs(wide / tall / (width / height) - 1) < 0.03
            shapes.add((tall, wide))
    assert len(shapes) < 110  # of 600 sizes


_ALONE = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Block())
import numpy as np
from groundcam_schemas import Ask
from groundcam_worker.models import resolve
from groundcam_worker.opening import open_detector
found = open_detector(resolve({model!r}), "cpu").detect([np.zeros((90, 160, 3), np.uint8)], [Ask.of("red circle")])
print(len(found))
"""


def test_the_detector_needs_neither_kafka_nor_video_nor_opencv() -> None:
    """So that it can be measured on a machine that has torch and transformers alone."""
    blocked = {"av", "kafka", "cv2", "prometheus_client", "simplejpeg", "typer", "pydantic_settings"}
    code = _ALONE.format(blocked=blocked, model=str(DEMO))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1", done.stderr[-2000:]


def test_a_compiled_or_recorded_run_is_forgotten_when_newer_ones_come() -> None:
    from groundcam_worker.grounding_dino.network import Shape, Text

    def forward(pixels: torch.Tensor, _text: Text, _shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
        return pixels.flatten(1), pixels.flatten(1)

    runs, shape = PreparedRuns(called_again), Shape(*(torch.zeros(1) for _ in range(5)))  # type: ignore[arg-type]
    text = Text(*(torch.zeros(1, 4, 1) for _ in range(4)))
    for width in range(1, KEPT + 2):
        runs.add(forward, torch.zeros(1, 3, 1, width), text, shape)
    assert len(runs) == KEPT
    assert runs.answer(torch.zeros(1, 3, 1, 1), text) is None
    kept = runs.answer(torch.ones(1, 3, 1, KEPT + 1), text)
    assert kept is not None
    assert np.array_equal(kept[0].numpy(), np.ones((1, 3 * (KEPT + 1))))


def test_runs_of_one_shape_share_the_place_of_their_pictures(breakable: GuardedDetector) -> None:
    inner: Any = breakable._detector
    inner._prepared, inner._compiled = PreparedRuns(called_again), inner._network
    longer = Ask.of("person", "open door", "taxi", "cat", "car", "van", "a red shape")
    breakable.warm_up([Ask.of("dog"), longer], [(320, 240)], 8)
    runs = inner._prepared._runs.values()
    assert len(runs) == 8
    assert len({run.pixels.data_ptr() for run in runs}) == 1


def test_constants_of_a_shape_live_as_long_as_what_was_recorded_with_them(breakable: GuardedDetector) -> None:
    """A recording reads them where they lie, whatever else the network remembers or forgets."""
    inner: Any = breakable._detector
    inner._prepared, inner._compiled = PreparedRuns(called_again), inner._network
    breakable.warm_up([Ask.of("dog")], [(320, 240)], 1)
    (run,) = inner._prepared._runs.values()
    image = picture(1)
    (before,) = breakable.detect([image], [Ask.of("dog")])
    inner._network._shapes.clear()
    (after,) = breakable.detect([image], [Ask.of("dog")])
    assert rows(before) == rows(after)
    assert run.shape.points.shape[-1] == 2
