"""Rules, dashboards, runbooks and metrics speak of the same things. Needs nothing but the files."""

import itertools
import re
from typing import Any

import pytest

import alert_rules
import boards
import event_metrics
from groundcam_producers.metrics import ProducerMetrics
from groundcam_runtime.metrics import Metrics
from groundcam_runtime.records import Partition
from groundcam_schemas import GapReason
from groundcam_serve.metrics import FIGURES, ServeMetrics
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.snapshot import GpuReading, WorkerSnapshot

RUNBOOKS = (alert_rules.ROOT / "docs/alerts.md").read_text()
PROMETHEUS = {"ALERTS": {"alertname", "alertstate"}}
GIVEN = {"namespace", "pod", "instance", "job", "le"}
"""Labels that Prometheus adds, and that of buckets."""
WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "offset", "bool"}


def page(metrics: Metrics) -> str:
    return metrics.render("")[0].decode()


def known() -> dict[str, set[str]]:
    """Each metric of ours, as the registries show it, with its labels."""
    worker, producer = WorkerMetrics("1"), ProducerMetrics("1")
    state = WorkerSnapshot(lag={Partition("t", 0): 1}, finished={Partition("t", 0): 1})
    worker.watch(lambda: state, lambda: [GpuReading("0", 0.5, 1, 2)])
    worker.consumed("gate", 1)
    worker.asked("gate", "v1", ("person",))
    worker.answered("gate", ("person",), 0.1)
    worker.clock("gate", 0.1)
    producer.cameras(["gate"])
    producer.frame("gate", 1)
    for reason in GapReason:
        worker.dropped("gate", reason)
        producer.dropped("gate", reason, 1)
    serve = ServeMetrics("1")
    serve.watch(lambda: dict.fromkeys(FIGURES, 1.0))
    serve.request("/v1/detect", 200, 0.1)
    serve.refused("overloaded")
    found: dict[str, set[str]] = {}
    told = "".join(map(page, (worker, producer, serve, event_metrics.tracker(), event_metrics.notifier())))
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", told, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    return found | PROMETHEUS


def vocabulary(expression: str) -> tuple[set[str], set[str]]:
    """The metrics and the labels that an expression names."""
    text = re.sub(r'"[^"]*"', '""', expression)
    labels = {label for braces in re.findall(r"\{([^}]*)\}", text) for label in re.findall(r"(\w+)\s*[=!]", braces)}
    for listed in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", text):
        labels |= set(re.findall(r"\w+", listed))
    text = re.sub(r"\b(?:by|without|on|ignoring)\s*\([^)]*\)|\{[^}]*\}|\[[^\]]*\]|\boffset \w+", " ", text)
    metrics = {word for word in re.findall(r"\b[A-Za-z_]\w*\b(?!\s*\()", text) if word not in WORDS}
    return metrics, labels


EXPRESSIONS = {
    **{rule["alert"]: rule["expr"] for rule in alert_rules.rules()},
    **{f"{panel} {number}": query for panel in boards.panels() for number, query in enumerate(panel.queries)},
}


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_every_metric_and_label_in_a_query_exists_in_the_code(where: str) -> None:
    metrics, labels = vocabulary(EXPRESSIONS[where])
    assert metrics
    assert metrics - set(known()) == set()
    assert labels - GIVEN - set().union(*(known()[name] for name in metrics)) == set()


def test_a_metric_that_does_not_exist_would_be_noticed() -> None:
    metrics, labels = vocabulary('sum by (camera) (rate(groundcam_frame_total{kamera="x"}[5m] offset 3m)) > 2')
    assert (metrics, labels) == ({"groundcam_frame_total"}, {"camera", "kamera"})
    assert "groundcam_frame_total" not in known()


def carried(expression: str) -> set[str]:
    """The labels that what an expression gives has: those by which it is summed up, or all of its metrics'."""
    kept = re.findall(r"\b(?:by|group_left|group_right)\s*\(([^)]*)\)", expression)
    if kept or re.search(r"\b(?:sum|max|min|avg|count)\s*\(", expression):
        return {label.strip() for one in kept for label in one.split(",")}
    metrics, _ = vocabulary(expression)
    return set[str]().union(*(known()[name] for name in metrics))


def test_labels_that_a_sum_takes_away_would_be_noticed() -> None:
    metric = 'groundcam_worker_frames_total{camera="gate"}'
    assert "camera" not in carried(f"sum by (instance) ({metric})")
    assert carried(f"sum({metric})") == set()


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE) == list(dict.fromkeys(alert_rules.names()))


@pytest.mark.parametrize("rule", alert_rules.rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_about_and_where_its_runbook_stands(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"].endswith(f"/docs/alerts.md#{rule['alert'].lower()}")
    for name in set(re.findall(r"\$labels\.(\w+)", notes["summary"] + notes["description"])) - GIVEN:
        assert name in carried(rule["expr"]), name
    severity = "Critical" if rule["labels"]["severity"] == "critical" else "Warning"
    assert f"## {rule['alert']}\n\n*{severity}" in RUNBOOKS, "the runbook begins with the severity"


def test_panels_that_runbooks_name_exist() -> None:
    titles = {panel.title for panel in boards.panels()}
    told = {
        title
        for line in RUNBOOKS.splitlines()
        if "ashboard" in line
        for title in re.findall(r"(?<![*\w])\*([A-Z][^*]+)\*(?!\*)", line)
    }
    assert len(told) > 10
    assert told - titles == set()


@pytest.mark.parametrize("name", boards.NAMES)
def test_a_dashboard_is_complete(name: str) -> None:
    """What Grafana needs to show it anywhere, and what a person needs to understand it."""
    board = boards.document(name)
    assert board["uid"] == f"groundcam-{name}"
    assert board["schemaVersion"] >= 39
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert list(variables)[:2] == ["datasource", "namespace"]
    assert variables["datasource"]["type"] == "datasource"
    for one in list(variables.values())[1:]:
        assert one["datasource"]["uid"] == "${datasource}"
        assert (one["includeAll"], one["allValue"]) == (True, ".*"), "series without that label count as well"
    panels = board["panels"]
    assert len({one["id"] for one in panels}) == len({one["title"] for one in panels}) == len(panels)
    for one in panels:
        assert one["datasource"]["uid"] == "${datasource}", one["title"]
        assert len(one["description"]) > 15, one["title"]
        assert one["fieldConfig"]["defaults"]["unit"], one["title"]
        for target in one["targets"]:
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= {*variables, "__rate_interval"}
            assert 'namespace=~"$namespace"' in target["expr"], one["title"]


def test_every_variable_of_a_dashboard_is_used() -> None:
    for name in boards.NAMES:
        text = " ".join(query for panel in boards.panels(name) for query in panel.queries)
        for variable in boards.document(name)["templating"]["list"][1:]:
            assert f"${variable['name']}" in text, f"{name}: {variable['name']}"


@pytest.mark.parametrize("name", boards.NAMES)
def test_panels_fill_their_rows_and_do_not_overlap(name: str) -> None:
    places = [one["gridPos"] for one in boards.document(name)["panels"]]
    cells = [
        (x, y)
        for place in places
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]
    assert len(cells) == len(set(cells)), "two panels share a place"
    assert max(x for x, _ in cells) < 24
