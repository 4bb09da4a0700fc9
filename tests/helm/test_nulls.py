"""A key of the values with nothing below it, all of its lines commented out: YAML reads null, and Helm takes the key away.

What may not be empty is tried alone, path by path: the schema says so in milliseconds. What may be empty is tried together,
all of a section in one render, since a render for each would take minutes; what `BASES` say themselves, alone.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from helm import chart, values_table
from helm.chart import BASE, ChartError, containers, objects, of_kind, pod_specs, with_values

DEFAULTS: dict[str, Any] = yaml.safe_load((chart.CHART / "values.yaml").read_text())
PRESENT = json.loads((chart.CHART / "values.schema.json").read_text())["definitions"]["present"]
Path = tuple[str, ...]
OPENS = {("networkPolicy", "dns", "to"), ("networkPolicy", "modelHub", "to")}
"""Empty lists of these are a way to everywhere, which nobody should open by a comment sign."""
BASES = [yaml.safe_load(text) for text in (
    """
    kafka: {bootstrapServers: 'kafka:9092'}
    cameras: {a: {url: 'rtsp://192.0.2.1/'}, b: {url: /films/b.mp4}}
    serve: {enabled: true, open: true, ingress: {enabled: true, hosts: [a.example]}, autoscaling: {enabled: true},
      resources: {requests: {cpu: 1}}}
    console: {enabled: true, open: true, httpRoute: {enabled: true, parentRefs: [{name: g}]}}
    tracker: {enabled: true, kind: StatefulSet}
    notify: {enabled: true, settings: {hooks: {a: {url: 'https://h.example/'}}}}
    autoscaling: {enabled: true}
    monitoring: {podMonitor: {enabled: true}, rules: {enabled: true}, dashboards: {enabled: true}}
    """,
    """
    kafka: {bootstrapServers: 'kafka:9092', securityProtocol: SASL_SSL}
    topics: {mode: strimzi, strimzi: {cluster: c}}
    cameras: {a: {url: 'rtsp://u@192.0.2.1/', existingSecret: s}}
    producers: {mode: sharded}
    worker: {kind: StatefulSet}
    model: {cache: {type: pvc}}
    gpu: {mode: dra}
    serve: {enabled: true, keys: {existingSecret: s}, tls: {existingSecret: t}, test: {keySecret: k}}
    """,
)]  # fmt: skip
BASES[1]["kafka"] |= {"sasl": {"mechanism": "PLAIN", "username": "u", "existingSecret": "s"}}


def leaves(value: values_table.Value) -> Iterator[Path]:
    if not value.children or (value.comment and not value.is_told_within):
        yield value.path
    else:
        for child in value.children:
            yield from leaves(child)


def at(tree: Any, path: Path) -> Any:
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


LEAVES = list(leaves(values_table.read((chart.CHART / "values.yaml").read_text())))
NEEDED = {
    path for path in LEAVES
    if path in OPENS | {("model", "cache", "pvc", "accessModes")}
    or (not isinstance(at(DEFAULTS, path), dict | list) and at(DEFAULTS, path))
}  # fmt: skip
BRANCHES = {path[:end] for path in LEAVES for end in range(1, len(path))}
NEEDED_BRANCHES = {path[:end] for path in NEEDED for end in range(1, len(path))}
EMPTY = [sorted(set(LEAVES) - NEEDED), sorted(BRANCHES - NEEDED_BRANCHES)]


def without(base: dict[str, Any], *paths: Path) -> dict[str, Any]:
    return with_values(base, *(f"{'.'.join(path)}=null" for path in paths))


def renders(given: dict[str, Any]) -> None:
    """Assert that it does, to YAML in which nothing is nothing of Go's."""
    for path, text in chart.render(given).items():
        assert not re.search(r"<nil>|%!", text), path
        if not path.endswith(".txt"):
            chart.parse(text)


def test_the_schema_wants_what_has_a_default_that_is_not_empty() -> None:
    def wanted(part: dict[str, Any], path: Path = ()) -> Iterator[Path]:
        yield from ((*path, name) for name in part["required"])
        for name, one in part.get("properties", {}).items():
            yield from wanted(one, (*path, name))

    assert set(wanted(PRESENT)) == NEEDED | NEEDED_BRANCHES
    for path in sorted(NEEDED | NEEDED_BRANCHES):
        with pytest.raises(ChartError, match=f"missing property '{path[-1]}'"):
            chart.render(without(BASES[0], path))


@pytest.mark.parametrize("base", BASES, ids=["roles", "logins"])
def test_what_may_be_empty_may_be_null(base: dict[str, Any]) -> None:
    for paths in EMPTY:
        for section in DEFAULTS:
            if several := [path for path in paths if path[0] == section and at(base, path) is None]:
                renders(without(base, *several))


@pytest.mark.parametrize("base", BASES, ids=["roles", "logins"])
def test_what_is_missing_then_is_told_in_a_sentence(base: dict[str, Any]) -> None:
    told = []
    for path in (path for paths in EMPTY for path in paths if at(base, path) is not None):
        try:
            renders(without(base, path))
        except ChartError as error:
            told.append(str(error))
    sentence = re.compile(r"execution error at \(groundcam/templates/guards.yaml:\d+:\d+\): \w+\.\w+")
    assert [one for one in told if not sentence.search(one)] == []
    assert len(told) > 5


def test_a_probe_that_is_null_is_left_out() -> None:
    """A map that is {} is merged with the default, so null is the only way."""
    roles = ["worker", "producers", "serve", "console", "tracker", "notify"]
    manifests = objects(BASES[0], *(f"{one}.livenessProbe=null" for one in roles), "worker.readinessProbe=null")
    pods = [spec for name, spec in pod_specs(manifests) if name.startswith(("Deployment", "StatefulSet"))]
    assert len(pods) == len(roles) + 1
    probed = [one for spec in pods for one in containers(spec) if "startupProbe" in one]
    assert len(probed) == len(pods)
    assert not any("livenessProbe" in one for one in probed)
    assert sum("readinessProbe" in one for one in probed) == len(pods) - 1


def test_nobody_opens_the_network_by_a_key_without_lines() -> None:
    """As an empty list does that says so."""
    for path in sorted(OPENS):
        with pytest.raises(ChartError, match="missing property 'to'"):
            objects(BASE, f"{'.'.join(path)}=null")
        assert of_kind(objects(BASE, f"{'.'.join(path)}=[]"), "NetworkPolicy")
