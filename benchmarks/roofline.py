"""How long one pass takes on a GPU, modelled: from what each operator reads, writes and multiplies.

    .venv/bin/python benchmarks/roofline.py [--batch 8] [--tokens 256] [--size 544x960]

Nothing is computed: the network runs on torch's meta device, in seconds on any machine. Where a report of `make gpu`
is at hand, its figures stand beside the model's, so that one sees which constant is wrong; what a step would bring is
the model's alone.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("worker", "schemas", "runtime", "tests", "tests/detector")]

import torch  # noqa: E402
from arguments import above_zero, sides  # noqa: E402
from cards import H100, H200, Device  # noqa: E402
from counting import bytes_of, is_work, whole_attention  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402
from transformers import GroundingDinoForObjectDetection  # noqa: E402

import checkpoints  # noqa: E402
from groundcam_worker.detectors.grounding_dino.network import Network, Text  # noqa: E402

REPORT = ROOT / "benchmarks/results/gpu-h200.json"
PRODUCTS = ("aten.mm", "aten.bmm", "aten.addmm", "aten.baddbmm", "aten._addmm_activation", "aten.linear")
KINDS = {
    "counting.attention": "attention", "groundcam.deformable_sample": "sampling",
    "groundcam.attend_in_windows": "windows", "groundcam.add_and_norm": "norms", "groundcam.norm_of_sum": "norms",
    "aten.native_layer_norm": "norms", "aten._softmax": "softmax", "aten.convolution": "convolutions",
}  # fmt: skip
POINTWISE = "pointwise and copies"
KERNELS = {"aten.topk": 10, "aten.native_group_norm": 3, "aten.convolution": 2}
"""Launches of what is more than one."""


@dataclass(frozen=True)
class Operator:
    """One call on the device."""

    part: str
    """pictures, or text with them: what is recorded apart."""
    kind: str
    name: str
    kernels: int
    bytes: int
    flop: float
    looks: int
    """What sampling reads in bytes, wherever it lies."""
    programs: int
    """Of attention: each walks all keys for 64 queries of one head."""
    tiles: int
    """Of 128 keys, for each program."""
    width: int
    """Numbers of a key."""

    def seconds(self, device: Device) -> float:
        """Return how long it takes: reading and multiplying in turn, never less than a launch."""
        rates = {"windows": device.windows, POINTWISE: device.pointwise, "softmax": device.pointwise}
        rate = device.cache if self.bytes < device.cache_bytes else rates.get(self.kind, device.memory)
        work = self.bytes / rate + self.looks / device.gather
        work += self.flop / (device.single if self.kind == "products in fp32" else device.product)
        tile = device.tile_s + max(0, self.width - 64) * device.tile_number_s
        walked = math.ceil(self.programs / device.processors) * self.tiles * tile
        return max(work, walked, self.kernels * device.launch_s)


class _Listing(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.part, self.operators = "", list[Operator]()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if is_work(function):
            given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
            made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
            self.operators.append(_operator(self.part, str(function).rsplit(".", 1)[0], given, made, args))
        return result


def _operator(part: str, name: str, given: list[torch.Tensor], made: list[torch.Tensor], args: Any) -> Operator:
    kind, flop, looks = KINDS.get(name, POINTWISE), 0.0, 0
    programs = tiles = width = 0
    if name in PRODUCTS:
        left = [one for one in args if isinstance(one, torch.Tensor)][-2]  # and not `out`
        kind = "products in fp32" if left.dtype == torch.float32 else "products"
        flop = 2.0 * left.shape[-1] * made[0].numel()
    elif kind == "convolutions":
        flop = 2.0 * made[0].numel() * given[1][0].numel()
    elif kind == "attention":
        query, key = given[:2]
        flop, width = 4.0 * query.numel() * key.shape[-2], key.shape[-1]
        programs = math.prod(query.shape[:-2]) * math.ceil(query.shape[-2] / 64)
        tiles = math.ceil(key.shape[-2] / 128)
    elif kind == "sampling":
        queries, (heads, levels, points) = math.prod(given[1].shape[:2]), given[1].shape[2:5]
        looks = queries * heads * levels * points * 4 * given[0].shape[-1] * given[0].element_size()
    elif kind == "windows":
        flop = 4.0 * made[0].numel() * args[6] ** 2
    size, kernels = sum(map(bytes_of, [*given, *made])), KERNELS.get(name, 1)
    if name == "aten.baddbmm" and given[0].numel() < made[0].numel():
        # The bias is first written to every row of the result, which the product then reads.
        size, kernels = size + 2 * bytes_of(made[0]), kernels + 1
    return Operator(part, kind, name, kernels, size, flop, looks, programs, tiles, width)


def network(config: Any) -> Network:
    """Return a Grounding DINO in fp16, as it runs on CUDA, without numbers."""
    with torch.device("meta"):
        model = GroundingDinoForObjectDetection(config).eval().requires_grad_(False)
        return Network(model, "triton", fused=True).to_precision(torch.float16).to("meta")


def operators(net: Network, batch: int, tokens: int, size: tuple[int, int]) -> list[Operator]:
    """Return what one pass does, in its order; `size` is height and width, `tokens` padded."""
    half, meta = torch.float16, torch.device("meta")
    pixels = torch.empty(batch, 3, *size, dtype=half, device=meta)
    features = torch.empty(batch, tokens, net.width, dtype=half, device=meta)
    is_real = torch.empty(batch, tokens, dtype=torch.bool, device=meta)
    numbers = torch.empty(batch, tokens, device=meta)
    allowed = torch.empty(batch, 1, tokens, tokens, dtype=torch.bool, device=meta)
    text = Text(features, features, is_real, allowed, numbers.long(), numbers)
    with torch.no_grad():
        grids, shape, listing = net.grids_of(pixels), net.shape_of(pixels), _Listing()
        with whole_attention(), listing:
            listing.part = "pictures"
            vision = net.see(pixels, grids)
            listing.part = "text with them"
            net.answer(vision, text, shape)
    return listing.operators


def milliseconds(listed: Iterable[Operator], device: Device) -> float:
    """Return what a list of operators takes."""
    return 1e3 * sum(one.seconds(device) for one in listed)


def without_pointwise(listed: list[Operator]) -> list[Operator]:
    """All that goes number by number is done by the kernels before and after it."""
    return [one for one in listed if one.kind not in (POINTWISE, "softmax", "norms")]


def spread_attention(listed: list[Operator]) -> list[Operator]:
    """Keys are shared out among programs, at least 8 tiles to each, where there are few queries to go round."""

    def spread(one: Operator) -> Operator:
        if one.kind != "attention" or one.programs >= H200.processors or one.tiles <= 8:
            return one
        shares = min(max(1, 2 * H200.processors // one.programs), one.tiles // 8)
        return replace(one, programs=one.programs * shares, tiles=math.ceil(one.tiles / shares))

    return [spread(one) for one in listed]


def half_gathers(listed: list[Operator]) -> list[Operator]:
    """What is looked at is read in half of the bytes: values in 8 bits, or neighbours read once."""
    return [replace(one, looks=one.looks // 2) for one in listed]


def heads_in_16_bits(listed: list[Operator]) -> list[Operator]:
    """Boxes and scores are multiplied as fast as the rest."""
    return [replace(one, kind="products") if one.kind == "products in fp32" else one for one in listed]


STEPS = {
    "keys of text that looks at vision shared out (done since the report)": spread_attention,
    "boxes and scores at the speed of 16 bits": heads_in_16_bits,
    "half of the gathers of deformable attention": half_gathers,
    "nothing pointwise: no norm, softmax or copy of its own": without_pointwise,
}
"""What could be changed, each by itself, and what is then left; how is not said, and some may not be possible."""


def modelled(net: Network, batch: int, tokens: int, size: tuple[int, int]) -> dict[str, Any]:
    """Return a row: the counts of a pass, and milliseconds a batch for each device, as coded and after each step."""
    listed = operators(net, batch, tokens, size)
    row: dict[str, Any] = {
        "input": [size[1], size[0]], "batch": batch, "tokens": tokens,
        "kernels": sum(one.kernels for one in listed), "gigabytes": sum(one.bytes for one in listed) / 1e9 / batch,
        "gigaflop": sum(one.flop for one in listed) / 1e9 / batch,
    }  # fmt: skip
    for device in (H200, H100):
        parts = {
            part: milliseconds((one for one in listed if one.part == part), device)
            for part in ("pictures", "text with them")
        }
        together, after = listed, {}
        for name, step in STEPS.items():
            after[name] = milliseconds(step(listed), device)
            together = step(together)
        after["all of these"] = milliseconds(together, device)
        row[device.name] = parts | {"ms": sum(parts.values()), "after": after}
    kinds = dict.fromkeys(one.kind for one in listed)
    row["kinds"] = {kind: milliseconds((one for one in listed if one.kind == kind), H200) for kind in kinds}
    return row


def seen_on(report: Path) -> Iterator[tuple[tuple[int, int, int, int], tuple[float, float]]]:
    """Yield width, height, batch and padded tokens, and milliseconds of pictures and of text with them, of a report."""
    for part in json.loads(report.read_text())["parts"]:
        for row in part["rows"]:
            if "see_ms" in row:
                tokens = max(16, 1 << (row["tokens"] - 1).bit_length())
                width, height = (math.ceil(side / 16) * 16 for side in row["input"])
                yield (width, height, row["batch"], tokens), (row["see_ms"], row["answer_ms"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=above_zero(int), nargs="+", default=[1, 8, 16])
    parser.add_argument("--tokens", type=above_zero(int), nargs="+", default=[16, 256], help="of the question, padded")
    parser.add_argument("--size", type=sides, default=(544, 960), help="height and width of what the network takes")
    parser.add_argument("--report", type=Path, default=REPORT, help="what `make gpu` wrote, to compare with")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows to it")
    options = parser.parse_args()
    height, width = options.size
    seen = dict(seen_on(options.report)) if options.report.exists() else {}
    net, rows = network(checkpoints.swin_t_config()), []
    print(
        "| input | batch | tokens | kernels | GB, GFLOP a picture | modelled, ms a batch: pictures + text | measured |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for tokens in options.tokens:
        for batch in options.batch:
            row = modelled(net, batch, tokens, (height, width))
            found = seen.get((width, height, batch, tokens))
            row["measured_ms"] = found
            rows.append(row)
            parts = row["H200"]
            print(
                f"| {height}x{width} | {batch} | {tokens} | {row['kernels']} | {row['gigabytes']:.1f},"
                f" {row['gigaflop']:.0f} | {parts['pictures']:.1f} + {parts['text with them']:.1f} |"
                + (f" {found[0]:.1f} + {found[1]:.1f} |" if found else " |"),
                flush=True,
            )
    for row in rows:
        print(f"\nbatch {row['batch']}, {row['tokens']} tokens: modelled ms a batch, and frame/s of the card alone")
        for name in ("H200", "H100"):
            now = row[name]["ms"]
            print(f"  {name} as coded: {now:.1f}, {1e3 * row['batch'] / now:.0f}")
            for step, after in row[name]["after"].items():
                print(f"    {step}: {after:.1f}, {1e3 * row['batch'] / after:.0f}")
        shares = sorted(row["kinds"].items(), key=lambda one: -one[1])
        print("  H200 by kind: " + ", ".join(f"{kind} {ms:.2f}" for kind, ms in shares))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
