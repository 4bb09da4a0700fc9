"""On a CUDA device the answers are those of the CPU, with every step by itself and all of them together."""

from typing import Any

import pytest
import torch

import checkpoints
from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import ModelSource, resolve
from groundcam_worker.detectors.grounding_dino.deformable import SAMPLINGS
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector
from groundcam_worker.detectors.protocol import DetectorHooks
from parity import BOX, BOX_16, SCORE_16, held_ranks, match, our_ranks, picture, rows

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="gpu tier: this machine has no CUDA device"),
]

EVERY = Question.of("person", "open door", box_threshold=0.0, text_threshold=0.0)
IMAGES = [picture(seed, 448, 256) for seed in range(5)]
STEPS = {
    "plain fp32": Optimisations("fp32", "grid_sample", graphs=False),
    "triton": Optimisations("fp32", "triton", graphs=False),
    "graphs": Optimisations("fp32", "grid_sample", graphs=True),
    "fp16": Optimisations("fp16", "grid_sample", graphs=False),
    "bf16": Optimisations("bf16", "triton", graphs=False),
    "all": Optimisations(),
    "all, compiled": Optimisations(compile=True),
}


@pytest.fixture(scope="module", params=["small", "swin-t"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    folder, full = tmp_path_factory.mktemp("gpu") / str(request.param), request.param == "swin-t"
    config = checkpoints.swin_t_config() if full else checkpoints.small_config()
    limits = {"shortest": 256, "longest": 448} if full else {}
    return resolve(str(checkpoints.save(folder, config, **limits)))


@pytest.mark.parametrize("name", STEPS)
def test_the_answers_of_a_gpu_are_those_of_the_cpu(source: ModelSource, name: str) -> None:
    """With the CPU's order of proposals where the run is not a recorded or compiled one, which cannot be told it."""
    steps = STEPS[name]
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    cpu, gpu = open_detector(source, "cpu"), open_detector(source, "cuda", steps)
    with our_ranks() as ranks:
        expected = cpu.detect(IMAGES, [EVERY] * 5)
    is_free = steps.graphs or steps.compile
    if is_free:
        gpu.warm_up([EVERY], [(448, 256)], 8)
        found = gpu.detect(IMAGES, [EVERY] * 5)
    else:
        ranks.places = [places.cuda() for places in ranks.places]
        with held_ranks(ranks):
            found = gpu.detect(IMAGES, [EVERY] * 5)
    score, box = (1e-3, BOX) if steps.precision == "fp32" else (SCORE_16, BOX_16)
    # bf16 has an eighth of fp16's precision.
    score, box = (8 * score, 8 * box) if steps.precision == "bf16" else (score, box)
    matched = [match(rows(one), rows(other)) for one, other in zip(found, expected, strict=True)]
    share = 1 - sum(one.outside(score, box) for one in matched) / sum(len(one.scores) for one in matched)
    print(f"{name}: {share:.2%} within; {matched[0]}")
    assert share >= (0.9 if is_free else 0.99)


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


def test_a_recorded_run_is_used_for_smaller_batches_and_new_shapes(source: ModelSource) -> None:
    new: list[Any] = []
    gpu: GuardedDetector = open_detector(
        source, "cuda", hooks=DetectorHooks(new_shape=lambda *shape: new.append(shape))
    )
    gpu.warm_up([EVERY], [(448, 256)], 4)
    inner: Any = gpu._detector
    assert inner._records, "recording was turned off"
    recorded = len(inner._prepared._runs)
    gpu.detect(IMAGES[:3], [EVERY] * 3)
    assert (len(inner._prepared._runs), new) == (recorded, [])
    gpu.detect([picture(1, 320, 320)], [EVERY])
    assert (len(inner._prepared._runs), len(new)) == (recorded + 1, 1)


def test_out_of_memory_is_survived(source: ModelSource) -> None:
    """Real memory: the process is allowed a little of the device's."""
    gpu = open_detector(source, "cuda", Optimisations(graphs=False))
    gpu.detect(IMAGES[:1], [EVERY])
    total = torch.cuda.get_device_properties(0).total_memory
    many = [picture(seed, 448, 256) for seed in range(64)]
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1.5 * torch.cuda.memory_allocated() / total + 600e6 / total))
    try:
        assert len(gpu.detect(many, [EVERY] * 64)) == 64
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
