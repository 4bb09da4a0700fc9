"""What lies in a folder of installed packages: wheels, and what each wheel bundles.

Three kinds of proof: a file that is a compiled library or program and no extension module of Python (`file`); the bytes
of an extension module that show what was linked into it (`bytes`); and what the wheel itself states in a bill of
materials beside its metadata (`stated`). What a wheel hides from all three is not seen.
"""

import importlib.metadata
import json
import mmap
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from supply_chain.errors import UnavailableError
from supply_chain.expressions import joined
from supply_chain.knowledge import Component, Knowledge, Statement

EXTENSION_MODULE = re.compile(r"\.(cpython-\d+[^/]*|abi3)\.so$")
COMPILED = (b"\x7fELF", b"BC\xc0\xde", b"MZ")
"""How Linux libraries and programs, LLVM bitcode and programs of Windows begin. Static archives are left out: the
images drop them."""
TEXT = {
    ".c",
    ".cpp",
    ".cu",
    ".cuh",
    ".h",
    ".hpp",
    ".inl",
    ".json",
    ".md",
    ".py",
    ".pyc",
    ".pyi",
    ".rst",
    ".txt",
    ".yaml",
}
"""Not opened, since wheels hold tens of thousands of them."""


Files = Sequence[importlib.metadata.PackagePath]


@dataclass(frozen=True)
class Part:
    """Something of somebody else's inside a wheel. `purl` and `version` as far as the wheel states them.

    What a wheel states as optional may have been left out when it was built: alone that proves nothing.
    """

    name: str
    licence: str | None
    proof: str
    files: tuple[str, ...] = ()
    version: str | None = None
    purl: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class Wheel:
    """An installed package. `unknown` are compiled files that no entry of components.toml explains."""

    name: NormalizedName
    version: str
    licence: str | None
    requires: tuple[str, ...]
    parts: tuple[Part, ...]
    unknown: tuple[str, ...]
    is_listed: bool = True
    """Whether it says which files it has: else nothing is known of what it holds."""


def read_wheels(folders: Iterable[Path], knowledge: Knowledge) -> dict[NormalizedName, Wheel]:
    """Every package that is installed in the folders, by its normalised name."""
    found = importlib.metadata.distributions(path=[str(folder) for folder in folders])
    return {(wheel := read_wheel(one, knowledge)).name: wheel for one in found}


def read_wheel(one: importlib.metadata.Distribution, knowledge: Knowledge) -> Wheel:
    """One installed package with all that it bundles, as far as one of the three proofs goes."""
    name = canonicalize_name(one.metadata["Name"])
    statement = knowledge.statement(name)
    files = tuple(one.files or ())
    stated = [part for part in stated_parts(files) if not is_itself(part, name)]
    by_component: dict[Component, list[str]] = {}
    unknown = []
    for file in compiled_files(files):
        component = knowledge.component(name, file)
        if component is not None:
            by_component.setdefault(component, []).append(file)
        elif not any(fnmatchcase(file, pattern) for pattern in statement.own):
            unknown.append(file)
    parts = []
    for component, paths in by_component.items():
        same = next((part for part in stated if component.called(part.name)), None)
        version, purl = (same.version, same.purl) if same else (None, None)
        parts.append(Part(component.name, component.licence, "file", tuple(sorted(paths)), version, purl))
    parts += linked_parts(files, statement)
    parts += [
        part
        for part in stated
        if not part.optional and not any(component.called(part.name) for component in by_component)
    ]
    parts += vendored_packages(files, knowledge)
    return Wheel(
        name,
        one.version,
        knowledge.licence(name, one.metadata),
        tuple(one.requires or ()),
        tuple(sorted(parts, key=lambda part: (part.proof, part.name.lower(), part.version or ""))),
        tuple(sorted(unknown)),
        one.files is not None,
    )


def is_itself(part: Part, wheel: NormalizedName) -> bool:
    """A wheel's bill may list the wheel, and its own extension modules."""
    return canonicalize_name(part.name) == wheel or (part.purl or "").startswith(f"pkg:pypi/{wheel}@")


def compiled_files(files: Files) -> Iterator[str]:
    """Paths, relative to the folder of packages, of compiled files that are no extension modules."""
    for file in files:
        path = Path(str(file.locate()))
        if file.suffix in TEXT or EXTENSION_MODULE.search(file.as_posix()) or not path.is_file():
            continue
        with path.open("rb") as content:
            if content.read(4).startswith(COMPILED):
                yield file.as_posix()


def linked_parts(files: Files, statement: Statement) -> Iterator[Part]:
    """What was linked into extension modules, where their bytes still show it."""
    for linked in statement.linked:
        found = [
            file.as_posix()
            for file in files
            if fnmatchcase(file.as_posix(), linked.file) and holds(Path(str(file.locate())), linked.bytes)
        ]
        if found:
            yield Part(linked.name, linked.licence, "bytes", tuple(sorted(found)))


def holds(path: Path, text: str) -> bool:
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text.encode()) >= 0


def stated_parts(files: Files) -> Iterator[Part]:
    """What the wheel's own bills of materials (CycloneDX, in `*.dist-info/sboms`) name, each once."""
    seen = set()
    for file in files:
        if file.parent.name != "sboms" or file.suffix != ".json":
            continue
        bill: dict[str, Any] = json.loads(Path(str(file.locate())).read_text())
        for component in bill.get("components", ()):
            key = component["name"], component.get("version")
            if key not in seen and component.get("type", "library") == "library":
                seen.add(key)
                yield Part(
                    component["name"],
                    stated_licence(component),
                    "stated",
                    (file.as_posix(),),
                    component.get("version"),
                    component.get("purl"),
                    optional=component.get("scope", "required") != "required",
                )


def vendored_packages(files: Files, knowledge: Knowledge) -> Iterator[Part]:
    """Packages of Python that lie inside this one with their own metadata."""
    for file in files:
        if file.name == "METADATA" and file.parent.name.endswith(".dist-info") and len(file.parts) > 2:
            inner = importlib.metadata.Distribution.at(Path(str(file.locate())).parent)
            name = canonicalize_name(inner.metadata["Name"])
            yield Part(
                name,
                knowledge.licence(name, inner.metadata),
                "stated",
                (file.as_posix(),),
                inner.version,
                f"pkg:pypi/{name}@{inner.version}",
            )


def stated_licence(component: dict[str, Any]) -> str | None:
    said = [one.get("expression") or one["license"].get("id") for one in component.get("licenses", ())]
    return joined(f"({one})" if " " in one and len(said) > 1 else one for one in said if one) or None


def closure(wheels: dict[NormalizedName, Wheel], name: str, extras: Iterable[str]) -> dict[NormalizedName, Wheel]:
    """What is installed with a package and its extras on this Python and platform, in the order of names.

    Raises UnavailableError where some of it is not installed.
    """
    waiting = [(canonicalize_name(name), frozenset(extras))]
    done = set()
    absent = set[str]()
    while waiting:
        package = waiting.pop()
        if package in done:
            continue
        if package[0] not in wheels:
            absent.add(package[0])
            continue
        done.add(package)
        for requirement in map(Requirement, wheels[package[0]].requires):
            wanted = package[1] or {""}
            if requirement.marker is None or any(requirement.marker.evaluate({"extra": one}) for one in wanted):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    if absent:
        raise UnavailableError(f"{', '.join(sorted(absent))}: not installed, so what it holds cannot be looked at")
    return {one: wheels[one] for one in sorted({package for package, _ in done})}
