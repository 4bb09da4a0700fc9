"""On a CUDA device the answers are those of the CPU, with every step by itself and all of them together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

import checkpoints
from groundcam_runtime.pictures.image import Image
from groundcam_worker.checkpoints.catalogue import ModelSource, resolve
from groundcam_worker.checkpoints.loading import load
from groundcam_worker.detectors.grounding_dino.deformable import SAMPLINGS
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.grounding_dino.pixels import Pixels
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.detectors.protocol import DetectorHooks
from parity import BOX, BOX_16, SCORE_16, asking, held_ranks, match, our_ranks, picture, rows

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="gpu tier: this machine has no CUDA device"),
]

EVERY = asking("person", "open door", box_threshold=0.0, text_threshold=0.0)
SIZES = {"small": (228, 128), "swin-t": (448, 256)}
"""Those of the models' inputs: scaled on a GPU, a picture's bytes may differ by one from those scaled on a CPU."""


def images_of(source: ModelSource, count: int = 5) -> list[Image]:
    return [picture(seed, *SIZES[source.name]) for seed in range(count)]


def never(*_given: Any, **_more: Any) -> Any:
    """What takes the place of the network, where only what was recorded may run."""
    raise AssertionError("it ran unrecorded")


STEPS = {
    "plain fp32": Optimisations("fp32", "grid_sample", graphs=False, fused="plain"),
    "triton": Optimisations("fp32", "triton", graphs=False, fused="plain"),
    "fp16": Optimisations("fp16", "grid_sample", graphs=False, fused="plain"),
    "bf16": Optimisations("bf16", "triton", graphs=False, fused="plain"),
    "fused": Optimisations("fp32", "grid_sample", graphs=False, fused="triton"),
    "fused bf16": Optimisations("bf16", "grid_sample", graphs=False, fused="triton"),
    "all": Optimisations(graphs=False),
}


MEANT = {"auto": "triton"}


@pytest.fixture(scope="module", params=["small", "swin-t"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    folder, full = tmp_path_factory.mktemp("gpu") / str(request.param), request.param == "swin-t"
    config = checkpoints.swin_t_config() if full else checkpoints.small_config()
    limits = {"shortest": 256, "longest": 448} if full else {}
    return resolve(str(checkpoints.save(folder, config, **limits)))


@pytest.mark.parametrize("name", STEPS)
def test_the_answers_of_a_gpu_are_those_of_the_cpu(source: ModelSource, name: str) -> None:
    """Proposals in the CPU's order: those of random weights nearly tie, and 16 bits decide such ties otherwise."""
    steps = STEPS[name]
    images = images_of(source)
    cpu, gpu = open_detector(source, "cpu"), open_detector(source, "cuda", steps)
    inner: Any = gpu._detector
    assert inner._network.encoder[0].attention.sample is SAMPLINGS[MEANT.get(steps.sampling, steps.sampling)]
    assert inner._network.encoder[0].norm.fused == (steps.fused != "plain")
    assert {one.dtype for one in inner._network.encoder.parameters()} == {steps.dtype(torch.device("cuda"))}
    with our_ranks() as ranks:
        expected = cpu.detect(images, [EVERY] * 5)
    ranks.places = [places.cuda() for places in ranks.places]
    with held_ranks(ranks):
        found = gpu.detect(images, [EVERY] * 5)
    score, box = (1e-3, BOX) if steps.precision == "fp32" else (SCORE_16, BOX_16)
    # bf16 has an eighth of fp16's precision.
    score, box = (8 * score, 8 * box) if steps.precision == "bf16" else (score, box)
    share = share_within(found, expected, score, box)
    print(f"{name}: {share:.2%} within")
    assert share >= 0.99


def share_within(found: Sequence[Any], expected: Sequence[Any], score: float, box: float) -> float:
    """Of all boxes, those that have a partner within these."""
    matched = [match(rows(one), rows(other)) for one, other in zip(found, expected, strict=True)]
    return 1 - sum(one.outside(score, box) for one in matched) / sum(len(one.scores) for one in matched)


PREPARED = {
    "recorded, fp32": Optimisations("fp32"),
    "recorded, fp16": Optimisations(),
    "compiled and recorded": Optimisations("fp32", compile=True),
}


@pytest.mark.parametrize("name", PREPARED)
def test_what_is_prepared_gives_what_the_same_network_gives_unprepared(source: ModelSource, name: str) -> None:
    steps = PREPARED[name]
    images = images_of(source)
    gpu, plain = (
        open_detector(source, "cuda", one) for one in (steps, replace(steps, graphs=False, compile=False))
    )  # fmt: skip
    other: Any = plain._detector
    other._is_prepared = True  # so that text is padded alike
    expected = plain.detect(images, [EVERY] * 5)
    gpu.warm_up([EVERY], [SIZES[source.name]], 8)
    inner: Any = gpu._detector
    assert len(inner._recordings) == 8, "four batch sizes of pictures, and of text with them"
    inner._see = inner._answer = never  # what runs is what was prepared
    assert share_within(gpu.detect(images, [EVERY] * 5), expected, SCORE_16, BOX_16) >= 0.99


