"""What is published: the wheel with nothing but its own dependencies, its metadata, and the sdist."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from groundcam.extras import PACKAGES
from supply_chain import distribution

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Calls one command after the other in one process, as the program does.
CALLS = """
import json, sys
from groundcam import command_line
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["groundcam", *arguments]
    try:
        code = command_line.run()
    except SystemExit as end:
        code = end.code
    print("END", code, flush=True)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    distribution.build_package(ROOT, folder, 1_700_000_000)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The unpacked wheel."""
    (packed,) = built.glob("*.whl")
    with zipfile.ZipFile(packed) as file:
        file.extractall(built / "wheel")  # noqa: S202 - just built
    return built / "wheel"


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> bytes:
    (path,) = wheel.glob("*.dist-info/METADATA")
    return path.read_bytes()


@pytest.fixture(scope="module")
def base(wheel: Path, built: Path, metadata: bytes) -> dict[str, str]:
    """An environment that has the wheel and what it needs without any extra."""
    site = built / "site"
    site.mkdir()
    said = message_from_bytes(metadata)
    for name in needed([Requirement(one) for one in said.get_all("Requires-Dist", [])]):
        for file in importlib.metadata.distribution(name).files or ():
            top = file.parts[0]
            if top != ".." and not (site / top).exists():
                (site / top).symlink_to(importlib.metadata.distribution(name).locate_file(top))
    return {"PYTHONPATH": f"{wheel}{os.pathsep}{site}", "HOME": str(built), "PATH": os.environ["PATH"]}


def needed(asked: list[Requirement]) -> set[str]:
    """The names of all distributions that these requirements bring along, for this machine."""
    found: set[str] = set()
    open_ones = [(one, "") for one in asked]
    seen: set[tuple[str, str]] = set()
    while open_ones:
        one, extra = open_ones.pop()
        if one.marker and not one.marker.evaluate({"extra": extra}):
            continue
        found.add(one.name)
        for wanted in ("", *one.extras):
            if (one.name, wanted) not in seen:
                seen.add((one.name, wanted))
                open_ones += [(Requirement(r), wanted) for r in importlib.metadata.requires(one.name) or ()]
    return found


def python(base: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python without the packages of these tests."""
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        env=base,
        cwd=base["HOME"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_base_is_small_and_has_nothing_of_an_extra(base: dict[str, str]) -> None:
    code = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    extras = sorted({name for names in PACKAGES.values() for name in names} - {"rich"})
    assert len(extras) > 15
    assert python(base, "-c", code, *extras, "kafka", "pytest").stdout.strip() == "['kafka']"


def test_a_subscriber_needs_nothing_else_and_loads_little(base: dict[str, str]) -> None:
    code = (
        "import sys; from groundcam import subscribe, subscribe_events, Detections, Gap; "
        "print(sorted({'typer', 'prometheus_client', 'rich', 'groundcam_worker', 'groundcam_serve'} & set(sys.modules)))"
    )
    done = python(base, "-c", code)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_commands_of_the_base_run(base: dict[str, str]) -> None:
    calls = [
        ["--help"],
        ["--version"],
        ["watch", "--help"],
        ["schema", "export", "schemas"],
        ["config", "example"],
        ["topics", "acls", "--role", "all"],
    ]
    done = python(base, "-c", CALLS, json.dumps(calls))
    assert re.findall(r"^END (.*)$", done.stdout, re.MULTILINE) == ["0"] * len(calls), done.stdout + done.stderr
    assert f"groundcam {PROJECT['version']}" in done.stdout
    assert (Path(base["HOME"]) / "schemas/detections.schema.json").is_file()


def test_a_command_names_the_extra_that_it_needs_in_one_sentence(base: dict[str, str], built: Path) -> None:
    (built / "film.mp4").touch()
    picture = str(ROOT / "docs/shapes.jpg")
    calls = {
        "producer": [["produce", "--camera", "gate=film.mp4"]],
        "worker": [["work", "--question", "person"], ["detect", picture, "--question", "person"]],
        "events": [["track"]],
        "serve": [["serve"], ["serve", "--bootstrap-servers", "127.0.0.1:1"], ["console"], ["watch", "--html", "0"]],
        "models": [["models"], ["models", "fetch", "tiny"]],
        "broker": [["broker"]],
        "demo": [["demo"]],
    }
    done = python(base, "-c", CALLS, json.dumps([one for some in calls.values() for one in some]))
    ends = re.findall(r"^END (.*)$", done.stdout, re.MULTILINE)
    assert ends == [("1" if extra == "broker" else "2") for extra, some in calls.items() for _ in some], done.stderr
    said = [line for line in done.stderr.splitlines() if "needs the package" in line]
    assert [re.sub(r".*: pip install 'groundcam\[(\w+)\]'", r"\1", line) for line in said] == [
        extra for extra, some in calls.items() for _ in some
    ]
    assert "Traceback" not in done.stderr


def test_metadata_is_valid_and_names_the_licence_once(metadata: bytes) -> None:
    said = Metadata.from_email(metadata, validate=True)
    assert said.metadata_version == "2.4"
    assert said.license_expression == "Apache-2.0"
    assert set(said.license_files or ()) == {"LICENSE", "NOTICE"}
    assert not [one for one in said.classifiers or () if one.startswith("License ::")]
    assert "Typing :: Typed" in (said.classifiers or ())
    assert set(said.project_urls or {}) == {"Homepage", "Documentation", "Repository", "Changelog", "Issues"}
    assert said.keywords


def test_every_package_of_the_wheel_is_typed(wheel: Path) -> None:
    packages = {path.name for path in wheel.iterdir() if path.is_dir() and path.suffix != ".dist-info"}
    assert len(packages) == 7
    assert [name for name in sorted(packages) if not (wheel / name / "py.typed").is_file()] == []


def test_the_readme_of_the_index_has_no_link_that_leads_nowhere(metadata: bytes) -> None:
    said: Message = message_from_bytes(metadata)
    assert said["Description-Content-Type"] == "text/markdown"
    text = str(said.get_payload())
    base = f"https://github.com/groundcam/groundcam/blob/v{PROJECT['version']}/"
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", text)
    assert len(links) > 30
    for picture, link in links:
        if picture:
            assert link.startswith("https://raw.githubusercontent.com/groundcam/groundcam/v"), link
            assert (ROOT / link.split("/", 6)[6]).is_file(), link
        else:
            assert link.startswith(base), link
            assert (ROOT / link.removeprefix(base).partition("#")[0]).is_file(), link


def test_the_sdist_builds_and_tests_and_holds_nothing_else(built: Path) -> None:
    (packed,) = built.glob("*.tar.gz")
    with tarfile.open(packed) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    tops = {name.partition("/")[0] for name in names}
    assert {"pyproject.toml", "constraints.txt", "Makefile", "README.md", "LICENSE", "NOTICE", "PKG-INFO"} <= tops
    assert {"groundcam", "schemas", "runtime", "producers", "worker", "serve", "events"} <= tops
    assert {"tests", "supply_chain", "benchmarks", "helm", "docs", "deploy", ".github"} <= tops
    assert not tops & {".venv", ".git", "dist", "out", "build", ".hypothesis", "demo-out"}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".whl"))]
