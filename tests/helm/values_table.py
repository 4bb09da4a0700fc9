"""The README's table of values, made of the comments in values.yaml. `python tests/helm/values_table.py` writes it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "groundcam"
BEGIN, END = "<!-- values: made of values.yaml by tests/helm/values_table.py -->", "<!-- end of values -->"
KEY = re.compile(r"^( *)([A-Za-z]\w*):(?: |$)")


@dataclass
class Value:
    """A key of values.yaml, and the comment above it."""

    path: tuple[str, ...]
    comment: str
    children: "list[Value]" = field(default_factory=list)

    @property
    def is_told(self) -> bool:
        """Whether its comment, or those of all that is in it, say what it is."""
        return bool(self.comment) or bool(self.children and all(child.is_told for child in self.children))

    @property
    def is_told_within(self) -> bool:
        return any(child.comment or child.is_told_within for child in self.children)


def read(text: str) -> Value:
    """The tree of keys with their comments."""
    root = Value((), "")
    open_values = [(-1, root)]
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.removeprefix("#").strip())
            continue
        if match := KEY.match(line):
            indent = len(match[1])
            while open_values[-1][0] >= indent:
                open_values.pop()
            parent = open_values[-1][1]
            value = Value((*parent.path, match[2]), " ".join(comment))
            parent.children.append(value)
            open_values.append((indent, value))
        comment = []
    return root


def table(text: str) -> str:
    """The table as Markdown."""
    defaults = yaml.safe_load(text)
    rows = ["| value | default | meaning |", "| --- | --- | --- |"]

    def add(value: Value) -> None:
        within = value.is_told_within
        if value.comment:
            default = "" if within else f"`{_short(_at(defaults, value.path))}`"
            rows.append(f"| `{'.'.join(value.path)}` | {default} | {value.comment.replace('|', chr(92) + '|')} |")
        if within:
            for child in value.children:
                add(child)

    for value in read(text).children:
        add(value)
    return "\n".join(rows)


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def _short(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def replaced(readme: str, text: str) -> str:
    """The README with the table of `text` in it."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table(text)}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    path = CHART / "README.md"
    path.write_text(replaced(path.read_text(), (CHART / "values.yaml").read_text()))
