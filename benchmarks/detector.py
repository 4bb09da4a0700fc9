"""The reference way to run Grounding DINO against ours: pictures in memory to boxes in memory, in one process.

The reference is transformers as documented: processor, model, post-processing, in fp32; one by one or batched, the
faster of the two counts. Ours is the detector with its defaults for the device. Both answer the same pictures at the
same input shape, alternating. Weights are random where none are given (speed does not depend on them), but nothing in
them is zero, so that boxes and scores can be compared: at the largest difference, once proposals whose scores tie come
in the same order, and how many tied.

    .venv/bin/python benchmarks/detector.py [--quick] [--json FILE] [--count] [--without-steps]
"""

import argparse
import json
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers

ROOT = Path(__file__).parents[1]
for folder in ("tests", "schemas", "runtime", "worker"):  # a machine may have torch and no installation of groundcam
    sys.path.insert(0, str(ROOT / folder))

from counting import Counts, counted  # noqa: E402

import checkpoints  # noqa: E402
from groundcam_runtime.pictures.image import Image  # noqa: E402
from groundcam_schemas import Question  # noqa: E402
from groundcam_worker.checkpoints.catalogue import resolve  # noqa: E402
from groundcam_worker.checkpoints.loading import load  # noqa: E402
from groundcam_worker.detectors.devices import pick  # noqa: E402
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations  # noqa: E402
from groundcam_worker.detectors.grounding_dino.recordings import Recordings, called_again  # noqa: E402
from groundcam_worker.detectors.grounding_dino.reference import Reference  # noqa: E402
from groundcam_worker.detectors.opening import open_detector  # noqa: E402
from parity import held_ranks, match, our_ranks, picture, reference_rows, rows, their_ranks  # noqa: E402

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORT = {"demo": ("red circle", "blue square"), "swin-t": ("person", "red forklift", "open door")}
SIZES = {"demo": (640, 360), "480x853": (853, 480), "544x960": (960, 544), "750x1333": (1333, 750)}


@dataclass(frozen=True)
class Case:
    """What is measured."""

    model: str
    size: str
    batch: int
    text_tokens: int
    rounds: int


@dataclass
class Result:
    """A row of the table; times are medians over the rounds."""

    model: str
    size: str
    batch: int
    text_tokens: int
    reference_fps: float
    reference_way: str
    ours_fps: float
    ours_ms: float
    ratio: float
    score_difference: float
    box_difference_px: float
    matched: int
    ranks_tied: int
    reference_peak_mb: float | None
    ours_peak_mb: float | None


def cases(device: torch.device, *, quick: bool) -> list[Case]:
    if device.type == "cuda":
        batches, sizes = ((1, 8), ("544x960",)) if quick else ((1, 8, 16), ("480x853", "544x960", "750x1333"))
        full = [Case("swin-t", size, batch, tokens, 5) for size in sizes for batch in batches for tokens in (10, 256)]
        return [Case("demo", "demo", 8, 10, 10), *full]
    small = [Case("demo", "demo", batch, tokens, 12) for batch in (1, 8) for tokens in (8, 62)]
    if quick:
        return [*small, Case("swin-t", "544x960", 1, 10, 2)]
    sizes = ("480x853", "544x960", "750x1333")
    return small + [Case("swin-t", size, 1, tokens, 2) for size in sizes for tokens in (10, 256)]


