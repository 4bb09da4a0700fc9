"""The worked examples of docs/changing.md: each applies to this tree, keeps its style, and passes its own tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PATCHES = sorted((ROOT / "docs" / "changes").glob("*.patch"))
PARTS = ("schemas", "runtime", "producers", "worker", "serve", "events")
PAGE = (ROOT / "docs" / "changing.md").read_text()


def run(folder: Path, *command: str) -> str:
    paths = os.pathsep.join(str(folder / part) for part in (*PARTS, ""))
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.parametrize("patch", PATCHES, ids=lambda one: one.stem)
def test_a_worked_example_applies_and_passes_its_tests(patch: Path, tmp_path: Path) -> None:
    for part in (*PARTS, "groundcam", "tests"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    run(tmp_path, "git", "apply", str(patch))

    files = re.findall(r"^\+\+\+ b/(.+)$", patch.read_text(), re.MULTILINE)
    ruff = str(Path(sys.executable).with_name("ruff"))
    run(tmp_path, ruff, "check", *files)
    run(tmp_path, ruff, "format", "--check", *files)
    tests = [name for name in files if Path(name).name.startswith("test_")]
    where = "import groundcam_schemas; print(groundcam_schemas.__file__)"
    assert str(tmp_path) in run(tmp_path, sys.executable, "-c", where), "the copy is what is tested"
    assert " passed" in run(tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


def test_the_page_names_every_file_of_every_example_and_how_many_lines_change() -> None:
    assert len(PATCHES) == 3
    for patch in PATCHES:
        assert f"changes/{patch.name}" in PAGE
        for row in run(ROOT, "git", "apply", "--numstat", str(patch)).splitlines():
            added, removed, name = row.split("\t")
            lines = int(added) + int(removed)
            assert re.search(rf"^\| `{re.escape(name)}` \|.*\b{lines} \|$", PAGE, re.MULTILINE), (
                f"{name}: {lines} lines"
            )
