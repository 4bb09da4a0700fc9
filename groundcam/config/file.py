"""Read the settings' YAML file, and know in which line and column each of them stands.

Nothing may be given twice in it: YAML itself lets the last one win in silence.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from groundcam_runtime.settings import SettingError

# PyYAML names these as they were written, and an unquoted password may begin with their * or !.
_NAMED = re.compile(r"\b(alias|anchor|handle|tag) ['\"].*", re.DOTALL)
_FIRST = r"\1"


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column of the file, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a file gives."""

    path: Path
    content: Mapping[str, Any]
    root: yaml.Node | None
    repeated: tuple[tuple[Place, str], ...] = ()
    """What is given twice: where, and in a sentence."""

    def place(self, path: tuple[str, ...], *, of_name: bool = False) -> Place:
        """Return where a setting's value stands, or its name where the value is a map; else what is nearest above."""
        node, found = self.root, self.root
        for part in path:
            pair = _entry(node, part)
            if pair is None:
                break
            name, node = pair
            is_value = isinstance(node, yaml.ScalarNode) and not of_name
            found = node if is_value or name is None else name
        return _place(found.start_mark) if found else Place(1, 1)


def read_config(path: Path) -> ConfigFile:
    """Read a file. Raises SettingError, with one sentence that says where it is no YAML map of settings."""
    text = _text(path)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        content = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        where, problem = _place(error.problem_mark or error.context_mark), error.problem or error.context or ""
        raise SettingError(f"{at(path, where)}: it is no YAML: {_NAMED.sub(_FIRST, problem)}") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = Place(before.count("\n") + 1, error.position - before.rfind("\n"))
        raise SettingError(f"{at(path, where)}: it is no YAML: {error.reason}") from None
    except RecursionError:
        raise SettingError(f"{path}: it is no YAML map of settings: it is nested too deep") from None
    if content is not None and not isinstance(content, dict):
        raise SettingError(f"{at(path, _place(root and root.start_mark))}: it is no YAML map of settings")
    return ConfigFile(path, content or {}, root, tuple(loader.repeated))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # a mark at the beginning, as Windows writes it, is no text
    except UnicodeDecodeError:
        raise SettingError(f"{path}: it is no YAML: there is no UTF-8 text in it") from None
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}") from None


def at(path: Path, place: Place) -> str:
    """Return a place as editors and compilers write it."""
    return f"{path}:{place.line}:{place.column}"


class _Loader(yaml.SafeLoader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[tuple[Place, str]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge" or not isinstance(key, yaml.ScalarNode):
                continue  # what is merged in (`<<`) is there to be replaced
            key.tag = "tag:yaml.org,2002:str"  # a camera may be called `on` or `007`
            place = _place(key.start_mark)
            if key.value in seen:
                sentence = f"{key.value!r} is given twice, in lines {seen[key.value]} and {place.line}"
                self.repeated.append((place, sentence))
            seen[key.value] = place.line
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):  # what looks like a date or a number, and is none
            raise yaml.constructor.ConstructorError(
                None, None, "it looks like a date or a number, and is none", node.start_mark
            ) from None


def _entry(node: yaml.Node | None, part: str) -> tuple[yaml.Node | None, yaml.Node] | None:
    """Return the name's and the value's node; of what is merged in, what comes last holds."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(name, value) for name, value in node.value if getattr(name, "value", None) == part]
        return pairs[-1] if pairs else None
    if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        return None, node.value[int(part)]
    return None


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
