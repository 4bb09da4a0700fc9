"""The network as machine code for a CPU: made ahead of time in a process of its own, taken when it is there."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import checkpoints
from conftest import Wait
from groundcam_worker.checkpoints import hub
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.detectors.grounding_dino.compiled import compilations
from groundcam_worker.detectors.grounding_dino.compiled.compilations import WORTH_IT, Compilations
from groundcam_worker.detectors.grounding_dino.compiled.packages import digest_of
from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.detectors.opening import open_detector
from parity import asking, match, picture, rows

NAME = "groundcam_worker.detectors.grounding_dino.compiled.compilations"
ASK = asking("person", "open door")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of few layers: each takes seconds to compile."""
    return checkpoints.save(tmp_path_factory.mktemp("shallow") / "shallow", shallow())


@pytest.fixture(scope="module")
def detector(folder: Path) -> GuardedDetector:
    """It as it is."""
    return opened(folder, compile=False)


@pytest.fixture(scope="module")
def cache(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which `groundcam models compile` has compiled the model for one shape."""
    home: Path = tmp_path_factory.mktemp("cache")
    done = subprocess.run(
        [sys.executable, "-m", "groundcam", "models", "compile", folder, "--size", "320x240", "--size", "640x480"],
        env={**os.environ, "HF_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    shape, place = line.split(": ")
    assert shape.startswith("inputs of ")
    assert [path.name for path in sorted(Path(place).iterdir())] == ["answer", "see", "sha256.json"]
    assert Path(place).is_relative_to(home)
    return home


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache."""
    monkeypatch.setattr(hub, "HOME", tmp_path)
    return tmp_path


def shallow() -> Any:
    config = checkpoints.small_config()
    config.encoder_layers = 1
    return config


def opened(folder: Path, **steps: Any) -> GuardedDetector:
    return open_detector(resolve(str(folder)), "cpu", Optimisations(**steps))


def code_of(detector: GuardedDetector) -> Compilations:
    found = detector._detector._code  # type: ignore[attr-defined]
    assert isinstance(found, Compilations)
    return found


def taken(detector: GuardedDetector) -> list[bool]:
    """Of each shape, whether compiled code answers it."""
    return [parts is not None for parts in code_of(detector)._taken.values()]


@needs_compiler
@pytest.mark.parametrize("labels", [("person",), ("person", "open door"), ("a very long name of a class",)])
def test_compiled_code_gives_the_same_in_batches_and_captions_of_any_size(
    detector: GuardedDetector, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, labels: tuple[str, ...]
) -> None:
    monkeypatch.setattr(hub, "HOME", cache)
    mine = opened(folder, compile="auto")
    ask = asking(*labels)
    for count in (1, 2, 5):
        images = [picture(number) for number in range(count)]
        found, expected = (one.detect(images, [ask] * count) for one in (mine, detector))
        for left, right in zip(found, expected, strict=True):
            assert match(rows(left), rows(right)).outside() == 0
    assert taken(mine) == [True]
    (parts,) = code_of(mine)._taken.values()
    assert parts
    assert None not in {parts.see._code, parts.answer._code}, "none of them was given up"


@needs_compiler
def test_weights_are_those_of_the_network_that_is_there(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that gives no numbers gives none when it is compiled, either."""
    monkeypatch.setattr(hub, "HOME", cache)
    mine = opened(folder, compile="auto")
    mine.detect([picture(1)], [ASK])
    assert taken(mine) == [True]
    inner: Any = mine._detector
    inner._network.norm.weight.fill_(torch.nan)
    with pytest.raises(ArithmeticError, match="no numbers"):
        mine.detect([picture(1)], [ASK])


@needs_compiler
def test_code_that_answers_something_else_is_given_up(
    detector: GuardedDetector,
    folder: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(hub, "HOME", cache)
    mine = opened(folder, compile="auto")
    code = code_of(mine)
    load = compilations.load

    def damaged(*given: Any) -> Any:
        parts = load(*given)
        right = parts.see._code
        assert right
        parts.see._code = lambda pixels: right(pixels) + 1.0
        return parts

    monkeypatch.setattr(compilations, "load", damaged)
    (found,), (expected,) = (one.detect([picture(1)], [ASK]) for one in (mine, detector))
    assert match(rows(found), rows(expected)).outside() == 0
    assert "it does not give what the network gives" in caplog.text
    (parts,) = code._taken.values()
    assert parts
    assert parts.see._code is None


@needs_compiler
def test_code_that_fails_is_given_up_and_the_batch_is_answered(
    detector: GuardedDetector,
    folder: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(hub, "HOME", cache)
    mine = opened(folder, compile="auto")
    mine.detect([picture(1)], [ASK])
    (parts,) = code_of(mine)._taken.values()
    assert parts

    def failing(*_inputs: Any) -> Any:
        raise RuntimeError("run_func_ API call failed")

    parts.answer._code = failing
    (found,), (expected,) = (one.detect([picture(1)], [ASK]) for one in (mine, detector))
    assert match(rows(found), rows(expected)).outside() == 0
    assert "compiled code (answer) is not used any more, which costs speed: run_func_ API call failed" in caplog.text


@needs_compiler
def test_a_cut_file_is_told_and_the_network_answers_as_it_is(
    folder: Path, cache: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(cache, home, dirs_exist_ok=True)
    (path,) = home.rglob("see/**/*.so")
    path.write_bytes(path.read_bytes()[:100_000])
    mine = opened(folder, compile="auto")
    mine.detect([picture(1)], [ASK])
    assert taken(mine) == [False]
    assert "it is damaged; remove it, and make it by `groundcam models compile`" in caplog.text


@needs_compiler
@pytest.mark.parametrize("error", [RuntimeError("DefaultCPUAllocator: can't allocate memory"), MemoryError()])
def test_code_for_which_there_is_no_room_now_is_kept_and_taken_later(
    error: Exception, folder: Path, cache: Path, home: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    shutil.copytree(cache, home, dirs_exist_ok=True)
    now, load = [0.0], compilations.load

    def no_room(*_given: object) -> Any:
        raise error

    mine = opened(folder, compile="background")
    monkeypatch.setattr(code_of(mine), "_clock", lambda: now[0])
    monkeypatch.setattr(compilations, "load", no_room)
    wanted = mine.detect([picture(1)], [ASK])
    assert (taken(mine), "no room for compiled code" in caplog.text) == ([], True)
    code_of(mine).warm(torch.zeros(1, 3, *code_shape(mine)))
    assert code_of(mine)._making is None, "it lies there, and is not made again"
    monkeypatch.setattr(compilations, "load", load)
    now[0] = compilations.LOOK_AGAIN_S
    assert len(mine.detect([picture(1)], [ASK])[0]) == len(wanted[0])
    assert taken(mine) == [True]


@needs_compiler
def test_what_cannot_be_taken_is_made_anew_where_that_is_wanted(
    folder: Path, cache: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(cache, home, dirs_exist_ok=True)
    (place,) = (path.parent for path in home.rglob("sha256.json"))
    (place / "sha256.json").write_text("{}")
    made: list[tuple[int, int]] = []
    monkeypatch.setattr(Compilations, "_make", lambda _self, shape: made.append(shape))
    mine = opened(folder, compile="background")
    mine.detect([picture(1)], [ASK])
    assert not place.exists()
    mine.detect([picture(1)] * WORTH_IT, [ASK] * WORTH_IT)
    assert made == [code_shape(mine)]


@needs_compiler
def test_code_of_one_checkpoint_answers_with_the_weights_of_another(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with the smallest of them: a bias of four numbers moves every box."""
    monkeypatch.setattr(hub, "HOME", cache)
    other = checkpoints.save(tmp_path / "other", shallow(), seed=11)
    mine, plain = opened(other, compile="auto"), opened(other, compile=False)
    (found,), (expected,) = (one.detect([picture(1)], [ASK]) for one in (mine, plain))
    assert taken(mine) == [True]
    matched = match(rows(found), rows(expected))
    assert max(matched.scores) < 1e-4
    assert max(matched.pixels) < 0.05
    (parts,) = code_of(mine)._taken.values()
    assert parts
    assert parts.are_used
    small = [name for name, one in parts.answer._weights.items() if one.numel() <= 8]
    assert any(name.endswith("bias") for name in small), "they are given, and not in the code"


@needs_compiler
@pytest.mark.long
def test_mm_grounding_dino_is_compiled_too(tmp_path: Path, home: Path) -> None:
    folder = checkpoints.save(tmp_path / "mm", checkpoints.small_mm_config())
    mine, plain = opened(folder, compile=True), opened(folder, compile=False)
    mine.warm_up([ASK], [(320, 240)], 1)
    for count in (1, 3):
        images = [picture(number) for number in range(count)]
        found, expected = (one.detect(images, [ASK] * count) for one in (mine, plain))
        assert all(match(rows(a), rows(b)).outside() == 0 for a, b in zip(found, expected, strict=True))
    assert taken(mine) == [True]


def test_a_cache_that_may_not_be_read_is_an_empty_one(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raised by every look at a file: root, who runs these tests in some places, may read everything."""

    def refuse(*_given: Any, **_more: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(home))

    mine = opened(folder, compile="auto")
    monkeypatch.setattr(os, "stat", refuse)
    mine.detect([picture(1)], [ASK])
    monkeypatch.undo()
    assert taken(mine) == []


def test_a_worker_compiles_for_few_shapes(folder: Path, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    mine = opened(folder, compile="background")
    code_of(mine)._tried = {(number, number) for number in range(8)}
    mine.detect([picture(1)] * WORTH_IT, [ASK] * WORTH_IT)
    assert "a worker compiles for 8 shapes at most" in caplog.text


def test_half_precision_on_a_cpu_says_that_nothing_is_compiled(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    mine = opened(folder, compile=True, precision="bf16")
    assert mine._detector._code is None  # type: ignore[attr-defined]
    assert "on a CPU that is for fp32 alone, and work.precision is bf16" in caplog.text


def test_nothing_is_compiled_unless_that_is_wanted(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Compilations, "_make", lambda *_given: pytest.fail("it compiles"))
    for mode in (False, "auto"):
        mine = opened(folder, compile=mode)
        mine.detect([picture(1)] * (WORTH_IT + 1), [ASK] * (WORTH_IT + 1))
    assert not list(home.iterdir())


def test_a_shape_is_worth_a_compilation_once_it_has_come_often(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, int]] = []
    monkeypatch.setattr(Compilations, "_make", lambda _self, shape: made.append(shape))
    mine = opened(folder, compile="background")
    pixels = torch.zeros(10, 3, 64, 96)
    for _ in range(WORTH_IT // 10 - 1):
        code_of(mine).parts(pixels)
    assert not made
    code_of(mine).parts(pixels)
    assert made == [(64, 96)]


@needs_compiler
def test_a_compilation_that_fails_is_told_once_with_its_reason_and_answers_go_on(
    detector: GuardedDetector, folder: Path, home: Path, caplog: pytest.LogCaptureFixture, wait: Wait
) -> None:
    mine = opened(folder, compile="background")
    code = code_of(mine)
    code._folder = home / "nowhere"
    code._pictures[code_shape(mine)] = WORTH_IT
    for _ in range(2):
        wait(lambda: bool(ask_once(mine) and code._taken), 120, "the end of the compilation")
    assert taken(mine) == [False]
    told = [one.getMessage() for one in caplog.records if one.name == NAME and one.levelno == logging.WARNING]
    (line,) = told
    assert "compiling failed after" in line
    assert "nowhere" in line
    (found,), (expected,) = (one.detect([picture(1)], [ASK]) for one in (mine, detector))
    assert match(rows(found), rows(expected)).outside() == 0


def test_without_a_compiler_that_is_told(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.delenv("CXX", raising=False)
    mine = opened(folder, compile=True)
    mine.warm_up([ASK], [(320, 240)], 1)
    assert "there is no C++ compiler (g++ or clang++)" in caplog.text
    assert taken(mine) == [False]


@needs_compiler
def test_a_compilation_ends_with_the_worker_that_began_it(folder: Path, home: Path, wait: Wait) -> None:
    """However the worker ends: what it holds of the pipe goes with it."""
    program = (
        "import sys; from groundcam_worker.checkpoints.catalogue import resolve\n"
        "from groundcam_worker.detectors.opening import open_detector\n"
        "from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations\n"
        f"inner = open_detector(resolve({str(folder)!r}), 'cpu', Optimisations(compile='background'))._detector\n"
        "inner._code._make((64, 96))\n"
        "print(inner._code._making.process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "HF_HOME": str(home)},
    ) as worker:  # fmt: skip
        assert worker.stdout
        compiling = int(worker.stdout.readline())
        wait(lambda: bool(list(home.rglob(".unfinished-*"))), 120, "the compilation")
        worker.send_signal(signal.SIGKILL)
    wait(lambda: not is_running(compiling), 120, "its end")


def test_compiled_code_is_of_an_architecture_and_not_of_a_place() -> None:
    config = {"d_model": 256, "backbone_config": {"depths": [2, 2], "_name_or_path": "here"}, "_name_or_path": "here"}
    elsewhere = {**config, "_name_or_path": "there", "backbone_config": {"depths": [2, 2], "_name_or_path": "there"}}
    deeper = {**config, "backbone_config": {"depths": [2, 6]}}
    one = digest_of(config, "embedding_bag")
    assert one == digest_of(elsewhere, "embedding_bag")
    assert one != digest_of(deeper, "embedding_bag")
    assert one != digest_of(config, "grid_sample")


def code_shape(detector: GuardedDetector) -> tuple[int, int]:
    return detector.input_shape(picture(1).shape[1], picture(1).shape[0])


def ask_once(detector: GuardedDetector) -> bool:
    detector.detect([picture(1)], [ASK])
    return True


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
