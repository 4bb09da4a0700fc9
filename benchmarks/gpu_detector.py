"""The detector on a GPU: right, fast, beside transformers and in trouble; a row of JSON as soon as it is known."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from gpu_bench import LONG, SHORT, Bench, Row, decoded, few_objects, tokens_of

from groundcam_schemas import Question
from groundcam_worker.checkpoints.loading import load
from groundcam_worker.detectors.devices import require_full_fp32
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.grounding_dino.recordings import Recorder, Recordings
from groundcam_worker.detectors.grounding_dino.reference import Reference
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.protocol import detect_each
from groundcam_worker.errors import OutOfMemoryError, UnansweredError
from parity import Match, held_ranks, match, picture, reference_rows, rows, their_ranks


def parity(bench: Bench) -> Iterator[Row]:
    """Ours in each precision against transformers in fp32, proposals in its order; the largest values in between."""
    require_full_fp32()
    size = bench.inputs[0]
    reference = Reference(load(bench.source), bench.device)
    asks = [one.model_copy(update={"box_threshold": 0.0, "text_threshold": 0.0}) for one in (SHORT, LONG)]
    if bench.is_dry:
        asks = asks[:1]
    for precision in ("fp32", "fp16", "bf16") if not bench.is_dry else ("fp32",):
        ours = bench.opened(size, Optimisations(precision, graphs=False))  # type: ignore[arg-type]
        inner: Any = ours._detector
        for ask in asks:
            both = Match()
            with largest_values(inner._network) as largest:
                for seed in range(3):
                    image = picture(seed, *bench.camera)
                    with their_ranks(reference) as theirs, torch.inference_mode():
                        expected = reference_rows(reference, image, ask, ours.input_shape(*bench.camera))
                    with held_ranks(theirs):
                        both.add(match(rows(ours.detect([image], [ask])[0]), expected))
            values = sorted(largest.items(), key=lambda item: -item[1])
            yield {"precision": precision, "tokens": max(len(one) for one in tokens_of(inner, ask)),
                   "boxes": len(both.scores), "alone": both.alone, "score": max(both.scores),
                   "score_median": statistics.median(both.scores), "pixels": max(both.pixels),
                   "pixels_median": statistics.median(both.pixels), "of": bench.camera,
                   "largest": {name: round(value, 1) for name, value in values[:4]}}  # fmt: skip
        del ours, inner
        bench.free()


@contextmanager
def largest_values(network: torch.nn.Module) -> Iterator[dict[str, float]]:
    """Note the largest value that each innermost module gives."""
    found: dict[str, float] = {}

    def hook(name: str) -> Any:
        def note(_module: Any, _inputs: Any, output: Any) -> None:
            if torch.is_tensor(output) and output.is_floating_point():
                found[name] = max(found.get(name, 0.0), output.abs().max().item())

        return note

    handles = [
        module.register_forward_hook(hook(name)) for name, module in network.named_modules()
        if not list(module.children())
    ]  # fmt: skip
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


class Watched(Recorder):
    """Notes what each recording takes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def __call__(self, function: Any, inputs: tuple[torch.Tensor, ...]) -> Any:
        torch.cuda.synchronize()
        free, reserved, started = torch.cuda.mem_get_info()[0], torch.cuda.memory_reserved(), time.perf_counter()
        run = super().__call__(function, inputs)
        torch.cuda.synchronize()
        used, grown = free - torch.cuda.mem_get_info()[0], torch.cuda.memory_reserved() - reserved
        self.rows.append({"recording": [list(one.shape) for one in inputs[:2]], "s": time.perf_counter() - started,
                          "pool_mb": grown / 1e6, "outside_mb": (used - grown) / 1e6})  # fmt: skip
        return run


def speed(bench: Bench) -> Iterator[Row]:
    """Pictures in memory to objects in memory: one batch at a time, and one begun while another runs."""
    batches = (1, 2) if bench.is_dry else (1, 8, 16)
    for size in bench.inputs:
        detector = bench.opened(size)
        inner: Any = detector._detector
        watched = None
        if not bench.is_dry:
            watched = Watched()
            inner._recordings = Recordings(watched, live=True)
        started = time.perf_counter()
        detector.warm_up([SHORT, LONG] if not bench.is_dry else [SHORT], [bench.camera], max(batches))
        yield {"input": size, "warm_up_s": time.perf_counter() - started, "recordings": len(inner._recordings)}
        yield from watched.rows if watched and size == bench.inputs[0] else ()
        for ask in (SHORT, LONG) if not bench.is_dry else (SHORT,):
            for batch in batches:
                yield from _speed_of(bench, detector, size, ask, batch)
        if not bench.is_dry and size == bench.inputs[0]:
            yield from _profiled(inner)
        if not bench.is_dry:
            yield {"input": size, "allocated_mb": torch.cuda.memory_allocated() / 1e6,
                   "reserved_mb": torch.cuda.memory_reserved() / 1e6,
                   "card_mb": (torch.cuda.mem_get_info()[1] - torch.cuda.mem_get_info()[0]) / 1e6}  # fmt: skip
        del detector, inner, watched
        bench.free()


def _profiled(inner: Any, batch: int = 8, most: int = 22) -> Iterator[Row]:
    """What the kernels of the recorded runs of a batch take."""
    from torch.profiler import ProfilerActivity, profile

    for key, run in inner._recordings._runs.items():
        if key.batch != batch or key.size.tokens not in {0, 16, 256}:
            continue
        with profile(activities=[ProfilerActivity.CUDA]) as taken:
            run.answer()
            torch.cuda.synchronize()
        events = sorted(
            (one for one in taken.key_averages() if one.self_device_time_total),
            key=lambda one: -one.self_device_time_total,
        )
        yield {"profile": key.size.part, "tokens": key.size.tokens, "batch": batch,
               "kernels": sum(one.count for one in events),
               "ms": sum(one.self_device_time_total for one in events) / 1000,
               "longest": [[one.key[:90], one.count, round(one.self_device_time_total / 1000, 3)]
                           for one in events[:most]]}  # fmt: skip


