"""Read the settings' YAML file, in which nothing may be given twice: YAML itself lets the last one win in silence."""

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
