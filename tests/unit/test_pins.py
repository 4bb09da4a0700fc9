"""constraints.txt says of every package which files may be installed, and the installer holds to it."""

import hashlib
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply_chain.errors import FindingError
from supply_chain.pins import read_pins

ROOT = Path(__file__).parents[2]
PINS = read_pins((ROOT / "constraints.txt").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ASKED = [
    requirement
    for some in (
        PROJECT["project"]["dependencies"],
        PROJECT["dependency-groups"]["build"],
        PROJECT["build-system"]["requires"],
        *PROJECT["project"]["optional-dependencies"].values(),
    )
    for requirement in map(Requirement, some)
    if requirement.name != "groundcam"
]


def test_every_pin_has_hashes() -> None:
    assert len(PINS) > 150
    assert [pin.name for pin in PINS.values() if not pin.hashes] == []


@pytest.mark.parametrize("requirement", ASKED, ids=str)
def test_what_the_project_asks_for_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert PINS[canonicalize_name(requirement.name)].version in requirement.specifier


@pytest.mark.parametrize("name", ["av", "kafka-python", "torch", "uv", "hatchling"])
def test_what_is_installed_is_what_is_pinned(name: str) -> None:
    assert version(name) == PINS[canonicalize_name(name)].version


@pytest.mark.parametrize("line", ["av", "av>=17", "-e .", "av==1 --hash=md5:0", "https://example.org/av.whl"])
def test_what_is_neither_a_pin_nor_a_hash_is_told_by_its_line(line: str) -> None:
    with pytest.raises(FindingError, match="line 2"):
        read_pins(f"# pins\n{line if line.startswith(('-', 'http')) else ' ' + line}\n")


def test_no_file_names_an_index() -> None:
    for name in ("constraints.txt", "pyproject.toml", "Dockerfile", "Makefile"):
        assert "index-url" not in (ROOT / name).read_text(), name


def wheel(folder: Path, name: str, requires: str = "") -> str:
    """Write a wheel of nothing, version 1.0; its SHA-256."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    asks = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{asks}")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Build:
    """The build's list of packages, made from wheels of a folder without a network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        extras = 'producer = ["first"]\nworker = ["torch"]\ntracing = []\n'
        project = f'[project]\nname = "made-up"\nversion = "1"\n[project.optional-dependencies]\n{extras}'
        (folder / "pyproject.toml").write_text(project)

    def run(self, image: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        variables = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "UV_OFFLINE": "1",
            "UV_FIND_LINKS": str(self.wheels),
            "UV_CACHE_DIR": str(self.folder / "cache"),
            "UV_PYTHON": sys.executable,
        }
        command = ["sh", str(ROOT / "deploy/list_packages.sh"), image]
        return subprocess.run(
            command, cwd=self.folder, env=variables | environment, capture_output=True, text=True, check=False
        )

    def pin(self, hashes: dict[str, str]) -> None:
        text = "".join(f"{name}==1.0 \\\n    --hash=sha256:{one}\n" for name, one in hashes.items())
        (self.folder / "constraints.txt").write_text(f"# pins\n{text}")


def test_the_list_of_an_image_carries_the_hashes_of_the_constraints(tmp_path: Path) -> None:
    build = Build(tmp_path)
    hashes = {"second": wheel(build.wheels, "second"), "first": wheel(build.wheels, "first", "second")}
    build.pin(hashes | {"unused": "0" * 64})
    done = build.run("producer")
    assert done.returncode == 0, done.stderr
    listed = read_pins((tmp_path / "producer.txt").read_text())
    assert {name: pin.hashes for name, pin in listed.items()} == {name: (one,) for name, one in hashes.items()}


def test_a_package_that_is_not_pinned_ends_the_build_by_its_name(tmp_path: Path) -> None:
    build = Build(tmp_path)
    wheel(build.wheels, "second")
    build.pin({"first": wheel(build.wheels, "first", "second")})
    done = build.run("producer")
    assert done.returncode == 1
    assert "second==1.0 is not pinned in constraints.txt" in done.stderr


def test_with_another_index_torch_alone_comes_without_hashes(tmp_path: Path) -> None:
    build = Build(tmp_path)
    hashes = {"second": wheel(build.wheels, "second"), "torch": wheel(build.wheels, "torch", "second")}
    build.pin(hashes)
    index = tmp_path / "index"
    index.mkdir()
    done = build.run("worker", TORCH_INDEX=index.as_uri())
    assert done.returncode == 0, done.stderr
    assert list(read_pins((tmp_path / "worker.txt").read_text())) == ["second"]
    assert (tmp_path / "worker-other.txt").read_text() == "torch==1.0\n"


@pytest.mark.parametrize("honest", [True, False])
def test_a_file_with_another_hash_is_not_installed(tmp_path: Path, honest: bool) -> None:
    build = Build(tmp_path)
    right = wheel(build.wheels, "first")
    build.pin({"first": right if honest else "0" * 64})
    assert build.run("producer").returncode == 0
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--no-index", "--find-links", str(build.wheels)]
    uv += ["--no-deps", "--require-hashes", "--requirement", str(tmp_path / "producer.txt"), "--target"]
    uv += [str(tmp_path / "site"), "--cache-dir", str(tmp_path / "cache"), "--python", sys.executable]
    done = subprocess.run(uv, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is honest
    assert ("Hash mismatch" in done.stderr) is not honest
