"""The check of a GPU, dry: every part runs on a CPU with a small model, so that the first run on a card is no first run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import gpu_bench  # noqa: E402
import gpu_card  # noqa: E402
import gpu_detector  # noqa: E402
import gpu_worker  # noqa: E402

import gpu  # noqa: E402

PARTS = {
    "kernels": gpu_card.kernels, "speed": gpu_detector.speed, "parity": gpu_detector.parity, "whole": gpu_worker.whole,
    "trouble": gpu_detector.trouble, "rivals": gpu_detector.rivals,
}  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> gpu_bench.Bench:
    return gpu_bench.Bench(is_dry=True, folder=tmp_path_factory.mktemp("gpu"))


def test_every_part_gives_rows_and_the_table_shows_them(bench: gpu_bench.Bench) -> None:
    parts = [{"part": name, "rows": list(part(bench))} for name, part in PARTS.items()]
    assert all(part["rows"] for part in parts)
    by_name = {str(part["part"]): part["rows"] for part in parts}
    (same,) = [row for row in by_name["parity"] if isinstance(row, dict)]
    assert same["precision"] == "fp32"
    assert same["score"] < 1e-4
    assert same["pixels"] < 0.05
    for row in by_name["whole"]:
        assert row["answers"] == 24
        assert row["frames_per_s"] > 0
    table = gpu.table(json.loads(json.dumps(parts)))
    assert table.count("| groundcam |") == 2
    assert "transformers' model alone, float32" in table
    assert "JPEGs of 320x180 to messages" in table


def test_the_report_is_written_part_by_part_and_says_what_failed(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    command = [sys.executable, str(ROOT / "benchmarks/gpu.py"), "--dry", "--parts", "environment", "--json", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (part,) = json.loads(out.read_text())["parts"]
    assert (part["part"], part["code"], part["was_cut_off"]) == ("environment", 0, False)
    assert part["rows"][0]["torch"]
    done = subprocess.run([*command[:2], "--parts", "sped"], capture_output=True, text=True, check=False)
    assert "--parts: sped is not one of environment, kernels" in done.stderr


def test_what_there_was_no_time_for_is_in_the_report_and_is_no_success(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    command = [sys.executable, str(ROOT / "benchmarks/gpu.py"), "--dry", "--limit", "5", "--json", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert {(part["part"], part["why"]) for part in json.loads(out.read_text())["parts"]} == {
        (name, "no time was left") for name in gpu.PARTS
    }


def test_frames_that_nobody_answered_are_told_beside_their_rate() -> None:
    row = {"input": (960, 544), "picture": (960, 544), "decoders": 2, "batch": 8, "answers": 753, "frames": 800,
           "tokens": 10, "frames_per_s": 7.0}  # fmt: skip
    assert "(753 of 800 answered in time)" in gpu.table([{"part": "whole", "rows": [row]}])
