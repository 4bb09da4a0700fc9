"""Where settings come from: a file, environment variables, the command line. Each layer knows where it gives what."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from groundcam.config.file import ConfigFile, at
from groundcam.config.names import ID, MAPS, Path, dotted, every_name, has
from groundcam.did_you_mean import did_you_mean

PREFIX = "GROUNDCAM_"
BETWEEN = "__"
ALIKE = 0.85
"""Variables all begin alike."""
# Set for tests and for the programs themselves, not read as settings.
OTHER_VARIABLES = ("GROUNDCAM_TEST_",)
# Kubernetes sets these in every pod when a Service is called groundcam.
SERVICE_LINK = re.compile(r"_(SERVICE_(HOST|PORT)(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)$")


class Layer(Protocol):
    """Settings from one source."""

    @property
    def content(self) -> Mapping[str, Any]:
        """What is given, section by section."""

    def source(self, path: Path) -> str:
        """Return where a setting is given, for people who look for it."""

    def fault_at(self, path: Path, *, of_name: bool) -> str:
        """Return where something is wrong with its value, or with its name; nothing where that needs no words."""

    def spelled(self, path: Path) -> str:
        """Return how a setting's name is written there."""


@dataclass(frozen=True, slots=True)
class FileLayer:
    """A file's."""

    file: ConfigFile

    @property
    def content(self) -> Mapping[str, Any]:
        return self.file.content

    def source(self, path: Path) -> str:
        return f"{self.file.path}:{self.file.place(path).line}"

    def fault_at(self, path: Path, *, of_name: bool) -> str:
        return at(self.file.path, self.file.place(path, of_name=of_name))

    def spelled(self, path: Path) -> str:
        return dotted(path)


@dataclass(frozen=True, slots=True)
class VariablesLayer:
    """The environment's."""

    content: Mapping[str, Any]

    def source(self, path: Path) -> str:
        """One of the variables that give it, or a part of it."""
        wanted = tuple(part.lower() for part in path)
        for name in our_variables():
            given = _path(name)
            if given[: len(wanted)] == wanted or wanted[: len(given)] == given:
                return name
        return self.spelled(path)

    def fault_at(self, path: Path, *, of_name: bool) -> str:
        _ = of_name
        return self.source(path)

    def spelled(self, path: Path) -> str:
        return variable(path)


@dataclass(frozen=True, slots=True)
class OptionsLayer:
    """The command line's, from dotted names."""

    content: Mapping[str, Any]

    def source(self, path: Path) -> str:
        _ = path
        return "option"

    def fault_at(self, path: Path, *, of_name: bool) -> str:
        _ = path, of_name
        return ""

    def spelled(self, path: Path) -> str:
        return dotted(path)


def options_layer(options: Mapping[str, Any]) -> OptionsLayer:
    """Return the layer of options by dotted name; None is one that was not given."""
    tree: dict[str, Any] = {}
    for path, value in options.items():
        if value is None:
            continue
        *sections, name = path.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value
    return OptionsLayer(tree)


def owner(layers: Sequence[Layer], path: Path) -> Layer | None:
    """Return the strongest layer that gives a setting. A camera, or a webhook, comes from one layer as a whole."""
    whole = path[: 3 if path[1:2] and path[1] in MAPS else 2]
    return next((layer for layer in reversed(layers) if has(layer.content, whole)), None)


def variable(path: Path) -> str:
    """Return the variable of a setting."""
    return PREFIX + BETWEEN.join(path).upper()


def our_variables() -> Iterator[str]:
    """Yield the environment's variables that should be settings."""
    for name in os.environ:
        if name.startswith(PREFIX) and not name.startswith(OTHER_VARIABLES) and not SERVICE_LINK.search(name):
            yield name


def unknown_variables(model: type[BaseModel]) -> list[str]:
    """Return a sentence for each variable that names no setting; pydantic-settings passes over them in silence."""
    known = [path for path in every_name(model) if ID not in path]
    two, sections = {path for path in known if len(path) > 1}, {path for path in known if len(path) == 1}
    names = [variable(path) for path in two]
    return [
        f"{name}: there is no such setting{did_you_mean(name, names, ALIKE)}"
        for name in our_variables()
        if _path(name)[:2] not in two | sections
    ]


def _path(name: str) -> Path:
    return tuple(name.removeprefix(PREFIX).lower().split(BETWEEN))
