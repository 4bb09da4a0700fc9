"""Files of others in groundcam's own wheel: they lie in folders `vendor`, with licences and a manifest beside them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from supply_chain.expressions import taken
from supply_chain.knowledge import Knowledge

ROOT = Path(__file__).parents[1]
MANIFEST = "manifest.json"
OURS = "groundcam"
"""The wheel that holds them."""


@dataclass(frozen=True)
class Vendored:
    """One file, where it lies in the wheel, and what is in it: names, versions and licences."""

    path: Path
    wheel_path: str
    sha256: str
    parts: tuple[tuple[str, str, str], ...]
    beside: tuple[str, ...]
    """Files that belong to it: its licences."""
    more: tuple[str, ...]
    """What may lie beside it: its types, of our own making."""

    def __str__(self) -> str:
        inside = ", ".join(f"{name} {version} ({licence})" for name, version, licence in self.parts)
        return f"{self.wheel_path}: {inside}"


def vendored(root: Path = ROOT) -> list[Vendored]:
    """Every such file that a manifest names, in the order of paths."""
    found = [one for folder in _folders(root) for one in _of(root, folder)]
    return sorted(found, key=lambda one: one.wheel_path)


def findings(knowledge: Knowledge, root: Path = ROOT) -> Iterator[str]:
    """What a person has to look at, a sentence each."""
    for folder in _folders(root):
        known = list(_of(root, folder))
        named = {MANIFEST, *(name for one in known for name in (one.path.name, *one.beside, *one.more))}
        for path in sorted(folder.iterdir()):
            if path.name not in named:
                yield f"{path.relative_to(root)} is of somebody else, and {MANIFEST} beside it does not name it"
        for one in known:
            yield from _about(one, knowledge)


def _about(one: Vendored, knowledge: Knowledge) -> Iterator[str]:
    absent = [name for name in (one.path.name, *one.beside) if not (one.path.parent / name).is_file()]
    for name in absent:
        yield f"{one.wheel_path}: {MANIFEST} names {name}, which is not there"
    if one.path.name in absent:
        return
    content = one.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != one.sha256:
        yield f"{one.wheel_path} is not the file that {MANIFEST} has the SHA-256 of"
    allows = partial(knowledge.allows, OURS)
    linked = [each for each in knowledge.statement(OURS).linked if fnmatchcase(one.wheel_path, each.file)]
    for name, version, licence in one.parts:
        where = f"{name} {version} in {one.wheel_path}"
        if refused := sorted(each for each in taken(licence, allows) if not allows(each)):
            yield f"{where} is under {', '.join(refused)}, which components.toml does not permit"
        if not any((each.name, each.licence) == (name, licence) and each.bytes.encode() in content for each in linked):
            yield f"{where} is none of what components.toml says of the wheel {OURS}"


def _folders(root: Path) -> list[Path]:
    return sorted(root.glob(f"*/{OURS}_*/**/vendor"))


def _of(root: Path, folder: Path) -> Iterator[Vendored]:
    manifest = folder / MANIFEST
    said: list[dict[str, Any]] = json.loads(manifest.read_text()) if manifest.is_file() else []
    for one in said:
        path = folder / one["file"]
        yield Vendored(
            path,
            "/".join(path.relative_to(root).parts[1:]),
            one["sha256"],
            tuple((part["name"], part["version"], part["licence"]) for part in one["parts"]),
            tuple(one["licences"]),
            (one["types"],) if "types" in one else (),
        )
