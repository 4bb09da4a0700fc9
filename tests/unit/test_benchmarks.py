"""What benchmarks count, and what they need before they count anything."""

import argparse
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import cost  # noqa: E402
import rivals  # noqa: E402
from arguments import above_zero, sides  # noqa: E402
from arrivals import Arrival  # noqa: E402
from trials import Trial  # noqa: E402


def answered(batches: list[int], ms_a_frame: int) -> list[Arrival]:
    """Answers of a worker that does nothing but look: each batch takes so long for each of its frames."""
    found, now = list[Arrival](), 0
    for size in batches:
        now += size * ms_a_frame * 1_000_000
        found += [Arrival("gate", 0, 0, 0, 0, 0, now, now + each, 0, 0) for each in range(size)]
    return found


@pytest.mark.parametrize("first", range(1, 9))
def test_a_worker_as_fast_as_its_detector_is_measured_as_that_whatever_its_first_batch(first: int) -> None:
    fps = Trial(answered([first, *[8] * 300], 5), {}).fps
    assert fps == pytest.approx(200, rel=1e-9)


def test_what_a_worker_s_cost_is_told_apart_by_is_there() -> None:
    assert [name for owner, name, _ in cost.watched() if not callable(getattr(owner, name, None))] == []


def test_the_job_of_the_rivals_finds_all_of_ours_that_it_needs() -> None:
    packages = sysconfig.get_paths()["purelib"]
    code = f"import sys; sys.path += [{str(ROOT / 'benchmarks/rivals')!r}, {packages!r}]; import job; print(job.Job)"
    names = ("KAFKA__BOOTSTRAP_SERVERS", "KAFKA__TOPIC_PREFIX", "WORK__GROUP")
    variables = {"PYTHONPATH": rivals.OURS, **{f"GROUNDCAM_{name}": "x" for name in names}}
    # Without -S, what is installed in place here would be found, too.
    done = subprocess.run([sys.executable, "-S", "-c", code], env={**os.environ, **variables}, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.stdout == "<class 'job.Job'>\n", done.stderr


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x", ""])
def test_a_number_with_which_nothing_can_be_measured_is_refused(text: str) -> None:
    for kind in (int, float):
        with pytest.raises(argparse.ArgumentTypeError, match="is no number above 0"):
            above_zero(kind)(text)
    for wrong in (text, f"{text}x5", f"5x{text}"):
        with pytest.raises(argparse.ArgumentTypeError, match="is no size"):
            sides(wrong)


def test_a_size_is_two_numbers() -> None:
    assert sides("1280x720") == (1280, 720)
