"""The console: a pod that shows pictures, who reaches it, and what it shares with the HTTP service."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from groundcam.command_line import app
from groundcam.settings import load
from groundcam_serve.server import END_S
from groundcam_serve.settings import ServeSettings
from groundcam_serve.user_file import load as load_users
from groundcam_serve.wall import tiles
from helm import chart
from helm.chart import BASE, ChartError, objects, of_kind, settings, the, variables
from helm.test_network import KAFKA, ways_out
from helm.test_serve import mounted

OPEN: dict[str, Any] = {"console": {"enabled": True, "open": True}}
KEYS: dict[str, Any] = {"console": {"enabled": True, "keys": {"existingSecret": "who"}}}
USERS = "console.users.existingSecret=people"
TLS = "console.tls.existingSecret=certificate"
BOTH = ["serve={enabled: true, open: true}", OPEN]


def shown(*changes: Any) -> tuple[list[chart.Manifest], chart.Manifest, chart.Manifest]:
    """All objects, the console's pod, and its container."""
    manifests = objects(BASE, *changes)
    pod = the(manifests, "Deployment", "-console")["spec"]["template"]["spec"]
    return manifests, pod, pod["containers"][0]


def test_there_is_none_unless_it_is_wanted() -> None:
    for one in objects(BASE, "serve={enabled: true, open: true}"):
        assert one["metadata"]["labels"].get("app.kubernetes.io/component") != "console", one["metadata"]["name"]


def test_it_is_one_pod_that_runs_the_console_and_nothing_keeps_it_where_it_is() -> None:
    manifests, _, container = shown(OPEN)
    deployment = the(manifests, "Deployment", "-console")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert container["args"] == ["console", "--config", "/etc/groundcam/groundcam.yaml"]
    assert container["image"].startswith("groundcam/serve:")
    assert not of_kind(manifests, "PodDisruptionBudget", "-console")
    assert not of_kind(manifests, "HorizontalPodAutoscaler")


def test_keys_people_and_certificate_lie_where_the_program_reads_them() -> None:
    manifests, pod, container = shown(KEYS, USERS, TLS, "console.users.key=ours.yaml")
    serve = settings(the(manifests, "ConfigMap", "-console"))["serve"]
    assert mounted(pod) == {
        serve["keys_file"]: ("who", "keys.yaml"),
        serve["users_file"]: ("people", "ours.yaml"),
        serve["tls_cert_file"]: ("certificate", "tls.crt"),
        serve["tls_key_file"]: ("certificate", "tls.key"),
    }
    assert "open" not in serve
    # No subPath, which would never change: a file of people is read again.
    assert not [one for one in container["volumeMounts"] if "subPath" in one]


def test_people_alone_are_enough(tmp_path: Path) -> None:
    manifests, pod, _ = shown("console.enabled=true", USERS)
    assert "keys_file" not in settings(the(manifests, "ConfigMap", "-console"))["serve"]
    assert set(mounted(pod).values()) == {("people", "users.yaml")}
    # What `groundcam users add` writes is what the secret holds.
    written = tmp_path / "users.yaml"
    words = ["users", "add", "anna", "--role", "admin", "--password-stdin", "--file", str(written)]
    assert CliRunner().invoke(app, words, input="a long made-up sentence\n").exit_code == 0
    assert load_users(written).named("anna")


def test_a_proxy_that_says_who_it_is_is_enough_and_one_that_does_not_is_not() -> None:
    proxy = "console.settings.trusted_proxies=[192.0.2.0/24]"
    assert mounted(shown("console.enabled=true", proxy)[1]) == {}
    with pytest.raises(ChartError, match="trusted_proxies"):
        shown("console.enabled=true", proxy, "console.settings.proxy_user_header=''")


def test_an_open_console_has_no_secrets() -> None:
    manifests, pod, container = shown(OPEN)
    assert settings(the(manifests, "ConfigMap", "-console"))["serve"] == {"host": "::", "port": 8000, "open": True}
    assert mounted(pod) == {}
    assert not variables(container)


