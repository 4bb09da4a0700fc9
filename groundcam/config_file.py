"""Read the settings' YAML file, in which nothing may be given twice: YAML itself lets the last one win in silence."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml


class DuplicateKeyError(Exception):
    """Something is given twice; the sentence names it and its line."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge" or not isinstance(key, yaml.ScalarNode):
                continue  # what is merged in (`<<`) is there to be replaced
            line = key.start_mark.line + 1
            if key.value in seen:
                raise DuplicateKeyError(f"{key.value!r} is given twice, in lines {seen[key.value]} and {line}")
            seen[key.value] = line
        return super().construct_mapping(node, deep)


def read_config(path: Path) -> dict[str, Any]:
    """Return the file's sections. Raises DuplicateKeyError, YAMLError, OSError, UnicodeDecodeError, TypeError."""
    content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise TypeError(type(content).__name__)
    return content


def line_of(path: Path, keys: Iterable[object]) -> int | None:
    """Return the line of the deepest of these nested keys that is in the file, from 1 up; None where there is none."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    line = None
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next((pair for pair in pairs if getattr(pair[0], "value", None) == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