def question(model: str, tokens: int) -> Question:
    """Ask a few classes, or as many as fill so many tokens."""
    if tokens <= 10:
        return Question.of(*SHORT[model], nms_iou=1.0)
    if model == "demo":
        colours, shapes = ("red", "blue", "green", "yellow", "white"), ("circle", "square", "triangle", "star")
        return Question.of(
            *[f"{colour} {shape}" for colour in colours for shape in shapes][: (tokens - 2) // 3], nms_iou=1.0
        )
    pairs = [f"{one}{other}" for one in LETTERS for other in LETTERS]
    return Question.of(*pairs[: (tokens - 2) // 3], nms_iou=1.0)


class Contest:
    """Both ways, for one model at one size."""

    def __init__(self, source: Any, device: torch.device, size: str, steps: Optimisations) -> None:
        width, height = SIZES[size]
        self._device, self._before = device, 0
        self.reference = Reference(load(source), device)
        self.ours = open_detector(source, str(device), steps, input_size=None if size == "demo" else (width, height))
        self.image_size = (640, 360) if size == "demo" else (1920, 1080)
        self.shape: Any = self.ours.input_shape(*self.image_size)

    def run(self, case: Case) -> Result:
        ask = question(case.model, case.text_tokens)
        images = [picture(seed, *self.image_size) for seed in range(case.batch)]
        self.ours.warm_up([ask], [self.image_size], case.batch)
        tokens = self.reference.outputs(images[:1], [ask.labels], self.shape)[1].shape[1]
        ways: dict[str, Callable[[], Any]] = {
            "one by one": lambda: [self._refer([image], ask) for image in images],
            "batched": lambda: self._refer(images, ask),
            "ours": lambda: self.ours.detect(images, [ask] * len(images)),
        }
        if case.batch == 1:
            del ways["batched"]
        times: dict[str, list[float]] = {name: [] for name in ways}
        peaks: dict[str, float | None] = {}
        for _ in range(case.rounds):
            for name, way in ways.items():
                times[name].append(self._timed(way))
                peaks[name] = self._peak_mb()
        medians = {name: statistics.median(taken) for name, taken in times.items()}
        fastest = min((name for name in ways if name != "ours"), key=medians.__getitem__)
        score, box, matched, tied = self._differences(images[0], ask)
        return Result(
            case.model, f"{self.shape[0]}x{self.shape[1]}", case.batch, tokens,
            case.batch / medians[fastest], fastest, case.batch / medians["ours"], 1000 * medians["ours"],
            medians[fastest] / medians["ours"], score, box, matched, tied, peaks[fastest], peaks["ours"],
        )  # fmt: skip

    def _refer(self, images: list[Image], ask: Question) -> Any:
        outputs, ids = self.reference.outputs(images, [ask.labels] * len(images), self.shape)
        sizes = [image.shape[:2] for image in images]
        return self.reference.post_process(outputs, ids, ask.box_threshold, ask.text_threshold, sizes)

    def _timed(self, way: Callable[[], Any]) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        started = time.perf_counter()
        way()
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    def _peak_mb(self) -> float | None:
        """Return what a call took beyond what lay there before, which is both models and what was recorded."""
        return (torch.cuda.max_memory_allocated() - self._before) / 1e6 if self._device.type == "cuda" else None

    def _differences(self, image: Image, ask: Question) -> tuple[float, float, int, int]:
        """Return the largest differences of score and box, how many boxes were matched, and how many ranks tied.

        The order of proposals is held for it, which recorded runs would not see: so it is an eager run.
        """
        every = ask.model_copy(update={"box_threshold": 0.0, "text_threshold": 0.0})
        inner: Any = self.ours._detector
        prepared, see, answer, code = inner._recordings, inner._see, inner._answer, inner._code
        inner._recordings = Recordings(called_again, live=False)
        inner._see, inner._answer, inner._code = inner._network.see, inner._find, None
        with their_ranks(self.reference) as theirs, torch.inference_mode():
            expected = reference_rows(self.reference, image, every, self.shape)
        with our_ranks() as mine:
            self.ours.detect([image], [every])
        with held_ranks(theirs):
            (found,) = self.ours.detect([image], [every])
        inner._recordings, inner._see, inner._answer, inner._code = prepared, see, answer, code
        tied = sum(int((a != b).sum()) for a, b in zip(mine.places, theirs.places, strict=True))
        matched = match(rows(found), expected)
        return max(matched.scores), max(matched.pixels), len(matched.scores), tied


def contests(device: torch.device, given: argparse.Namespace, steps: Optimisations) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        random = None
        contest, key = None, None
        for case in cases(device, quick=given.quick):
            if case.model == "demo":
                source = resolve("demo")
            else:
                random = random or checkpoints.save(Path(folder) / "swin-t", checkpoints.swin_t_config(), 7, 800, 1333)
                source = resolve(given.model or str(random))
            if key != (case.model, case.size):
                contest, key = Contest(source, device, case.size, steps), (case.model, case.size)
            assert contest is not None
            yield contest.run(case)


def tell_columns() -> None:
    print(
        "| model | input | batch | tokens | reference frame/s | ours frame/s | ms a batch | ratio"
        " | largest difference: score, box | ranks tied | peak MB: reference, ours |"
    )
    print("|" + " --- |" * 11)


def tell(one: Result) -> None:
    peaks = "-" if one.ours_peak_mb is None else f"{one.reference_peak_mb:.0f}, {one.ours_peak_mb:.0f}"
    cells = (
        one.model, one.size, one.batch, one.text_tokens, f"{one.reference_fps:.2f} ({one.reference_way})",
        f"{one.ours_fps:.2f}", f"{one.ours_ms:.0f}", f"{one.ratio:.2f}",
        f"{one.score_difference:.1e}, {one.box_difference_px:.4f} px of {one.matched}", one.ranks_tied, peaks,
    )  # fmt: skip
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def without(steps: Optimisations, device: torch.device) -> dict[str, Optimisations]:
    """Each step turned off by itself."""
    off = {"plain sampling": replace(steps, sampling="grid_sample"), "all steps": steps}
    if device.type == "cuda":
        off |= {"fp32": replace(steps, precision="fp32"), "no graphs": replace(steps, graphs=False)}
    else:
        off |= {"no oneDNN": replace(steps, products="plain"), "compiled": replace(steps, compile=True)}
    return off


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few rows, minutes on two cores")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--model", help="a Swin-T checkpoint instead of random weights")
    parser.add_argument("--compile", action="store_true", help="with work.compile: true")
    parser.add_argument("--count", action="store_true", help="also operators, waits, bytes and FLOP of one picture")
    parser.add_argument("--without-steps", action="store_true", help="the same with each step turned off by itself")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    device = pick(given.device)
    steps = Optimisations(compile=given.compile)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{device} ({name}), torch {torch.__version__}, transformers {transformers.__version__}", flush=True)
    kinds = without(steps, device) if given.without_steps else {"all steps": steps}
    results: dict[str, list[Result]] = {}
    for kind, chosen in kinds.items():
        print(f"\n{kind}", flush=True)
        tell_columns()
        results[kind] = []
        for row in contests(device, given, chosen):
            tell(row)
            results[kind].append(row)
    counts: list[Counts] = counted() if given.count else []
    for one in counts:
        print(f"\n{one}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nlargest resident size of the whole run: {peak:.0f} MB")
    if given.json:
        content = {
            "command": "python " + " ".join(sys.argv),
            "machine": f"{platform.machine()}, {name}",
            "torch": torch.__version__, "transformers": transformers.__version__,
            "rows": [{"steps": kind, **asdict(row)} for kind, rows_ in results.items() for row in rows_],
            "counts": [asdict(one) for one in counts],
        }  # fmt: skip
        given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
