"""The dashboards, as Grafana would read them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "helm/groundcam/dashboards"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


@dataclass(frozen=True)
class Panel:
    board: str
    title: str
    kind: str
    unit: str
    queries: tuple[str, ...]
    legends: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.board}: {self.title}"


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return loaded


def panels(*names: str) -> list[Panel]:
    return [
        Panel(
            name, one["title"], one["type"], one["fieldConfig"]["defaults"]["unit"],
            tuple(target["expr"] for target in one["targets"]),
            tuple(target["legendFormat"] for target in one["targets"]),
        )
        for name in names or NAMES
        for one in document(name)["panels"]
    ]  # fmt: skip


def substituted(query: str, *, namespace: str = ".*", rate_interval: str = "10s") -> str:
    """A query as Grafana sends it, with all cameras, workers and topics chosen. No variable may be left."""
    values = {
        "namespace": namespace,
        "camera": ".*",
        "instance": ".*",
        "topic": ".*",
        "hook": ".*",
        "__rate_interval": rate_interval,
    }
    text = re.sub(r"\$(\w+)", lambda match: values[match[1]], query)
    assert "$" not in text, query
    return text


def legend(template: str, labels: dict[str, str]) -> str:
    """The name of a line."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), template)
