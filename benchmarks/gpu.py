"""Check and measure a GPU: one command of at most ten minutes, and one report to send or to keep.

    .venv/bin/python benchmarks/gpu.py [--json FILE] [--limit 560] [--parts speed,parity] [--dry]

Each part is a process of its own with a share of the time; rows are written as they come, so that what is cut off
leaves what it found. Weights are random (speed does not depend on them) unless SWIN_T names a checkpoint's folder.
Nothing is fetched. On a machine without a GPU, `--dry` runs every part with a small model.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDERS = (".", "schemas", "runtime", "worker", "producers", "tests", "tests/detector", "benchmarks")

PARTS = {
    "environment": 40, "kernels": 60, "speed": 170, "parity": 70, "whole": 80, "trouble": 70, "rivals": 60,
    "tests": 170,
}  # fmt: skip
"""Seconds at most, in the order in which they run; later ones get what is left."""
LEAST_S = 10
NOT_RUN = 75
"""The code of a part that was not begun."""
NVIDIA = (
    "NVIDIA publishes 180 frame/s (6 streams of 30) on an H100 for Grounding DINO with TensorRT at 544x960, 256 tokens"
)
NOTES = "tokens are those of the question; ours pads to 16, 32, 64, 128 or 256"


def run_part(name: str, *, dry: bool, shared: Path) -> None:
    """Run a part in this process; print a row a line."""
    import gpu_bench
    import gpu_card
    import gpu_detector
    import gpu_worker

    bench = gpu_bench.Bench(dry, shared)
    parts: dict[str, Callable[[Any], Iterator[dict[str, Any]]]] = {
        "environment": gpu_card.environment, "kernels": gpu_card.kernels, "speed": gpu_detector.speed,
        "parity": gpu_detector.parity, "whole": gpu_worker.whole, "trouble": gpu_detector.trouble,
        "rivals": gpu_detector.rivals,
    }  # fmt: skip
    for row in parts[name](bench):
        print(json.dumps(row), flush=True)


def command_of(name: str, *, dry: bool, shared: Path) -> list[str]:
    if name == "tests":
        # Another torch or Triton than those that are pinned may warn of other things, which is no failure here.
        return [
            sys.executable, "-m", "pytest", str(ROOT / "tests/gpu"), "-q", "-rA", "-o", "filterwarnings=default",
            "-p", "no:cacheprovider", "--rootdir", str(ROOT), "--noconftest", "--durations", "6",
            "-k", "not compiled",  # minutes
        ]  # fmt: skip
    return [sys.executable, __file__, "--part", name, "--shared", str(shared), *(["--dry"] if dry else [])]


def measured(name: str, limit_s: float, *, dry: bool, shared: Path) -> dict[str, Any]:
    """Run a part as a process; return its rows, whatever became of it."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*(str(ROOT / one) for one in FOLDERS), os.environ.get("PYTHONPATH", "")]),
        "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip
    started = time.monotonic()
    lines: list[str] = []
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command_of(name, dry=dry, shared=shared), stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        timer = threading.Timer(limit_s, process.kill)
        timer.start()
        assert process.stdout is not None
        for line in process.stdout:
            print(f"  {line.rstrip()[:400]}", flush=True)
            lines.append(line.rstrip())
        code = process.wait()
        was_cut_off = not timer.is_alive()
        timer.cancel()
        errors.seek(0)
        said = errors.read().splitlines()
    rows = [json.loads(line) for line in lines if line.startswith("{")] if name != "tests" else []
    seconds = time.monotonic() - started
    part = {"part": name, "seconds": seconds, "code": code, "was_cut_off": was_cut_off, "rows": rows}
    if name == "tests":
        part["lines"] = [line for line in lines if line.startswith(("FAILED", "PASSED", "SKIPPED", "ERROR"))]
    if code and not was_cut_off:
        part["errors"] = said[-25:]
        print("\n".join(f"  ! {line}" for line in said[-25:]), flush=True)
    return part


def table(parts: list[dict[str, Any]]) -> str:
    """Return the figures to paste."""
    rows = {part["part"]: part["rows"] for part in parts}
    lines = ["| what | input | batch | tokens | one at a time, ms | overlapped, ms | frame/s |", "|" + " --- |" * 7]

    def line(what: str, row: dict[str, Any], alone: str = "", overlapped: str = "") -> None:
        size = "x".join(map(str, row["input"]))
        cells = (what, size, row["batch"], row["tokens"], alone, overlapped, f"{row['frames_per_s']:.0f}")
        lines.append("| " + " | ".join(map(str, cells)) + " |")

    for row in rows.get("speed", []):
        if "alone_ms" in row:
            line("groundcam", row, f"{row['alone_ms']:.1f}", f"{row['overlapped_ms']:.1f}")
    for row in rows.get("rivals", []):
        kind = row["transformers"].removeprefix("torch.")
        line(f"transformers' model alone, {kind}", row, f"{row['model_ms']:.1f}")
    for row in rows.get("whole", []):
        size = "x".join(map(str, row["picture"]))
        all_answered = row["answers"] == row["frames"]
        only = "" if all_answered else f" ({row['answers']} of {row['frames']} answered in time)"
        line(f"the worker, JPEGs of {size} to messages, {row['decoders']} decoders{only}", row)
    return "\n".join(lines)


def main() -> None:
    """Run the parts, print the table, write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the report goes (out/gpu.json)")
    parser.add_argument("--limit", type=float, default=560, metavar="S", help="seconds for everything (560)")
    parser.add_argument("--parts", default=",".join(PARTS), help="which, in this order: %(default)s")
    parser.add_argument("--dry", action="store_true", help="a small model on the CPU, to see that everything runs")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--shared", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    # A machine may have torch and no installation of groundcam.
    sys.path[:0] = [str(ROOT / folder) for folder in FOLDERS]
    if given.part:
        run_part(given.part, dry=given.dry, shared=given.shared)
        return
    wanted = given.parts.split(",")
    if unknown := sorted(set(wanted) - set(PARTS)):
        parser.error(f"--parts: {unknown[0]} is not one of {', '.join(PARTS)}")
    out = given.json or ROOT / "out" / "gpu.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    started, parts = time.monotonic(), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as shared:
        for name in wanted:
            left = given.limit - (time.monotonic() - started)
            if left < LEAST_S:
                print(f"## {name}: no time is left")
                parts.append({"part": name, "code": NOT_RUN, "why": "no time was left", "rows": []})
            else:
                limit = min(left, PARTS[name])
                print(f"## {name} (at most {limit:.0f} s)", flush=True)
                parts.append(measured(name, limit, dry=given.dry, shared=Path(shared)))
                ended = "was cut off" if parts[-1]["was_cut_off"] else f"ended with code {parts[-1]['code']}"
                print(f"  {name} {ended} after {parts[-1]['seconds']:.0f} s", flush=True)
            report = {
                "command": "python " + " ".join(sys.argv), "dry": given.dry, "machine": platform.machine(),
                "cpus": os.cpu_count(), "weights": os.environ.get("SWIN_T", "random"), "compare": NVIDIA,
                "notes": NOTES, "parts": parts,
            }  # fmt: skip
            out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\n{table(parts)}\n\n{NVIDIA}.\n{NOTES[0].upper()}{NOTES[1:]}. The report: {out}")
    sys.exit(1 if any(part["code"] for part in parts) else 0)


if __name__ == "__main__":
    main()
