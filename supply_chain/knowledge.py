"""What components.toml says of licences that metadata leave out, and of libraries that wheels bundle.

The licence of a package is what components.toml says of it, else its licence expression, else what its metadata's free
text or classifiers mean where that is beyond doubt.
"""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import PackageMetadata
from pathlib import Path

FILE = Path(__file__).with_name("components.toml")


@dataclass(frozen=True)
class Component:
    """A library or program that wheels bundle: patterns of its files, for the whole path or for its last part."""

    name: str
    licence: str
    files: tuple[str, ...]
    wheel: str | None = None
    stated: tuple[str, ...] = ()

    def called(self, name: str) -> bool:
        """Is this what a wheel's bill of materials calls `name`?"""
        return name.lower() in {self.name.lower(), *self.stated}

    def explains(self, wheel: str, path: str) -> bool:
        if self.wheel not in {None, wheel}:
            return False
        return any(fnmatchcase(path if "/" in one else path.rpartition("/")[2], one) for one in self.files)


@dataclass(frozen=True)
class Linked:
    """A library inside an extension module: the module's path as a pattern, and bytes that only this library brings."""

    name: str
    licence: str
    file: str
    bytes: str


@dataclass(frozen=True)
class Statement:
    """What is said of one wheel: its licence where the metadata say too little, which compiled files are its own."""

    licence: str | None = None
    own: tuple[str, ...] = ()
    linked: tuple[Linked, ...] = ()


@dataclass(frozen=True)
class Acceptance:
    """A licence beyond the permitted ones, and the wheels in which it is accepted."""

    licence: str
    wheels: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Knowledge:
    """All of components.toml."""

    permitted: frozenset[str]
    accepted: tuple[Acceptance, ...]
    meanings: dict[str, str]
    statements: dict[str, Statement]
    components: tuple[Component, ...]

    def statement(self, wheel: str) -> Statement:
        """What is said of this wheel by name, else by the first pattern that fits."""
        fitting = (one for pattern, one in self.statements.items() if fnmatchcase(wheel, pattern))
        return self.statements.get(wheel) or next(fitting, Statement())

    def component(self, wheel: str, path: str) -> Component | None:
        return next((one for one in self.components if one.explains(wheel, path)), None)

    def licence(self, wheel: str, metadata: PackageMetadata) -> str | None:
        """The SPDX expression of a wheel's licence, or None where nothing says it beyond doubt."""
        if said := self.statement(wheel).licence:
            return said
        if "License-Expression" in metadata:
            return metadata["License-Expression"]
        classifiers = [one for one in metadata.get_all("Classifier") or () if one.startswith("License ::")]
        for word in (*(metadata.get_all("License") or ()), *(one.rpartition("::")[2].strip() for one in classifiers)):
            if word.strip() in self.meanings:
                return self.meanings[word.strip()]
        return None

    def allows(self, wheel: str, licence: str) -> bool:
        return licence in self.permitted or any(
            licence == one.licence and any(fnmatchcase(wheel, pattern) for pattern in one.wheels)
            for one in self.accepted
        )


def read_knowledge(path: Path = FILE) -> Knowledge:
    said = tomllib.loads(path.read_text())
    return Knowledge(
        permitted=frozenset(said["permitted"]),
        accepted=tuple(Acceptance(one["licence"], tuple(one["wheels"]), one["why"]) for one in said["accepted"]),
        meanings=said["meanings"],
        statements={
            name: Statement(
                one.get("licence"), tuple(one.get("own", ())), tuple(Linked(**part) for part in one.get("linked", ()))
            )
            for name, one in said["wheels"].items()
        },
        components=tuple(
            Component(one["name"], one["licence"], tuple(one["files"]), one.get("wheel"), tuple(one.get("stated", ())))
            for one in said["components"]
        ),
    )
