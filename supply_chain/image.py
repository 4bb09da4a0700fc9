"""What lies in an image: those of its files that tell what it is made of, and its labels (Docker or Podman)."""

import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from supply_chain.errors import FindingError, UnavailableError

PACKAGES = re.compile(r"^(app|.*/(site|dist)-packages)/")
SYSTEM = re.compile(r"^(var/lib/dpkg/(status|status\.d/.*)|(etc|usr/lib)/os-release)$")
BEGINNING = 4
"""Bytes that are kept of a file of which only the kind matters."""


@dataclass(frozen=True)
class Image:
    """An image, unpacked as far as it tells what it is made of."""

    name: str
    digest: str
    labels: dict[str, str]
    environment: dict[str, str]
    root: Path

    def folders(self) -> list[Path]:
        """Folders with installed Python packages, without those that lie inside a package."""
        found = sorted({metadata.parent for metadata in self.root.rglob("*.dist-info")})
        return [one for one in found if not any(other in one.parents for other in found)]


@contextmanager
def opened(name: str, engine: str, whole: Callable[[str], bool]) -> Iterator[Image]:
    """An image of this machine. `whole` tells by its path which compiled file is looked into.

    Raises UnavailableError without the engine, FindingError without the image.
    """
    if trouble := absence(engine):
        raise UnavailableError(f"{trouble}, so {name} cannot be looked at")
    shown = json.loads(said(name, engine, "image", "inspect", name))[0]
    container = said(name, engine, "create", name).strip().splitlines()[-1]
    try:
        with tempfile.TemporaryDirectory(prefix="groundcam-image-") as folder:
            root = Path(folder)
            with subprocess.Popen([engine, "export", container], stdout=subprocess.PIPE) as export:
                assert export.stdout is not None  # noqa: S101  # it is a pipe
                unpack(export.stdout, root, whole)
            if export.returncode:
                raise FindingError(f"{engine} could not export {name}")
            yield described(name, shown, root)
    finally:
        subprocess.run([engine, "rm", container], stdout=subprocess.DEVNULL, check=False)


def absence(engine: str) -> str | None:
    """Why an engine cannot be used here; nothing where it can."""
    if shutil.which(engine) is None:
        return f"there is no {engine} on the PATH"
    done = subprocess.run([engine, "version"], capture_output=True, text=True, check=False)
    return f"{engine} does not run here ({last_line(done.stderr)})" if done.returncode else None


def said(image: str, engine: str, *arguments: str) -> str:
    done = subprocess.run([engine, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise FindingError(f"{engine} says of {image}: {last_line(done.stderr)}")
    return done.stdout


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing"])[-1].rstrip(".")


def described(name: str, shown: dict[str, Any], root: Path) -> Image:
    config = shown["Config"]
    variables = (one.partition("=") for one in config.get("Env") or ())
    return Image(name, shown["Id"], config.get("Labels") or {}, {key: value for key, _, value in variables}, root)


def unpack(stream: IO[bytes], root: Path, whole: Callable[[str], bool]) -> None:
    """Keep what tells what an image is made of; of other files of packages only how they begin."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            if not member.isfile() or ".." in path or not (PACKAGES.match(path) or SYSTEM.match(path)):
                continue
            content = archive.extractfile(member)
            if content is None:
                continue
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                if ".dist-info/" in path or SYSTEM.match(path) or whole(path):
                    shutil.copyfileobj(content, file)
                else:
                    file.write(content.read(BEGINNING))


def debian_packages(root: Path) -> list[tuple[str, str, str]]:
    """Name, version and architecture of what dpkg has installed; nothing on a base that is no Debian."""
    files = [root / "var/lib/dpkg/status", *sorted((root / "var/lib/dpkg/status.d").glob("*"))]
    found = []
    for paragraph in "\n\n".join(file.read_text() for file in files if file.is_file()).split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Architecture|Status): *(.*)$", paragraph, re.MULTILINE))
        if "Package" in fields and fields.get("Status", "install ok installed").endswith(" installed"):
            found.append((fields["Package"], fields["Version"], fields.get("Architecture", "all")))
    return found


def release(root: Path) -> dict[str, str]:
    """The fields of os-release: ID, VERSION_ID and others."""
    text = next((file.read_text() for at in ("etc", "usr/lib") if (file := root / at / "os-release").is_file()), "")
    return {key: value.strip('"') for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)}
