"""What comes from npm, installed once and outside of the repository, as a lock file has it."""

import shutil
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from groundcam.devkafka.broker import cache_folder


def has(*programs: str) -> None:
    """Skip, and say so, where a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@contextmanager
def kept_folder(name: str) -> Iterator[Path]:
    """A folder beside those of groundcam's own cache; one process at a time fetches into it."""
    folder = cache_folder().parent / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield folder


def installed(folder: Path) -> Path:
    """The `node_modules` of a folder with a package.json and its lock file."""
    has("node", "npm")
    lists = [folder / name for name in ("package.json", "package-lock.json")]
    content = b"".join(path.read_bytes() for path in lists)
    with kept_folder(f"npm-{zlib.crc32(content):08x}") as kept:
        if not (kept / "complete").exists():
            for path in lists:
                shutil.copy(path, kept)
            done = subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund"], cwd=kept, capture_output=True, text=True, check=False
            )
            if done.returncode:
                pytest.skip(f"npm could not install what {folder.name} needs: {done.stderr.strip()[-500:]}")
            (kept / "complete").touch()
        return kept / "node_modules"
