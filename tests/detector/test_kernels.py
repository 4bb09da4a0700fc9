"""Triton's kernels without a GPU: their arithmetic by Triton's interpreter, and that they compile for cards."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from groundcam_worker.detectors.grounding_dino import fused_kernels, kernels, pixel_kernels

pytest.importorskip("triton", reason="there is no triton on this machine: its kernels are not tested")

_INTERPRETED = """
import sys
sys.path[:0] = {paths!r}
import torch
from torch.nn import functional
import checkpoints
from groundcam_worker.detectors.grounding_dino.fused_kernels import (
    add_and_norm_with_triton, attend_with_triton, fused_fault, norm_of_sum_with_triton,
)
from groundcam_worker.detectors.grounding_dino import fused_kernels
from groundcam_worker.detectors.grounding_dino.swin import Swin
from transformers import SwinBackbone, SwinConfig

cpu, every = torch.device("cpu"), (torch.float32, torch.float16, torch.bfloat16)
assert [fused_fault(cpu, one) for one in every] == [None] * 3
wrong = {{
    "windows that are not shifted": lambda *given: attend_with_triton(*given[:-1], 0),
    "scores that are not scaled": lambda *given: attend_with_triton(*given[:3], 1.0, *given[4:]),
    "keys in the place of values": lambda qkv, *given: attend_with_triton(qkv[..., [*range(64), *range(32, 64)]], *given),
    "an overflow": lambda *given: attend_with_triton(*given) * float("nan"),
}}
for name, one in wrong.items():
    fused_kernels.attend_with_triton = one
    assert [fused_fault(cpu, each) for each in every] == ["its answers are wrong"] * 3, name
fused_kernels.attend_with_triton = attend_with_triton
torch.manual_seed(1)
for width, dtype, near in ((96, torch.float32, 1e-5), (24, torch.float16, 4e-3), (256, torch.bfloat16, 3e-2)):
    features, delta = (torch.randn(3, 37, width).to(dtype) for _ in range(2))
    weight, bias = (torch.randn(width).to(dtype) for _ in range(2))
    summed, normed = add_and_norm_with_triton(features, delta, weight, bias, 1e-5)
    # The interpreter cuts bf16 off where a card rounds.
    assert (summed.float() - (features + delta).float()).abs().max() <= (0 if dtype != torch.bfloat16 else 4 * near)
    for found, value in ((normed, summed), (norm_of_sum_with_triton(features, None, weight, bias, 1e-5), features)):
        wanted = functional.layer_norm(value.float(), (width,), weight.float(), bias.float(), 1e-5)
        assert (found.float() - wanted).abs().max() < near * wanted.abs().max(), (width, dtype)

def backbone(**config):
    made = SwinBackbone(SwinConfig(embed_dim=24, depths=[2, 2], out_indices=[1, 2], **config)).eval()
    checkpoints.redraw(made, 3)
    return made

# Grids that are larger than a window and smaller, with and without padding; windows of more tokens than a program has.
for config, sizes in (
    ({{"num_heads": [2, 4], "window_size": 4}}, ((128, 170), (64, 64), (37, 61), (8, 8))),
    ({{"num_heads": [1, 2], "window_size": 9}}, ((100, 72),)),
):
    theirs = backbone(**config)
    fused = Swin(theirs, fused=True)
    for size in sizes:
        pixels = torch.randn(2, 3, *size)
        with torch.inference_mode():
            wanted = theirs(pixels, return_dict=True).feature_maps
            found = fused(pixels, fused.grids_of(*size, pixels))
        for one, other in zip(found, wanted, strict=True):
            assert (one - other).abs().max() < 1e-4, (config, size, (one - other).abs().max())
print("equal")
"""


@pytest.mark.long
def test_fused_kernels_give_what_transformers_backbone_gives() -> None:
    code = _INTERPRETED.format(paths=[str(Path(__file__).parents[1])])
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "equal", done.stderr[-2000:]


_SCALED = """
import sys
sys.path[:0] = {paths!r}
import torch
from torchvision.transforms.v2 import functional as vision
from groundcam_worker.detectors.grounding_dino.pixel_kernels import Scaler, scaling_fault
from groundcam_worker.detectors.grounding_dino.pixels import Pixels
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.checkpoints.loading import load
from parity import picture

assert scaling_fault(torch.device("cpu")) is None
mean, deviation = torch.tensor([120.0, 110.0, 100.0]), torch.tensor([58.0, 57.0, 56.0])
scaler, equal, every = Scaler(mean, deviation), 0, 0
# Smaller in both, in one, in none, the same, larger, and by odd shares; noise, which shows every rounding.
for size, target in (
    ((23, 40), (9, 15)), ((23, 40), (23, 15)), ((15, 10), (15, 10)), ((8, 10), (13, 16)), ((19, 11), (8, 300)),
):
    pictures = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8)
    out = torch.empty(2, 3, *target)
    scaler(pictures, out)
    wanted = vision.resize(pictures.permute(0, 3, 1, 2), list(target), antialias=True).float()
    levels = out * deviation.view(3, 1, 1) + mean.view(3, 1, 1)
    apart = (levels - wanted).abs()
    assert apart.max() < 1.01, (size, target, apart.max())
    equal, every = equal + int((apart < 0.5).sum()), every + apart.numel()
