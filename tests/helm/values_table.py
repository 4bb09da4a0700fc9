"""The README's table of values, made of the comments in values.yaml. `python tests/helm/values_table.py` writes it.

Comments and table are those of helm-docs, and README.md.gotmpl is the README as helm-docs takes it:
`helm-docs --sort-values-order file` in the chart's folder writes the same README.md.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "groundcam"
BEGIN, END = "<!-- values: made of values.yaml by tests/helm/values_table.py -->", "<!-- end of values -->"
KEY = re.compile(r"^( *)([A-Za-z]\w*):(?: |$)")
MARK, DEFAULT = "-- ", "@default -- "
TYPED = re.compile(r"\((\w+)\) (.*)", re.DOTALL)
TYPES = {str: "string", bool: "bool", int: "int", float: "float", list: "list", dict: "object"}


@dataclass
class Value:
    """A key of values.yaml, and the comment above it: what follows `# --`, empty where there is none."""

    path: tuple[str, ...]
    comment: str = ""
    default: str = ""
    """What stands for the default in the table, if it is not the value itself."""
    children: "list[Value]" = field(default_factory=list)

    @property
    def is_told_within(self) -> bool:
        return any(child.comment or child.is_told_within for child in self.children)


def read(text: str) -> Value:
    """The tree of keys with their comments."""
    root = Value(())
    open_values = [(-1, root)]
    lines: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            lines.append(stripped.removeprefix("#").strip())
            continue
        if match := KEY.match(line):
            indent = len(match[1])
            while open_values[-1][0] >= indent:
                open_values.pop()
            parent = open_values[-1][1]
            value = Value((*parent.path, match[2]), *_told(lines))
            parent.children.append(value)
            open_values.append((indent, value))
        lines = []
    return root


def _told(lines: list[str]) -> tuple[str, str]:
    """The description and the default of a comment's lines, as helm-docs reads them."""
    starts = [number for number, line in enumerate(lines) if line.startswith(MARK)]
    if not starts:
        return "", ""
    first, *rest = lines[starts[-1] :]
    if " --" in first:  # helm-docs takes what stands before it for a key
        return "", ""
    default = "".join(line.removeprefix(DEFAULT) for line in rest if line.startswith(DEFAULT))
    return " ".join([first.removeprefix(MARK), *(line for line in rest if not line.startswith("@"))]), default


def undescribed(value: Value) -> list[str]:
    """The values without a description; one that is described as a whole describes what is in it."""
    if value.comment and not value.is_told_within:
        return []
    if not value.children:
        return [".".join(value.path)]
    return [name for child in value.children for name in undescribed(child)]


def table(text: str) -> str:
    """The table as Markdown."""
    defaults = yaml.safe_load(text)
    rows = ["| Key | Type | Default | Description |", "|-----|------|---------|-------------|"]

    def add(value: Value) -> None:
        if value.comment:
            held = _at(defaults, value.path)
            kind = "string" if held is None else TYPES[type(held)]
            shown = "nil" if held is None else json.dumps(held, sort_keys=True, separators=(",", ":"))
            said = value.comment
            if typed := TYPED.fullmatch(said):
                kind, said = typed.groups()
            rows.append(f"| {'.'.join(value.path)} | {kind} | {value.default or f'`{shown}`'} | {said} |")
        for child in value.children:
            add(child)

    for value in read(text).children:
        add(value)
    return "\n".join(rows)


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def replaced(readme: str, text: str) -> str:
    """The README with the table of `text` in it."""
    return _between(readme, table(text))


def template(readme: str) -> str:
    """The README as a template of helm-docs, which puts the table in."""
    return _between(readme, '{{ template "chart.valuesTable" . }}')


def _between(readme: str, inside: str) -> str:
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{inside}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    path = CHART / "README.md"
    path.write_text(replaced(path.read_text(), (CHART / "values.yaml").read_text()))
    path.with_name("README.md.gotmpl").write_text(template(path.read_text()))
