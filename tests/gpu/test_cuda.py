"""On a CUDA device the answers are those of the CPU."""

from pathlib import Path

import numpy as np
import pytest
import torch

import checkpoints
from groundcam_schemas import Ask
from groundcam_worker.models import resolve
from groundcam_worker.opening import open_detector

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="gpu tier: this machine has no CUDA device"),
]


def test_the_answers_of_a_gpu_are_those_of_the_cpu(tmp_path: Path) -> None:
    source = resolve(str(checkpoints.save(tmp_path / "small", checkpoints.small_config())))
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    ask = Ask.of("person", "dog", box_threshold=0.0, text_threshold=0.0)
    with torch.backends.cuda.flags() if hasattr(torch.backends.cuda, "flags") else torch.no_grad():
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        (cpu,) = open_detector(source, "cpu").detect([image], [ask])
        (gpu,) = open_detector(source, "cuda").detect([image], [ask])
    assert len(cpu) == len(gpu)
    ours, theirs = (sorted((one.score, *one.box) for one in found) for found in (gpu, cpu))
    assert np.abs(np.subtract(ours, theirs))[:, 0].max() < 1e-3