assert equal > 0.99 * every, equal / every

processor = load(resolve("demo")).processor.image_processor
plain, fused = (
    Pixels(processor, torch.device("cpu"), torch.float32, fused=one)([picture(1, 80, 60), picture(2, 32, 40)], (24, 32))
    for one in (False, True)
)
apart = (plain - fused).abs()
assert apart.max() < 0.02 and (apart > 1e-4).float().mean() < 0.01, (apart.max(), (apart > 1e-4).float().mean())
print("equal")
"""


def test_pictures_are_scaled_as_torch_scales_them_on_a_cpu() -> None:
    """To a level of 255 everywhere, and to the same level nearly everywhere."""
    code = _SCALED.format(paths=[str(Path(__file__).parents[1])])
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "equal", done.stderr[-2000:]


_TRANSPOSED = """
import torch
from groundcam_worker.detectors.grounding_dino.fused_kernels import add_and_norm_with_triton, norm_of_sum_with_triton

lying = torch.randn(2, 32, 6).transpose(1, 2)  # as a patch embedding gives it
weight, bias = torch.ones(32), torch.zeros(32)
for kernel, given in (
    (norm_of_sum_with_triton, (lying, None, weight, bias, 1e-5)),
    (add_and_norm_with_triton, (lying, lying.clone(), weight, bias, 1e-5)),
):
    torch.library.opcheck(kernel, given, test_utils=("test_schema", "test_faketensor"))
print("equal")
"""


def test_what_a_compiler_is_told_of_a_kernel_is_what_it_gives_however_its_input_lies() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _TRANSPOSED], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "equal", done.stderr[-2000:]


SAMPLE = {"HEADS": 8, "DEPTH": 32, "DEPTH_BLOCK": 32, "LEVELS": 4, "POINTS": 4, "POINTS_BLOCK": 16, "QUERIES": 16}
ATTEND = {"HEADS": 3, "DEPTH": 32, "DEPTH_BLOCK": 32, "BLOCK": 64}
VARIANTS = {
    "points": ("_sample", {**SAMPLE, "COORDINATES": 2}),
    "boxes": ("_sample", {**SAMPLE, "COORDINATES": 4}),
    "windows of Swin-T": ("_attend", {**ATTEND, "SIDE": 7, "IS_SHIFTED": False}),
    "shifted windows of Swin-B": ("_attend", {**ATTEND, "SIDE": 12, "IS_SHIFTED": True}),
    "a sum and its norm": (
        "_add_and_norm",
        {"WIDTH": 96, "WIDTH_BLOCK": 128, "ROWS": 16, "HAS_DELTA": True, "KEEPS_SUM": True},
    ),
    "scaling": ("_scale", {"COLUMNS": 256}),
    "a norm": (
        "_add_and_norm",
        {"WIDTH": 256, "WIDTH_BLOCK": 256, "ROWS": 8, "HAS_DELTA": False, "KEEPS_SUM": False},
    ),
}
FILES = (kernels, fused_kernels, pixel_kernels)
FLOATS = {
    **dict.fromkeys(("weights_down", "weights_across", "mean", "deviation"), "*fp32"), "bytes_": "*u8",
    "first_down": "*i32", "first_across": "*i32", "reference": "*fp32", "sizes": "*i32", "scale": "fp32", "eps": "fp32",
}  # fmt: skip
NUMBERS = {
    "total", "count", "reference_stride", "height", "width", "tall", "wide", "shift", "rows", "offsets_stride",
    "weights_stride", "many_down", "many_across",
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_kernels_compile_for_cards_of_every_generation(name: str, dtype: str) -> None:
    """Triton compiles for a card without having one; a version of it has failed on a variant of a kernel before."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kernel_name, constants = VARIANTS[name]
    kernel: Any = next(getattr(file, kernel_name) for file in FILES if hasattr(file, kernel_name))
    names = kernel.arg_names
    signature = {
        one: "constexpr" if one in constants else "i32" if one in NUMBERS else FLOATS.get(one, f"*{dtype}")
        for one in names
    }
    pointers = [index for index, one in enumerate(names) if signature[one].startswith("*")]
    source = ASTSource(
        fn=kernel, signature=signature, constexprs={(names.index(one),): value for one, value in constants.items()},
        attrs={(index,): [["tt.divisibility", 16]] for index in pointers},
    )  # fmt: skip
    for capability in (75, 80, 90):
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"enable_fp_fusion": True})
        assert compiled.asm["cubin"]


def test_the_driver_that_torch_has_loaded_is_found_for_triton(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text(
        "7f00-7f01 r-xp 00000000 08:01 1234                       /usr/lib/x86_64-linux-gnu/libc.so.6\n"
        "7f02-7f03 rw-p 00000000 00:00 0 \n"
        "7f04-7f05 r-xp 00000000 08:01 77                         /opt/lent by the host/lib64/libcuda.so.580.1\n"
    )
    assert kernels.driver_folder(maps) == "/opt/lent by the host/lib64"
    maps.write_text("")
    assert kernels.driver_folder(maps) is None
    assert kernels.driver_folder(tmp_path / "none") is None