def test_it_is_there_while_no_worker_is_ready_so_that_it_can_say_so() -> None:
    """The HTTP service is not: there, another pod may do better."""
    manifests, _, container = shown(*BOTH)
    serve = the(manifests, "Deployment", "-serve")["spec"]["template"]["spec"]["containers"][0]
    assert serve["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["periodSeconds"] == 5
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports["http"] == settings(the(manifests, "ConfigMap", "-console"))["http"]["port"]


def test_a_stopping_pod_serves_on_and_then_finishes_before_kubernetes_kills_it() -> None:
    _, pod, container = shown(OPEN, "console.stopDelaySeconds=15")
    assert container["lifecycle"]["preStop"] == {"sleep": {"seconds": 15}}
    assert pod["terminationGracePeriodSeconds"] > 15 + END_S


def test_it_is_found_by_its_service_and_the_pod_monitor_and_by_no_other() -> None:
    manifests, _, container = shown(*BOTH, "monitoring.podMonitor.enabled=true")
    labels = the(manifests, "Deployment", "-console")["spec"]["template"]["metadata"]["labels"]
    service = the(manifests, "Service", "-console")["spec"]
    assert service["selector"].items() <= labels.items()
    assert service["ports"][0]["targetPort"] in {one["name"] for one in container["ports"]}
    assert not the(manifests, "Service", "-serve")["spec"]["selector"].items() <= labels.items()
    monitor = the(manifests, "PodMonitor")["spec"]["selector"]
    assert labels["app.kubernetes.io/component"] in monitor["matchExpressions"][0]["values"]


def test_ways_from_outside_lead_to_it() -> None:
    route = "console.httpRoute={enabled: true, parentRefs: [{name: public}]}"
    manifests = objects(chart.values("console"), route)
    service = the(manifests, "Service", "-console")
    (rule,) = the(manifests, "Ingress")["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert (rule["host"], backend["name"]) == ("cameras.example.org", service["metadata"]["name"])
    (reference,) = the(manifests, "HTTPRoute")["spec"]["rules"][0]["backendRefs"]
    assert reference == {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}


def test_both_may_be_reached_under_hosts_of_their_own() -> None:
    ingress = "{enabled: true, hosts: [%s.example.org]}"
    changes = [*BOTH, f"serve.ingress={ingress % 'api'}", f"console.ingress={ingress % 'cameras'}"]
    found = {
        one["metadata"]["name"]: one["spec"]["rules"][0]["host"] for one in of_kind(objects(BASE, *changes), "Ingress")
    }
    assert found == {"demo-groundcam-serve": "api.example.org", "demo-groundcam-console": "cameras.example.org"}
    with pytest.raises(ChartError, match="name the same host"):
        objects(BASE, *changes, "serve.ingress.hosts=[cameras.example.org]")


def test_where_only_some_names_are_answered_those_of_the_chart_are() -> None:
    names = "console.settings.names=[groundcam.example.com]"
    manifests, _, _ = shown(OPEN, names, "console.ingress={enabled: true, hosts: [a.example.org]}")
    answered = settings(the(manifests, "ConfigMap", "-console"))["serve"]["names"]
    service = the(manifests, "Service", "-console")["metadata"]["name"]
    assert answered == ["groundcam.example.com", service, f"{service}.vision", f"{service}.vision.svc", "a.example.org"]


def test_settings_reach_the_program_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDCAM_SERVE__NAME", raising=False)
    manifests, _, _ = shown(KEYS, {"console": {"settings": {"max_viewers": 5, "max_waiting_bytes": 1073741824}}})
    path = tmp_path / "groundcam.yaml"
    path.write_text(the(manifests, "ConfigMap", "-console")["data"]["groundcam.yaml"])
    serve = load(path, {}).serve
    assert (serve.max_viewers, serve.max_waiting_bytes) == (5, 1073741824)


def test_it_may_log_in_as_a_user_of_its_own() -> None:
    manifests = objects(chart.values("console"))
    assert settings(the(manifests, "ConfigMap", "-console"))["kafka"]["sasl_username"] == "groundcam-service"
    pod = the(manifests, "Deployment", "-console")["spec"]["template"]["spec"]
    assert ("kafka-service", "password") in mounted(pod).values()
    assert "kafka-worker" not in str(pod)


def test_it_reaches_kafka_and_nothing_else_and_is_reached_by_those_who_are_named() -> None:
    assert ways_out(objects(BASE, OPEN), "console") == {KAFKA}
    (rule,) = the(objects(BASE, OPEN), "NetworkPolicy", "-console")["spec"]["ingress"]
    assert rule == {"ports": [{"port": 8000, "protocol": "TCP"}]}
    peer = {"namespaceSelector": {"matchLabels": {"a": "b"}}}
    named = {
        "networkPolicy": {"console": {"from": [peer], "extraEgress": [{"ports": [{"port": 443, "protocol": "TCP"}]}]}}
    }
    manifests = objects(BASE, *BOTH, named)
    assert the(manifests, "NetworkPolicy", "-console")["spec"]["ingress"][0]["from"] == [peer]
    assert ways_out(manifests, "console") == {KAFKA, ("anywhere", 443)}
    assert ways_out(manifests, "serve") == {KAFKA}


def test_what_it_needs_at_most_fits_into_its_memory() -> None:
    """The notes' sum is that of the program's own bounds."""
    serve = ServeSettings()
    mebibyte = 1024 * 1024
    most = 256 + 3 * serve.max_waiting_bytes // mebibyte + serve.max_viewers * tiles.MOST_BYTES // mebibyte
    assert shown(OPEN)[2]["resources"]["limits"]["memory"] == f"{most}Mi"
    told = chart.notes(chart.with_values(BASE, OPEN, "console.settings.max_viewers=65"))
    assert f"take {most + tiles.MOST_BYTES // mebibyte}Mi or more" in told


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ("console.open is true", [OPEN]),
        ("trusted_proxies is empty: attempts", [KEYS, "console.ingress={enabled: true, hosts: [a.example.org]}"]),
        ("console.ingress.tls is empty", [KEYS, "console.ingress={enabled: true, hosts: [a.example.org]}"]),
        ("console.resources.limits.memory is 1000Mi", [KEYS, "console.resources.limits.memory=1000Mi"]),
        ("image.tag is latest", [KEYS, {"image": {"tag": "latest", "worker": {"digest": "sha256:" + "1" * 64},
                                                 "producer": {"digest": "sha256:" + "2" * 64}}}]),
    ],
)  # fmt: skip
def test_the_notes_warn(told: str, changes: list[Any]) -> None:
    assert told in chart.notes(chart.with_values(BASE, *changes))
    assert told not in chart.notes(chart.values("console"))


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("Look at the cameras:\n", [OPEN]),
        ("Look at the cameras, with a login of yours:\n", [KEYS]),
        ("port-forward service/demo-groundcam-console 8001:80\n", [OPEN, "console.service.port=80"]),
        ("https://localhost:8001/console/", [KEYS, TLS]),
        ("from outside https://cameras.example.org/console/", [chart.values("console")]),
    ],
)
def test_the_notes_say_how_it_is_reached(said: str, changes: list[Any]) -> None:
    assert said in chart.notes(chart.with_values(BASE, *changes))
    assert "Look at the cameras" not in chart.notes(BASE)


def test_a_changed_setting_restarts_the_console_alone() -> None:
    def templates(*changes: Any) -> dict[str, Any]:
        manifests = objects(BASE, *BOTH, *changes)
        return {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind(manifests, "Deployment")}

    before, after = templates(), templates("console.settings.max_viewers=5")
    assert {name for name in before if before[name] != after[name]} == {"demo-groundcam-console"}
