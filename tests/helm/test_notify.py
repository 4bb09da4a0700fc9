"""Webhooks: their pods, their secrets, and where they may go."""

from pathlib import Path
from typing import Any

import pytest

from groundcam.settings import load
from groundcam_events.notify import run
from groundcam_events.notify.settings import HookSettings, NotifySettings
from helm import chart
from helm.chart import BASE, ChartError, objects, of_kind, settings, the, variables
from helm.test_guards import SCHEMA
from helm.test_network import ANYWHERE, KAFKA, ways_out

ON: dict[str, Any] = {"notify": {"enabled": True, "settings": {"hooks": {"log": {"url": "http://log.example:8080/a"}}}}}
FILES = "/run/secrets/groundcam/notify"
PHONE = {"url_file": f"{FILES}/phone-url", "secret_file": f"{FILES}/hmac", "headers_file": f"{FILES}/headers"}


def notified(*changes: Any) -> tuple[list[chart.Manifest], chart.Manifest, chart.Manifest]:
    """All objects, the notifier's pod, and its container."""
    manifests = objects(BASE, ON, *changes)
    pod = the(manifests, "Deployment", "-notify")["spec"]["template"]["spec"]
    return manifests, pod, pod["containers"][0]


def test_there_is_none_unless_it_is_wanted() -> None:
    for one in objects(BASE):
        assert one["metadata"]["labels"].get("app.kubernetes.io/component") != "notify", one["metadata"]["name"]
    assert "  webhooks   log\n" in chart.notes(chart.with_values(BASE, ON))
    assert "webhooks" not in chart.notes(BASE)


def test_the_schema_has_every_setting_of_the_program_with_its_bounds() -> None:
    definitions = SCHEMA["definitions"]
    properties = definitions["hook"]["properties"]
    assert set(properties) == set(HookSettings.model_fields)
    assert set(definitions["notifySettings"]["properties"]) == set(NotifySettings.model_fields) - {"group"}
    told = HookSettings.model_json_schema()["properties"]
    numbers = 0
    for name, given in properties.items():
        written = definitions[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
        if told[name].get("type") in ("number", "integer"):
            bounds = ("minimum", "maximum", "exclusiveMinimum", "type")
            assert {key: written.get(key) for key in bounds} == {key: told[name].get(key) for key in bounds}, name
            numbers += 1
        assert written.get("enum") == told[name].get("enum"), name
    assert numbers == 8


def test_settings_reach_the_program_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDCAM_NOTIFY__GROUP", raising=False)
    given = {
        "log": {"url": "http://log.example:8080/a", "queue_events": 100_000, "times": ["mon-fri 22:00-06:00", "sat,sun"]},
        "phone": PHONE | {"causes": ["zone_entered"], "cameras": "gate, yard-*", "min_score": 0.5},
    }  # fmt: skip
    manifests, _, _ = notified({"notify": {"settings": {"hooks": given}, "existingSecret": "webhooks"}})
    path = tmp_path / "groundcam.yaml"
    path.write_text(the(manifests, "ConfigMap", "-notify")["data"]["groundcam.yaml"])
    notify = load(path, {}).notify
    assert notify.group == "groundcam-notifier"
    assert {name: notify.hooks[name] for name in given} == {
        name: HookSettings.model_validate(hook) for name, hook in given.items()
    }
    assert settings(the(notified("notify.group=others")[0], "ConfigMap", "-notify"))["notify"]["group"] == "others"


def test_each_key_of_the_secret_is_a_file_that_follows_a_change() -> None:
    _, pod, container = notified({"notify": {"settings": {"hooks": {"phone": PHONE}}, "existingSecret": "webhooks"}})
    (volume,) = [one for one in pod["volumes"] if one["name"] == "hooks"]
    assert volume["secret"] == {"secretName": "webhooks", "defaultMode": 0o440}  # all of its keys
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "hooks"]
    assert mount == {"name": "hooks", "mountPath": FILES, "readOnly": True}  # no subPath, which would never change
    assert "hooks" not in {one["name"] for one in notified()[1]["volumes"]}
    assert not variables(container)


def test_a_stopping_pod_has_the_time_that_it_takes() -> None:
    _, pod, _ = notified()
    assert pod["terminationGracePeriodSeconds"] >= 3 * run.LEAVE_S + 10
    with pytest.raises(ChartError, match="terminationGracePeriodSeconds"):
        notified("notify.terminationGracePeriodSeconds=10")


def test_it_is_found_by_its_budget_and_the_pod_monitor() -> None:
    manifests, pod, container = notified("monitoring.podMonitor.enabled=true")
    labels = the(manifests, "Deployment", "-notify")["spec"]["template"]["metadata"]["labels"]
    budget = the(manifests, "PodDisruptionBudget", "-notify")["spec"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert (
        labels["app.kubernetes.io/component"]
        in (the(manifests, "PodMonitor")["spec"]["selector"]["matchExpressions"][0]["values"])
    )
    assert container["image"].startswith("groundcam/events:")
    assert "tolerations" not in pod


def test_it_may_log_in_as_a_user_of_its_own() -> None:
    manifests = objects(chart.values("events"))
    assert settings(the(manifests, "ConfigMap", "-notify"))["kafka"]["sasl_username"] == "groundcam-notifier"
    held = str(the(manifests, "Deployment", "-notify")["spec"]["template"]["spec"]["volumes"])
    assert "kafka-notifier" in held
    assert "kafka-worker" not in held


@pytest.mark.parametrize(
    ("changes", "ways"),
    [
        ([], {(ANYWHERE, 8080)}),
        (["notify.settings.hooks.b.url=https://h.example/"], {(ANYWHERE, 8080), (ANYWHERE, 443)}),
        (["notify.settings.hooks={b: {url_file: /url}}"], {(ANYWHERE, 443)}),
        (["networkPolicy.notify.ports=[8443]"], {(ANYWHERE, 8443)}),
        (["networkPolicy.notify.to=[{ipBlock: {cidr: 192.0.2.0/24}}]"], {("192.0.2.0/24", 8080)}),
        (
            ["networkPolicy.notify.extraEgress=[{ports: [{port: 1, protocol: TCP}]}]"],
            {(ANYWHERE, 8080), (ANYWHERE, 1)},
        ),
    ],
)
def test_it_reaches_kafka_and_webhooks_and_nobody_else_does(changes: list[Any], ways: set[tuple[str, int]]) -> None:
    manifests = objects(BASE, ON, "tracker.enabled=true", *changes)
    assert ways_out(manifests, "notify") == {KAFKA} | ways
    assert ways_out(manifests, "tracker") == {KAFKA}


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ("webhooks hear of nothing unless trackers run elsewhere", [ON]),
        ("hooks.b.url has a query", [ON, "notify.settings.hooks.b.url=https://h.example/?token=x"]),
        ("hooks.b.url is http", [ON, "notify.settings.hooks.b={url: 'http://h.example/', picture: attach}"]),
    ],
)
def test_the_notes_warn(told: str, changes: list[Any]) -> None:
    assert told in chart.notes(chart.with_values(BASE, *changes))
    assert told not in chart.notes(chart.values("events"))


def test_a_changed_webhook_restarts_notifiers_alone() -> None:
    def templates(*changes: Any) -> dict[str, Any]:
        manifests = objects(BASE, ON, *changes)
        return {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind(manifests, "Deployment")}

    before, after = templates(), templates("notify.settings.hooks.log.timeout_s=5")
    assert {name for name in before if before[name] != after[name]} == {"demo-groundcam-notify"}