def test_pictures_are_scaled_on_the_device_as_on_a_cpu() -> None:
    """To a level of 255 everywhere, and to the same level nearly everywhere."""
    processor = load(resolve("demo")).processor.image_processor
    images = [picture(1, 1920, 1080), picture(2, 1280, 720), picture(3, 1280, 720)]
    there, here = (
        Pixels(processor, torch.device(name), torch.float32, fused=name == "cuda")(images, (544, 960)).cpu()
        for name in ("cuda", "cpu")
    )
    apart = (there - here).abs()
    assert apart.max() < 0.02
    assert (apart > 1e-4).float().mean() < 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("coordinates", [2, 4])
def test_the_triton_kernel_gives_the_same_on_the_device(dtype: torch.dtype, coordinates: int) -> None:
    from test_steps import deformable_inputs

    values, offsets, weights, reference, _ = deformable_inputs(coordinates, depth=32, count=301, heads=8)
    from test_steps import SIZES

    from groundcam_worker.detectors.grounding_dino.deformable import Levels

    levels = Levels(SIZES, torch.device("cuda"))
    given = [one.clamp(-6e4, 6e4).to("cuda", dtype) for one in (values, offsets, weights)]
    plain, ours = (SAMPLINGS[name](*given, reference.cuda(), levels) for name in ("grid_sample", "triton"))
    near = 1e-4 if dtype == torch.float32 else 3e-2
    assert (plain.float() - ours.float()).abs().max() < near


def test_a_recorded_run_is_used_for_smaller_batches_and_new_shapes_are_recorded_at_their_second_sight(
    source: ModelSource,
) -> None:
    new: list[Any] = []
    gpu: GuardedDetector = open_detector(
        source, "cuda", hooks=DetectorHooks(new_shape=lambda *shape: new.append(shape))
    )
    gpu.warm_up([EVERY], [SIZES[source.name]], 4)
    inner: Any = gpu._detector
    recorded = inner._recordings.keys
    assert len(recorded) == 6, "recording was turned off"
    gpu.detect(images_of(source, 3), [EVERY] * 3)
    assert (inner._recordings.keys, new) == (recorded, [])
    square = [picture(1, 128, 128)]
    first, second, third = (gpu.detect(square, [EVERY]) for _ in range(3))
    assert (len(inner._recordings), len(new)) == (len(recorded) + 2, 1)
    for found in (second, third):
        assert match(rows(found[0]), rows(first[0])).outside(SCORE_16, BOX_16) == 0


def test_batches_that_are_begun_while_another_runs_are_each_answered_for_themselves(source: ModelSource) -> None:
    """Pictures, text and answers of two batches lie in the same places, one after the other."""
    gpu = open_detector(source, "cuda")
    asks = [EVERY, asking("dog", box_threshold=0.0, text_threshold=0.0)]
    gpu.warm_up(asks, [SIZES[source.name]], 2)
    images = images_of(source)
    batches = [([images[seed], images[seed - 1]], [asks[seed % 2], asks[(seed + 1) % 2]]) for seed in range(5)]
    alone = [gpu.detect(*batch) for batch in batches]
    begun = [gpu.begin(*batches[0])]
    together = []
    for batch in batches[1:]:
        begun.append(gpu.begin(*batch))
        together.append(gpu.finish(begun.pop(0)))
    together.append(gpu.finish(begun.pop()))
    for one, other in zip(together, alone, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            assert rows(mine) == rows(theirs)


def test_a_question_of_several_captions_is_answered_by_recorded_runs(source: ModelSource) -> None:
    gpu = open_detector(source, "cuda")
    plain = open_detector(source, "cuda", Optimisations(graphs=False))
    other: Any = plain._detector
    other._is_prepared = True  # so that text is padded alike
    pairs = [f"{one}{other}" for one in "abcdefghijk" for other in "abcdefghij"]
    long = asking(*pairs, box_threshold=0.0, text_threshold=0.0)
    assert gpu.cost(long) > 1
    gpu.warm_up([EVERY, long], [SIZES[source.name]], 4)
    inner: Any = gpu._detector
    inner._see = inner._answer = never  # what runs is what was recorded
    asks = [EVERY, long, EVERY, long]
    images = images_of(source, 4)
    assert share_within(gpu.detect(images, asks), plain.detect(images, asks), SCORE_16, BOX_16) >= 0.99


def test_out_of_memory_is_survived(source: ModelSource) -> None:
    """Real memory: the process is allowed a little of the device's."""
    gpu = open_detector(source, "cuda", Optimisations(graphs=False))
    gpu.detect(images_of(source, 1), [EVERY])
    total = torch.cuda.get_device_properties(0).total_memory
    many = images_of(source, 64)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1.5 * torch.cuda.memory_allocated() / total + 600e6 / total))
    try:
        assert len(gpu.detect(many, [EVERY] * 64)) == 64
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
