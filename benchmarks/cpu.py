"""The network alone on a CPU, four ways in turn: transformers, OpenVINO, ours as it is, and ours compiled.

From normalised pixels to logits and boxes, in fp32, with as many threads each; transformers' own pass includes its text
backbone, which the others run once for each caption, and not here. OpenVINO converts what torch exports of our network,
with `grid_sample` for deformable attention, of which it has an operator: of transformers' own modules there would be
more to compute. Weights of Swin-T are random. Each way is held against ours as it is: the part of the numbers that are
further away than 1e-3.

    make benchmark-cpu [ARGS="--quick --json FILE"]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

ROOT = Path(__file__).parents[1]
for folder in ("tests", "benchmarks", "schemas", "runtime", "worker"):
    sys.path.insert(0, str(ROOT / folder))
sys.path.append(str(ROOT / ".venv-openvino"))

from machine import machine  # noqa: E402

import checkpoints  # noqa: E402
from detector import SIZES, question  # noqa: E402
from groundcam_worker.checkpoints import hub  # noqa: E402
from groundcam_worker.checkpoints.catalogue import resolve  # noqa: E402
from groundcam_worker.checkpoints.loading import load  # noqa: E402
from groundcam_worker.detectors.grounding_dino.compiled.export import Answer, See  # noqa: E402
from groundcam_worker.detectors.grounding_dino.detector import GroundingDino  # noqa: E402
from groundcam_worker.detectors.grounding_dino.feed import Feed  # noqa: E402
from groundcam_worker.detectors.grounding_dino.network import Network  # noqa: E402
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations  # noqa: E402
from groundcam_worker.detectors.grounding_dino.reference import Reference  # noqa: E402
from parity import picture  # noqa: E402

FAR = 1e-3
Way = Callable[[], Any]


@dataclass
class Row:
    """Milliseconds a picture, medians over the rounds, and the part of the numbers that is far from ours as it is."""

    model: str
    size: str
    batch: int
    milliseconds: dict[str, float]
    far: dict[str, float]


class Whole(nn.Module):
    """Both parts, for a rival that compiles them as one."""

    def __init__(self, network: Network, pixels: Tensor) -> None:
        super().__init__()
        self.see = See(network, network.grids_of(pixels))
        self.answer = Answer(network, network.shape_of(pixels))

    def forward(self, pixels: Tensor, *text: Tensor) -> Tensor:
        """Return what was found, as `best_classes` has it."""
        found: Tensor = self.answer(self.see(pixels), *text)
        return found


def with_openvino(source: Any, pixels: Tensor, text: list[Tensor]) -> Way:
    """Return a pass of OpenVINO."""
    import openvino

    torch.backends.cudnn.conv.fp32_precision = "tf32"  # as torch begins: it exports with nothing else
    network = Network(load(source).model.eval(), "grid_sample").to_precision(torch.float32).eval()
    for module in network.modules():
        if isinstance(module, Feed):
            module.is_relu = False  # torch's product with ReLU has no counterpart there
    exported = torch.export.export(Whole(network, pixels), (pixels, *text), strict=False)
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    model = openvino.Core().compile_model(openvino.convert_model(exported), "CPU", options)
    inputs = [one.numpy() for one in (pixels, *text)]
    return lambda: torch.from_numpy(model(inputs)[0])


def with_transformers(source: Any, images: list[Any], labels: tuple[str, ...], shape: tuple[int, int]) -> Way:
    """Return a pass of transformers."""
    reference = Reference(load(source), torch.device("cpu"))
    size = {"height": shape[0], "width": shape[1]}
    inputs = reference._processor(images=images, text=[list(labels)] * len(images), padding=True, size=size,
                                  return_tensors="pt")  # fmt: skip
    return lambda: reference._model(**inputs)


def measured(source: Any, model: str, size: str, batch: int, rounds: int) -> Row:
    """Run every way in turn, after a first call of each that is not counted."""
    width, height = SIZES[size]
    steps, input_size = Optimisations(compile=True), None if model == "demo" else (width, height)
    ways: dict[str, Way] = {}
    images, ask, shape, pixels, text = inputs_of(source, model, batch, (width, height), input_size)
    if (rival := openvino_of(source, pixels, text)) is not None:
        ways["OpenVINO"] = rival
    dino = GroundingDino(load(source), torch.device("cpu"), steps, input_size=input_size)
    dino.warm_up([ask], [(width, height)], 1)
    network, code = dino._network, dino._code
    parts = code.taken(pixels) if code else None
    if parts is None:
        raise SystemExit("nothing was compiled: the log says why")
    grids, constants = network.grids_of(pixels), network.shape_of(pixels)
    ways["transformers"] = with_transformers(source, images, ask.phrases, shape)
    ways["ours"] = lambda: dino._find(network.see(pixels, grids), *text, shape=constants)
    ways["ours, compiled"] = lambda: parts.answer(parts.see(pixels), *text)
    answers = {name: way() for name, way in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - started) * 1000 / batch)
    far = {name: far_from(found, answers["ours"]) for name, found in answers.items() if isinstance(found, Tensor)}
    return Row(model, f"{shape[0]}x{shape[1]}", batch, {name: statistics.median(ms) for name, ms in times.items()}, far)


def inputs_of(
    source: Any, model: str, batch: int, size: tuple[int, int], input_size: tuple[int, int] | None
) -> tuple[list[Any], Any, tuple[int, int], Tensor, list[Tensor]]:
    """Return pictures, the question, the input's shape, and both as the network takes them."""
    images, ask = [picture(seed, *size) for seed in range(batch)], question(model, 10)
    dino = GroundingDino(load(source), torch.device("cpu"), input_size=input_size)
    shape = dino.input_shape(*size)
    (row,) = dino._text.rows(ask)
    text = dino._text.batch([row] * batch, len(row.caption.ids))
    return images, ask, shape, dino._pixels(images, shape).clone(), [one.clone() for one in text]


def openvino_of(source: Any, pixels: Tensor, text: list[Tensor]) -> Way | None:
    """Return OpenVINO's pass, or None where it is not installed, which is told."""
    try:
        return with_openvino(source, pixels, text)
    except ImportError as missing:
        print(f"OpenVINO is left out: {missing}", flush=True)
        return None


def far_from(found: Tensor, expected: Tensor) -> float:
    return float(((found - expected).abs() > FAR).float().mean())


def tell(row: Row) -> None:
    ours = row.milliseconds["ours, compiled"]
    for name, one in row.milliseconds.items():
        far = f"{row.far[name]:.3f}" if name in row.far else "-"
        print(f"| {row.model} | {row.size} | {row.batch} | {name} | {one:.1f} | {one / ours:.2f} | {far} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the model in the box alone")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    cores = machine().partition(", broker")[0]
    print(
        f"{cores}; {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()},"
        f" torch {torch.__version__}, transformers {transformers.__version__}\n"
    )
    print("| model | input | batch | way | ms a picture | of ours, compiled | far from ours as it is |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    results = []
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        hub.HOME = Path(folder)
        cases: list[tuple[Any, str, str, int, int]] = [(resolve("demo"), "demo", "demo", batch, 30) for batch in (1, 8)]
        if not given.quick:
            made = checkpoints.save(Path(folder) / "swin-t", checkpoints.swin_t_config(), 7, 800, 1333)
            cases.append((resolve(str(made)), "swin-t", "544x960", 1, 5))
        for case in cases:
            results.append(measured(*case))
            tell(results[-1])
    if given.json:
        content = {"command": "python " + " ".join(sys.argv), "machine": cores, "rows": [*map(asdict, results)]}
        given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
