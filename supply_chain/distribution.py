"""Make what a release publishes: wheel, sdist, chart package, the wheel's bill of materials, and the SHA-256 of each.

The same commit gives the same bytes: times are those of SOURCE_DATE_EPOCH, by default that of the commit.
"""

import argparse
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model.bom import Bom
from cyclonedx.output.json import JsonV1Dot6

from supply_chain.errors import FindingError, UnavailableError, run
from supply_chain.inventory import read_wheels
from supply_chain.knowledge import read_knowledge
from supply_chain.release import ROOT
from supply_chain.sbom import checked, wheel_component

CHART = Path("helm/groundcam")


def epoch(root: Path) -> int:
    """Seconds since 1970 that stand for now. Raises UnavailableError where nothing says them."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    asked = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=root, capture_output=True, text=True, check=False)
    if asked.returncode or not asked.stdout.strip():
        raise UnavailableError("no commit says when this was: set SOURCE_DATE_EPOCH, seconds since 1970")
    return int(asked.stdout)


def build_package(root: Path, into: Path, seconds: int) -> None:
    """Write wheel and sdist with the pinned build tools that are installed here. Raises FindingError."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(seconds)}
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(into.resolve())]
    built = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if built.returncode:
        raise FindingError(f"wheel and sdist cannot be built:\n{built.stderr.strip()}")


def package_chart(chart: Path, into: Path, seconds: int) -> Path:
    """Write the chart's package as Helm makes it, but always the same bytes. Raises FindingError, UnavailableError."""
    with tempfile.TemporaryDirectory() as made:
        whole = Path(_packaged(chart, Path(made)))
        target = into / whole.name
        target.write_bytes(_again(whole.read_bytes(), seconds))
    return target


def _packaged(chart: Path, into: Path) -> str:
    # The pinned one: another version of Helm may write Chart.yaml in another way.
    try:
        helm_python = import_module("helm_python")
    except ImportError:
        return _packaged_by_program(chart, into)
    try:
        return str(helm_python.package(str(chart), destination=str(into)))
    except helm_python.HelmError as wrong:
        raise FindingError(f"the chart cannot be packaged: {wrong}") from None


def _packaged_by_program(chart: Path, into: Path) -> str:
    helm = shutil.which("helm")
    if helm is None:
        raise UnavailableError("there is neither the package helm-python-sdk nor a helm on the PATH")
    done = subprocess.run(
        [helm, "package", str(chart), "--destination", str(into)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise FindingError(f"helm package: {done.stderr.strip()}")
    (made,) = into.glob("*.tgz")
    return str(made)


def _again(archive: bytes, seconds: int) -> bytes:
    """The same files in order, with one time and no owner."""
    written = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as old,
        gzip.GzipFile(fileobj=written, mode="wb", filename="", mtime=seconds) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            content = old.extractfile(member)
            if content is None:
                continue
            same = tarfile.TarInfo(member.name)
            same.size, same.mtime, same.mode = member.size, seconds, 0o644
            new.addfile(same, content)
    return written.getvalue()


def bill(wheel: Path, seconds: int) -> str:
    """What is in a wheel, as CycloneDX: itself, and what it holds of others. Raises FindingError."""
    named = uuid5(NAMESPACE_URL, f"urn:sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    with tempfile.TemporaryDirectory() as unpacked:
        with zipfile.ZipFile(wheel) as file:
            file.extractall(unpacked)  # noqa: S202 - our own, just built
        (held,) = read_wheels([Path(unpacked)], read_knowledge()).values()
    whole = wheel_component(held)
    bom = Bom(components=list(whole.components), serial_number=named)
    whole.components = []
    bom.metadata.component, bom.metadata.timestamp = whole, datetime.fromtimestamp(seconds, UTC)
    bom.register_dependency(whole, list(bom.components))
    return checked(JsonV1Dot6(bom).output_as_string(indent=2), wheel.name)


def sums(folder: Path) -> str:
    """The lines of `sha256sum` for the files of a folder."""
    files = sorted(path for path in folder.iterdir() if path.name not in {"SHA256SUMS", ".gitignore"})
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def main(arguments: list[str]) -> str:
    parser = argparse.ArgumentParser(prog="make dist", description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="the folder, which is emptied first")
    given = parser.parse_args(arguments)
    into: Path = given.output
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    seconds = epoch(ROOT)
    build_package(ROOT, into, seconds)
    package_chart(ROOT / CHART, into, seconds)
    for wheel in into.glob("*.whl"):
        (into / f"{wheel.name}.cdx.json").write_text(bill(wheel, seconds))
    (into / "SHA256SUMS").write_text(sums(into))
    return (into / "SHA256SUMS").read_text().rstrip("\n")


if __name__ == "__main__":
    run(main)
