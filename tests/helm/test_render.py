"""Each example renders, the same each time, to what the program itself accepts."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm import chart
from helm.chart import BASE, EXAMPLES, containers, of_kind, pod_specs, the, variables


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_lint_has_nothing_to_say(example: str) -> None:
    helm_python = pytest.importorskip("helm_python", reason="the package helm-python-sdk is not installed")
    report = helm_python.lint(chart.CHART, chart.values(example), strict=True, kube_version=f"v{chart.KUBERNETES}")
    assert not report["errors"]
    assert [one["error"] for one in report["messages"] if "icon is recommended" not in one["error"]] == []


def test_two_renders_are_the_same(example: str) -> None:
    assert chart.render(chart.values(example)) == chart.render(chart.values(example))


def test_nothing_is_looked_up_or_drawn_by_chance() -> None:
    for template in (chart.CHART / "templates").rglob("*.*"):
        found = re.search(r"\b(lookup|rand\w+|uuidv4|gen\w+|now|derivePassword|Capabilities)\b", template.read_text())
        assert not found, f"{template.name}: {found}"


def test_another_helm_renders_the_same() -> None:
    if not chart.binary():
        pytest.skip("there is no helm on the PATH to compare with")
    for example in EXAMPLES:
        given = chart.values(example)
        assert _by_name(chart.objects(given)) == _by_name(chart.parse(chart.render_by_binary(given)))


def _by_name(manifests: list[chart.Manifest]) -> dict[tuple[str, str], chart.Manifest]:
    """The objects, and of YAML texts in them what they mean: versions of Helm indent differently."""
    for one in of_kind(manifests, "ConfigMap"):
        one["data"] = {name: yaml.safe_load(text) for name, text in one["data"].items()}
    return {(one["kind"], one["metadata"]["name"]): one for one in manifests}


def test_names_are_unique_and_labels_say_whose_they_are(example: str) -> None:
    manifests = chart.objects(chart.values(example))
    names = [(one["kind"], one["metadata"]["name"]) for one in manifests]
    assert len(set(names)) == len(names)
    for one in manifests:
        if one["kind"] != "KafkaUser":
            assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == chart.RELEASE
            assert one["metadata"]["namespace"] == chart.NAMESPACE
        assert len(one["metadata"]["name"]) <= 63


def test_the_program_accepts_the_settings_of_every_pod(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from groundcam.settings import load

    monkeypatch.setenv("GROUNDCAM_KAFKA__SASL_USERNAME", "from-the-secret")
    monkeypatch.setenv("GROUNDCAM_WORK__INSTANCE_ID", "demo-groundcam-worker-0")
    maps = [
        one for one in of_kind(chart.objects(chart.values(example)), "ConfigMap") if "groundcam.yaml" in one["data"]
    ]
    assert len(maps) >= 3
    for number, one in enumerate(maps):
        path = tmp_path / f"{number}.yaml"
        path.write_text(one["data"]["groundcam.yaml"])
        loaded = load(path, {})
        assert loaded.kafka.bootstrap_servers == chart.values(example)["kafka"]["bootstrapServers"]


def test_the_program_accepts_the_arguments_of_every_container(example: str) -> None:
    from typer.main import get_command

    from groundcam.command_line import app

    for name, spec in pod_specs(chart.objects(chart.values(example))):
        for container in containers(spec):
            command: Any = get_command(app)
            words = [word.replace("$(POD_NUMBER)", "0") for word in container["args"]]
            while words and hasattr(command, "commands"):
                if command.invoke_without_command and words[0].startswith("-"):
                    break
                assert words[0] in command.commands, f"{name}: groundcam {' '.join(container['args'])}"
                command = command.commands[words.pop(0)]
            command.make_context(container["name"], words)


def test_no_secret_stands_in_a_map_an_argument_or_a_variable(example: str) -> None:
    manifests = chart.objects(chart.values(example))
    assert not of_kind(manifests, "Secret")
    for one in of_kind(manifests, "ConfigMap"):
        for text in one["data"].values():
            assert not re.search(r"(password|token|secret)\w*: ?[^\s/]", text.replace("oauth_token_url", "")), text
            assert not re.search(r"://[^/@\s]*:[^/@\s]*@", text), text
    for _, spec in pod_specs(manifests):
        for container in containers(spec):
            secret = {name for name, value in variables(container).items() if "secretKeyRef" in str(value)}
            assert secret <= ({"HF_TOKEN"} if container["name"] == "model" else {"GROUNDCAM_KAFKA__SASL_USERNAME"})
            assert not re.search(r"password|token", " ".join(container["args"]), re.IGNORECASE)


@pytest.mark.parametrize(
    ("change", "restarted"),
    [
        ("question=dog", {"worker"}),
        ("log.level=debug", {"worker", "camera-gate", "camera-yard"}),
        ("cameras.gate.fps=2", {"camera-gate"}),
        ("cameras.gate.question=dog", {"worker"}),
        ("worker.settings.batch_size=4", {"worker"}),
        ("worker.replicas=3", set()),
        ("monitoring.podMonitor.enabled=true", set()),
        ("rollout=secret rotated", {"worker", "camera-gate", "camera-yard"}),
    ],
)
def test_a_change_restarts_the_pods_that_it_concerns_and_no_others(change: str, restarted: set[str]) -> None:
    given = {"cameras": {"gate": {"url": "rtsp://192.0.2.1/"}, "yard": {"url": "rtsp://192.0.2.2/"}}}
    before, after = (_templates(chart.objects(BASE, given, *more)) for more in ((), (change,)))
    assert {name for name in before if before[name] != after[name]} == restarted


def _templates(manifests: list[chart.Manifest]) -> dict[str, Any]:
    found = of_kind(manifests, "Deployment")
    return {one["metadata"]["name"].removeprefix("demo-groundcam-"): one["spec"]["template"] for one in found}


def test_a_new_version_of_the_chart_alone_restarts_nothing(tmp_path: Path) -> None:
    newer = tmp_path / "groundcam"
    for path in chart.CHART.rglob("*"):
        if path.is_file():
            target = newer / path.relative_to(chart.CHART)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    written = yaml.safe_load((newer / "Chart.yaml").read_text()) | {"version": "9.9.9"}
    (newer / "Chart.yaml").write_text(yaml.safe_dump(written))
    given = chart.with_values(BASE, "cameras.gate={url: 'rtsp://192.0.2.1/'}")
    text = "\n---\n".join(text for path, text in chart.render(given, newer).items() if path.endswith(".yaml"))
    assert "groundcam-9.9.9" in text
    assert _templates(chart.parse(text)) == _templates(chart.objects(given))
    assert the(chart.parse(text), "Job")["metadata"]["name"] == the(chart.objects(given), "Job")["metadata"]["name"]


def test_user_ids_may_be_left_to_the_cluster() -> None:
    """As OpenShift wants it; a null takes a default away."""
    spec = dict(pod_specs(chart.objects(BASE, "podSecurityContext={runAsUser: null, runAsGroup: null, fsGroup: null}")))
    context = spec["Deployment/demo-groundcam-worker"]["securityContext"]
    assert context["runAsNonRoot"] is True
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & {name for name, value in context.items() if value is not None}
