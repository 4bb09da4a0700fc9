"""What is wrong with a command is said before anything heavy is imported."""

import os
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

from groundcam import extras
from groundcam.command_line import app
from groundcam_worker.checkpoints.catalogue import did_you_mean
from groundcam_worker.gpus import Driver
from groundcam_worker.preflight import TorchBuild, device_problem, torch_build

PICTURE = str(Path(extras.__file__).with_name("probe.jpg"))
HEAVY = ("torch", "transformers", "av", "cv2")
TORCH = TorchBuild("2.15.0+cu132", "13.2")
DRIVER = Driver("580.1", 2, (13, 0))

# In one process: what was imported can then be seen, and packages can be missing.
PROGRAM = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))
from groundcam.__main__ import main
for arguments in {calls!r}:
    sys.argv = ["groundcam", *arguments]
    try:
        main()
    except SystemExit as end:
        print("END", end.code, *sorted(set({heavy!r}) & {{name for name, one in sys.modules.items() if one}}), flush=True)
"""


def run(*calls: list[str], missing: tuple[str, ...] = (), heavy: tuple[str, ...] = HEAVY) -> tuple[list[str], str]:
    """How each call ended, with what it has imported; and everything that was said."""
    code = PROGRAM.format(missing=missing, calls=calls, heavy=heavy)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
        env={name: value for name, value in os.environ.items() if not name.startswith("GROUNDCAM_")}
        | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    ends = [line for line in done.stdout.splitlines() if line.startswith("END")]
    return ends, done.stderr + done.stdout


def commands() -> list[list[str]]:
    """Each command and group of them, with --help."""

    def walk(command: object, words: list[str]) -> list[list[str]]:
        found = [[*words, "--help"]]
        for name, below in getattr(command, "commands", {}).items():
            found += walk(below, [*words, name])
        return found

    return walk(typer.main.get_command(app), [])


def test_every_command_has_a_help_text_that_loads_nothing_heavy() -> None:
    every = commands()
    assert len(every) > 20
    ends, said = run(*every, heavy=(*HEAVY, "numpy", "huggingface_hub", "PIL", "jgo"))
    assert ends == ["END 0"] * len(every)
    assert said.count("Usage: ") == len(every)


def test_a_device_a_model_or_a_file_that_is_not_there_is_refused_before_torch_is_imported() -> None:
    asked = ["--question", "person"]
    calls = {
        "work.device: cuda:99 is not there": ["work", "--model", "demo", "--device", "cuda:99"],
        "work.device: 'gpu' is not auto, cpu, cuda or cuda:N": ["work", "--model", "demo", "--device", "gpu"],
        "work.device: cuda:98 is not there": ["detect", PICTURE, "--model", "demo", "--device", "cuda:98", *asked],
        "did you mean tiny?": ["work", "--model", "tinny"],
        "did you mean base?": ["detect", PICTURE, "--model", "bse", *asked],
        "reached (OfflineModeIsEnabled); did you mean IDEA-Research/grounding-dino-tiny?":
            ["detect", PICTURE, "--model", "IDEA-Research/grounding-dino-tinny", *asked],
        "work.model: 'fake:abc' is not like fake:5ms": ["work", "--model", "fake:abc"],
        "there is no file nosuch.jpg": ["detect", "nosuch.jpg", "--model", "demo", *asked],
    }  # fmt: skip
    ends, said = run(*calls.values(), heavy=("torch", "transformers"))
    assert ends == ["END 2"] * len(calls), said
    lines = [line for line in said.splitlines() if line.startswith("groundcam: ")]
    assert len(lines) == len(calls)
    for line, expected in zip(lines, calls, strict=True):
        assert expected in line


@pytest.mark.parametrize("command", [["work"], ["detect", PICTURE, "--question", "person"]])
def test_a_gpu_that_is_not_there_is_told_in_seconds(command: list[str]) -> None:
    started = time.monotonic()
    ends, said = run([*command, "--model", "demo", "--device", "cuda:99"])
    assert ends == ["END 2"], said
    assert time.monotonic() - started < 10, "three seconds, where nobody else works"


def test_a_package_that_is_missing_is_named_with_its_extra_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.touch()
    asked = ["--question", "person"]
    calls = {
        "work needs the package torch: pip install 'groundcam[worker]'": ["work", "--device", "cuda:99"],
        "detect needs the package torch: pip install 'groundcam[worker]'": ["detect", PICTURE, *asked],
        "a film needs the package av: pip install 'groundcam[producer]'":
            ["detect", str(film), "--model", "fake", *asked],
        "produce needs the packages av, simplejpeg: pip install 'groundcam[producer]'":
            ["produce", "--camera", f"gate={film}"],
        "demo needs the packages av, simplejpeg, torch, jgo, rich: pip install 'groundcam[demo]'": ["demo"],
        "models needs the package filelock: pip install 'groundcam[models]'": ["models"],
    }  # fmt: skip
    missing = ("torch", "av", "simplejpeg", "rich", "jgo")
    ends, said = run(*list(calls.values())[:-1], missing=missing, heavy=("transformers", "torch", "av"))
    assert ends == ["END 2"] * (len(calls) - 1), said
    ends, more = run(["models"], missing=("filelock",))
    assert ends == ["END 2"], more
    assert [line.removeprefix("groundcam: ") for line in (said + more).splitlines() if "needs" in line] == list(calls)


@pytest.mark.parametrize(
    ("name", "driver", "build", "says"),
    [
        ("auto", Driver(), TORCH, None),
        ("cpu", Driver(), TORCH, None),
        ("cuda", DRIVER, TORCH, None),
        ("cuda:1", DRIVER, TORCH, None),
        ("cuda:1", Driver(None, None, (13, 2)), TORCH, None),  # a driver without NVML, as in some containers
        ("cuda", DRIVER, None, None),
        ("cuda", Driver(), TorchBuild("2.15.0+rocm7", None, is_rocm=True), None),
        ("cuda:2", DRIVER, TORCH, "cuda:2 is not there; this machine has 2 CUDA devices"),
        ("cuda", Driver(), TORCH, "this machine has no NVIDIA driver with a GPU"),
        ("cuda", Driver("580.1", 2, None), TORCH, "libcuda.so.1 cannot be loaded"),
        ("cuda", DRIVER, TorchBuild("2.15.0+cpu", None), "torch 2.15.0+cpu was built for CPUs, and the driver 580.1"),
        ("cuda", Driver("535.104", 1, (12, 2)), TORCH,
         "torch 2.15.0+cu132 was built for CUDA 13.2, and the driver 535.104 knows no newer than CUDA 12.2"),
        ("cuda:", DRIVER, TORCH, "'cuda:' is not auto, cpu, cuda or cuda:N"),
        ("mps", DRIVER, TORCH, "'mps' is not auto"),
    ],
)  # fmt: skip
def test_a_device_is_refused_only_where_it_cannot_be(
    name: str, driver: Driver, build: TorchBuild, says: str | None
) -> None:
    problem = device_problem(name, driver, build)
    assert (problem is None) == (says is None), problem
    assert says is None or says in str(problem)


def test_what_torch_was_built_for_is_read_without_importing_it() -> None:
    build = torch_build()
    assert build is not None
    assert build.version.partition("+")[0] == version("torch").partition("+")[0]
    assert build.cuda is None or re.fullmatch(r"\d+\.\d+", build.cuda)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("tinny", "tiny"), ("Tiny", "tiny"), ("llmdet_tiny", "iSEE-Laboratory/llmdet_tiny"), ("owlv2base", "owlv2-base"), ("demo@1", ""),
     ("grounding-dino-tiny", "IDEA-Research/grounding-dino-tiny"),
     ("idea-research/grounding-dino-base", "IDEA-Research/grounding-dino-base"),
     ("yolo", ""), ("IDEA-Research/grounding-dino-tiny", "")],
)  # fmt: skip
def test_a_name_that_is_nearly_that_of_a_model_is_told_which(typed: str, meant: str) -> None:
    assert did_you_mean(typed) == (f"; did you mean {meant}?" if meant else "")
