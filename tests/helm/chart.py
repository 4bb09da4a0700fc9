"""The chart as the real Helm renders it: the engine that comes by pip, or a `helm` on the PATH."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "helm" / "groundcam"
EXAMPLES = {path.stem: path for path in sorted((CHART / "examples").glob("*.yaml"))}
RELEASE, NAMESPACE, KUBERNETES = "demo", "vision", "1.34.0"
BASE: dict[str, Any] = {"kafka": {"bootstrapServers": "kafka:9092"}}
Manifest = dict[str, Any]


class ChartError(Exception):
    """Helm does not render these values."""


def missing() -> str | None:
    """Why nothing can be rendered here, or None."""
    try:
        import helm_python  # noqa: F401
    except ImportError:
        return None if binary() else "there is neither the package helm-python-sdk nor a helm on the PATH"
    return None


def binary() -> str | None:
    """The `helm` on the PATH."""
    return shutil.which("helm")


def values(example: str) -> dict[str, Any]:
    """The values of an example."""
    loaded: dict[str, Any] = yaml.safe_load(EXAMPLES[example].read_text())
    return loaded


def with_values(base: Mapping[str, Any], *changes: Mapping[str, Any] | str) -> dict[str, Any]:
    """`base` with changes: maps, or texts as `worker.replicas=3`, of which the values are YAML."""
    merged = deepcopy(dict(base))
    for change in changes:
        if isinstance(change, str):
            path, _, text = change.partition("=")
            *sections, name = path.split(".")
            branch = merged
            for section in sections:
                branch = branch.setdefault(section, {})
            branch[name] = yaml.safe_load(text)
        else:
            _merge(merged, change)
    return merged


def _merge(into: dict[str, Any], change: Mapping[str, Any]) -> None:
    for name, value in change.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = deepcopy(value)


def render(given: Mapping[str, Any], chart: Path = CHART) -> dict[str, str]:
    """What each template gives. Raises ChartError."""
    try:
        import helm_python
    except ImportError:
        return _by_template(render_by_binary(given, chart))
    try:
        loaded = _load(helm_python, chart)
        loaded.validate_schema(dict(given))
        rendered: dict[str, str] = loaded.render(dict(given), name=RELEASE, namespace=NAMESPACE)
    except helm_python.HelmError as error:
        raise ChartError(str(error)) from None
    return rendered


def _by_template(text: str) -> dict[str, str]:
    """What each template gave, of which `helm template` names the source above each object."""
    found: dict[str, str] = {}
    for part in re.split(r"^---\n# Source: ", text, flags=re.MULTILINE)[1:]:
        path, _, body = part.partition("\n")
        found[path] = f"{found.get(path, '')}---\n{body}"
    return found


@cache
def _load(helm_python: Any, chart: Path) -> Any:
    return helm_python.Chart.load(chart)


def render_by_binary(given: Mapping[str, Any], chart: Path = CHART) -> str:
    """What `helm template` prints. Raises ChartError."""
    arguments = ["template", RELEASE, str(chart), "-n", NAMESPACE, "--kube-version", KUBERNETES, "-f", "-"]
    done = subprocess.run(
        [binary() or "helm", *arguments], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ChartError(done.stderr)
    return done.stdout


class _Strict(yaml.SafeLoader):
    """A key that stands there twice is an error, as it is for newer versions of Helm and kubectl."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(set(keys)) == len(keys), f"twice in one map, {node.start_mark}: {keys}"
        return super().construct_mapping(node, deep)


def parse(text: str) -> list[Manifest]:
    """The objects of a YAML text."""
    return [one for one in yaml.load_all(text, _Strict) if one]


def objects(given: Mapping[str, Any], *changes: Mapping[str, Any] | str) -> list[Manifest]:
    """The objects that values give. Raises ChartError."""
    rendered = render(with_values(given, *changes))
    return [one for path, text in rendered.items() if not path.endswith(".txt") for one in parse(text)]


def notes(given: Mapping[str, Any]) -> str:
    """What is told after an installation. Skips the test where that cannot be rendered without a cluster."""
    told = render(given).get("groundcam/templates/NOTES.txt")
    if told is None:
        pytest.skip("`helm template` leaves the notes out; the package helm-python-sdk does not")
    return told


def of_kind(manifests: list[Manifest], kind: str, name: str | None = None) -> list[Manifest]:
    """Those of a kind, and of a name's end."""
    found = [one for one in manifests if one["kind"] == kind]
    return [one for one in found if name is None or one["metadata"]["name"].endswith(name)]


def the(manifests: list[Manifest], kind: str, name: str | None = None) -> Manifest:
    """The one of a kind."""
    (one,) = of_kind(manifests, kind, name)
    return one


def pod_specs(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every pod's spec, by the name of its object."""
    for one in manifests:
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            yield name, one["spec"]
        elif "template" in one.get("spec", {}):
            yield name, one["spec"]["template"]["spec"]


def containers(spec: Manifest) -> list[Manifest]:
    """A pod's containers, init containers too."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def variables(container: Manifest) -> dict[str, Any]:
    """A container's environment: texts, and for the others where they come from."""
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container.get("env", [])}


def settings(manifest: Manifest) -> dict[str, Any]:
    """The program's settings in a ConfigMap."""
    loaded: dict[str, Any] = yaml.safe_load(manifest["data"]["groundcam.yaml"])
    return loaded
