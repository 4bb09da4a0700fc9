"""What makes it fast changes no answer: deformable attention, the kernel, prepared runs, and no waiting in between."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import DEMO, resolve
from groundcam_worker.checkpoints.loading import load
from groundcam_worker.detectors.grounding_dino.deformable import SAMPLINGS, Levels
from groundcam_worker.detectors.grounding_dino.linear import by_picture, each_with_bias
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.grounding_dino.pixels import Pixels
from groundcam_worker.detectors.grounding_dino.reference import Reference
from groundcam_worker.detectors.grounding_dino.shapes import Limits
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.errors import ModelError
from parity import picture

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


def test_products_with_a_bias_each_give_the_same_picture_by_picture_also_where_a_token_is_none() -> None:
    draw = torch.Generator().manual_seed(3)
    rows, columns = torch.randn(3, 7, 16, generator=draw), torch.randn(3, 11, 16, generator=draw).transpose(1, 2)
    bias = torch.randn(3, 11, generator=draw)
    bias[1, 4] = float("-inf")
    found = by_picture(rows, columns, bias)
    assert torch.allclose(found, rows @ columns + bias[:, None], atol=1e-5)
    assert torch.allclose(found, each_with_bias(rows, columns, bias), atol=1e-5)
    assert torch.isinf(found[1, :, 4]).all()
    assert torch.isfinite(found[::2]).all()


_KERNEL = """
import sys
sys.path[:0] = {paths!r}
import torch
from test_steps import deformable_inputs
from groundcam_worker.detectors.grounding_dino.deformable import SAMPLINGS
from groundcam_worker.detectors.grounding_dino.kernels import kernel_fault
single, half = (torch.float32, 1e-5), (torch.float16, 1e-2)
for coordinates, depth, (dtype, near) in ((2, 16, single), (4, 24, single), (4, 32, half)):
    values, offsets, weights, *rest = deformable_inputs(coordinates, depth=depth, count=19, heads=2)
    given = values.to(dtype), offsets.clamp(-6e4, 6e4).to(dtype), weights.to(dtype)
    plain = SAMPLINGS["grid_sample"](*given, *rest).float()
    ours = SAMPLINGS["triton"](*given, *rest).float()
    worst = (plain - ours).abs().max().item()
    assert worst < near, (coordinates, depth, dtype, worst)
    # As they come off one product: queries apart from each other by both.
    joined = torch.cat([one.flatten(2) for one in given[1:]], -1).split([one[0, 0].numel() for one in given[1:]], -1)
    views = [part.view(whole.shape) for part, whole in zip(joined, given[1:])]
    assert not views[0].is_contiguous()
    assert torch.equal(SAMPLINGS["triton"](given[0], *views, *rest).float(), ours)
    moved = SAMPLINGS["triton"](given[0], given[1] + 0.2, given[2], *rest).float()
    assert (plain - moved).abs().max() > 10 * near
assert kernel_fault(torch.device("cpu")) is None
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
        open_detector(resolve(str(folder)), "cpu", Optimisations(sampling="triton"))


def test_the_kernel_is_an_operator_that_can_be_traced() -> None:
    from groundcam_worker.detectors.grounding_dino.kernels import sample_with_triton

    values, offsets, weights, reference, levels = (
        one.to("meta") if isinstance(one, torch.Tensor) else one for one in deformable_inputs(2)
    )
    traced = sample_with_triton(values, offsets, weights, reference, levels.table.to("meta"))
    assert traced.shape == (2, 37, 3 * 16)


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
    image, ask = picture(1), Question.of("person", "dog")
    shape = detector.input_shape(320, 240)
    detector.detect([image], [ask])
    with torch.inference_mode():
        pixels = inner._pixels([image], shape)
        questions = inner._text.rows(ask)
        text = inner._text.batch(questions, inner._tokens(questions))
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
from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.opening import open_detector
found = open_detector(resolve({model!r}), "cpu").detect([np.zeros((90, 160, 3), np.uint8)], [Question.of("red circle")])
print(len(found))
"""


def test_the_detector_needs_neither_kafka_nor_video_nor_opencv() -> None:
    """So that it can be measured on a machine that has torch and transformers alone."""
    blocked = {"av", "kafka", "cv2", "prometheus_client", "simplejpeg", "typer", "pydantic_settings"}
    code = _ALONE.format(blocked=blocked, model=str(DEMO))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1", done.stderr[-2000:]


def test_where_triton_cannot_start_its_kernel_a_gpu_goes_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from groundcam_worker.detectors.grounding_dino import optimisations

    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    monkeypatch.setattr(optimisations, "kernel_fault", lambda _device: "RuntimeError: Failed to find C compiler.")
    assert (Optimisations().sampling_on(cuda), Optimisations().sampling_on(cpu)) == ("grid_sample", "embedding_bag")
    monkeypatch.setattr(optimisations, "kernel_fault", lambda _device: None)
    assert Optimisations().sampling_on(cuda) == "triton"


def test_a_kernel_that_fails_says_why_in_one_line() -> None:
    """On a CPU Triton finds no driver."""
    from groundcam_worker.detectors.grounding_dino.kernels import kernel_fault

    fault = kernel_fault(torch.device("cpu"))
    assert fault
    assert "\n" not in fault