def _speed_of(
    bench: Bench, detector: GuardedDetector, size: tuple[int, int], ask: Question, batch: int
) -> Iterator[Row]:
    images = decoded(bench, batch)
    ask = few_objects(detector, bench, ask)
    asks, rounds = [ask] * batch, 3 if bench.is_dry else 30
    alone = bench.ms(lambda: detector.detect(images, asks), 10)
    begun = detector.begin(images, asks)
    started = time.perf_counter()
    for _ in range(rounds):
        following = detector.begin(images, asks)
        detector.finish(begun)
        begun = following
    overlapped = 1000 * (time.perf_counter() - started) / rounds
    detector.finish(begun)
    inner: Any = detector._detector
    shape = detector.input_shape(*bench.camera)
    pixels_ms = bench.ms(lambda: inner._pixels(images, shape), 10)
    row: Row = {"input": size, "picture": bench.camera, "batch": batch, "tokens": len(tokens_of(inner, ask)[0]),
                "pixels_ms": pixels_ms, "alone_ms": alone, "overlapped_ms": overlapped,
                "frames_per_s": 1000 * batch / overlapped}  # fmt: skip
    if not bench.is_dry:
        runs = {key: run for key, run in inner._recordings._runs.items() if key.batch == batch}
        padded = inner._tokens(inner._text.rows(ask))
        for key, run in runs.items():
            if key.size.tokens in {0, padded}:
                row[f"{key.size.part}_ms"] = bench.ms(run.answer)
    yield row


def rivals(bench: Bench) -> Iterator[Row]:
    """transformers' model by itself, in fp32 as documented and in fp16."""
    width, height = bench.inputs[0]
    for dtype in (torch.float32,) if bench.is_dry else (torch.float32, torch.float16):
        reference = Reference(load(bench.source), bench.device)
        reference._model.to(dtype)
        for batch, ask in ((1, SHORT),) if bench.is_dry else ((1, SHORT), (8, SHORT), (8, LONG), (16, SHORT)):
            images = [picture(seed, *bench.camera) for seed in range(batch)]
            inputs = reference._processor(
                images=images, text=[list(ask.labels)] * batch, padding=True,
                size={"height": height, "width": width}, return_tensors="pt",
            ).to(bench.device)  # fmt: skip
            inputs["pixel_values"] = inputs["pixel_values"].to(dtype)
            with torch.inference_mode():
                taken = bench.ms(lambda inputs=inputs, reference=reference: reference._model(**inputs), 5)
            yield {"transformers": str(dtype), "input": bench.inputs[0], "batch": batch,
                   "tokens": inputs["input_ids"].shape[1], "model_ms": taken,
                   "frames_per_s": 1000 * batch / taken}  # fmt: skip
        del reference
        bench.free()


def trouble(bench: Bench) -> Iterator[Row]:
    """A recording that fails, and memory that is short for one: nothing is lost, and the next is recorded."""
    size = bench.inputs[0]
    images, asks = decoded(bench, 4), [SHORT] * 4
    if bench.is_dry:
        yield {"trouble": "none on a CPU", "answers": len(bench.opened(size).detect(images, asks))}
        return
    detector = bench.opened(size)
    inner: Any = detector._detector
    see = inner._see

    def syncing(pixels: torch.Tensor, **constants: Any) -> torch.Tensor:
        if torch.cuda.is_current_stream_capturing():
            torch.cuda.synchronize()
        seen: torch.Tensor = see(pixels, **constants)
        return seen

    inner._see = syncing
    answers = [len(detector.detect(images, asks)) for _ in range(3)]
    kinds = [key.size.part for key in inner._recordings.keys]
    inner._see = see
    square = [picture(seed, 480, 480) for seed in range(4)]
    before = torch.cuda.memory_allocated()
    for _ in range(6):
        detector.detect(square, asks)
    others = [key.size.part for key in inner._recordings.keys if key.size.height == key.size.width]
    yield {"trouble": "a failed recording", "answers": answers, "recorded": kinds, "recorded_afterwards": others,
           "grown_mb": (torch.cuda.memory_allocated() - before) / 1e6}  # fmt: skip
    del detector, inner
    bench.free()
    plain = bench.opened(size, Optimisations(graphs=False))
    plain.detect(images[:1], asks[:1])
    torch.cuda.reset_peak_memory_stats()
    base = torch.cuda.memory_allocated()
    plain.detect(images, asks)
    needed = torch.cuda.max_memory_allocated() - base
    del plain
    bench.free()
    for share in (3.0, 1.5, 0.6):
        detector = bench.opened(size)
        detector.detect(images[:1], asks[:1])
        bench.free()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + share * needed) / total))
        try:
            found = [one for _ in range(4) for one in detect_each(detector, images, asks)]
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        lost = sum(isinstance(one, UnansweredError | OutOfMemoryError) for one in found)
        inner = detector._detector
        yield {"trouble": f"memory for {share} times what a batch takes", "needed_mb": needed / 1e6,
               "answers": len(found) - lost, "unanswered": lost, "recorded": len(inner._recordings),
               "ceiling": detector.ceiling(*bench.camera).limit}  # fmt: skip
        del detector, inner
        bench.free()
