"""The HTTP service: its pods, who reaches them, and how `helm test` asks."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from groundcam.command_line import app
from groundcam.settings import load
from groundcam_serve.key_file import KeyFile
from groundcam_serve.server import END_S
from helm import chart
from helm.chart import BASE, ChartError, objects, of_kind, pod_specs, settings, the
from helm.test_network import KAFKA, ways_out

OPEN: dict[str, Any] = {"serve": {"enabled": True, "open": True}}
KEYS: dict[str, Any] = {"serve": {"enabled": True, "keys": {"existingSecret": "who"}}}
TLS = "serve.tls.existingSecret=certificate"
KEY = "serve.test.keySecret=our-key"
SECRETS = "/run/secrets/groundcam"


def served(*changes: Any) -> tuple[list[chart.Manifest], chart.Manifest, chart.Manifest]:
    """All objects, the service's pod, and its container."""
    manifests = objects(BASE, *changes)
    pod = the(manifests, "Deployment", "-serve")["spec"]["template"]["spec"]
    return manifests, pod, pod["containers"][0]


def mounted(pod: chart.Manifest) -> dict[str, tuple[str, str]]:
    """Of which secret and key each file of a pod is."""
    (container,) = pod["containers"]
    places = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    found = {}
    for volume in pod["volumes"]:
        sources = [one["secret"] for one in volume.get("projected", {}).get("sources", []) if "secret" in one]
        sources += [volume["secret"]] if "secret" in volume else []
        for source in sources:
            for item in source["items"]:
                name = source.get("secretName", source.get("name"))
                found[f"{places[volume['name']]}/{item['path']}"] = (name, item["key"])
    return found


def test_there_is_none_unless_it_is_wanted() -> None:
    for one in objects(BASE):
        assert one["metadata"]["labels"].get("app.kubernetes.io/component") != "serve", one["metadata"]["name"]


def test_the_keys_lie_where_the_program_reads_them(tmp_path: Path) -> None:
    manifests, pod, _ = served(KEYS, "serve.keys.key=ours.yaml")
    serve = settings(the(manifests, "ConfigMap", "-serve"))["serve"]
    assert mounted(pod) == {serve["keys_file"]: ("who", "ours.yaml")}
    assert "open" not in serve
    # What `groundcam keys new` prints is what the secret holds.
    written = tmp_path / "keys.yaml"
    written.write_text(CliRunner().invoke(app, ["keys", "new", "press"]).output)
    assert KeyFile(written).is_there


def test_an_open_service_has_no_keys() -> None:
    manifests, pod, _ = served(OPEN)
    serve = settings(the(manifests, "ConfigMap", "-serve"))["serve"]
    assert serve == {"host": "::", "port": 8000, "open": True}
    assert mounted(pod) == {}


def test_a_certificate_lies_where_the_program_reads_it() -> None:
    manifests, pod, _ = served(OPEN, TLS, "serve.tls.certKey=cert")
    serve = settings(the(manifests, "ConfigMap", "-serve"))["serve"]
    assert mounted(pod) == {
        serve["tls_cert_file"]: ("certificate", "cert"),
        serve["tls_key_file"]: ("certificate", "tls.key"),
    }
    assert the(manifests, "Service", "-serve")["spec"]["ports"][0]["appProtocol"] == "https"


def test_a_stopping_pod_serves_on_and_then_finishes_before_kubernetes_kills_it() -> None:
    _, pod, container = served(OPEN, "serve.stopDelaySeconds=15")
    assert container["lifecycle"]["preStop"] == {"sleep": {"seconds": 15}}
    assert pod["terminationGracePeriodSeconds"] > 15 + END_S
    with pytest.raises(ChartError, match="requests would be cut off"):
        served(OPEN, "serve.terminationGracePeriodSeconds=16", "serve.stopDelaySeconds=10")


def test_probes_ask_the_port_that_has_no_login() -> None:
    manifests, _, container = served(KEYS, TLS)
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    http = settings(the(manifests, "ConfigMap", "-serve"))["http"]
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert ports[container[name]["httpGet"]["port"]] == http["port"]
        assert "scheme" not in container[name]["httpGet"]


@pytest.mark.parametrize(
    ("replicas", "changes"), [(3, ["serve.replicas=3"]), (None, ["serve.autoscaling.enabled=true"])]
)
def test_an_autoscaled_service_has_no_number_of_its_own(replicas: int | None, changes: list[str]) -> None:
    manifests, _, _ = served(OPEN, *changes)
    deployment = the(manifests, "Deployment", "-serve")
    assert deployment["spec"].get("replicas") == replicas
    scalers = of_kind(manifests, "HorizontalPodAutoscaler")
    assert [one["spec"]["scaleTargetRef"]["name"] for one in scalers] == (
        [] if replicas else [deployment["metadata"]["name"]]
    )


def test_it_is_found_by_its_service_its_budget_and_the_pod_monitor() -> None:
    manifests, _, container = served(OPEN, "monitoring.podMonitor.enabled=true")
    labels = the(manifests, "Deployment", "-serve")["spec"]["template"]["metadata"]["labels"]
    service = the(manifests, "Service", "-serve")["spec"]
    assert service["selector"].items() <= labels.items()
    assert service["ports"][0]["targetPort"] in {one["name"] for one in container["ports"]}
    budget = the(manifests, "PodDisruptionBudget", "-serve")["spec"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    monitor = the(manifests, "PodMonitor")["spec"]["selector"]
    assert labels["app.kubernetes.io/component"] in monitor["matchExpressions"][0]["values"]
    for other in of_kind(manifests, "Deployment", "-worker"):
        assert not service["selector"].items() <= other["spec"]["template"]["metadata"]["labels"].items()


def test_ways_from_outside_lead_to_the_service() -> None:
    manifests = objects(chart.values("http-service"))
    service = the(manifests, "Service", "-serve")
    (rule,) = the(manifests, "Ingress")["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert (rule["host"], backend["name"]) == ("groundcam.example.org", service["metadata"]["name"])
    assert backend["port"]["name"] == service["spec"]["ports"][0]["name"]
    route = the(manifests, "HTTPRoute")["spec"]
    assert set(route) == {"parentRefs", "hostnames", "rules"}
    (reference,) = route["rules"][0]["backendRefs"]
    assert reference == {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}
    assert not [one for one in objects(BASE, OPEN) if one["kind"] in ("Ingress", "HTTPRoute")]


def test_where_only_some_names_are_answered_those_of_the_chart_are() -> None:
    names = "serve.settings.names=[groundcam.example.com]"
    manifests, _, _ = served(OPEN, names, "serve.ingress={enabled: true, hosts: [a.example.org]}")
    answered = settings(the(manifests, "ConfigMap", "-serve"))["serve"]["names"]
    service = the(manifests, "Service", "-serve")["metadata"]["name"]
    assert answered == ["groundcam.example.com", service, f"{service}.vision", f"{service}.vision.svc", "a.example.org"]
    assert "names" not in settings(the(served(OPEN)[0], "ConfigMap", "-serve"))["serve"]


def test_settings_reach_the_program_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDCAM_SERVE__NAME", raising=False)
    given = {"max_body_bytes": 1073741824, "url_hosts": ["pictures.example", ".example.org"], "max_timeout_s": 120.5}
    manifests, _, _ = served(KEYS, {"serve": {"settings": given}})
    path = tmp_path / "groundcam.yaml"
    path.write_text(the(manifests, "ConfigMap", "-serve")["data"]["groundcam.yaml"])
    serve = load(path, {}).serve
    assert (serve.max_body_bytes, serve.url_hosts, serve.max_timeout_s) == (
        1073741824, ("pictures.example", ".example.org"), 120.5,
    )  # fmt: skip


def test_it_may_log_in_as_a_user_of_its_own() -> None:
    manifests = objects(chart.values("http-service"))
    users = {
        role: settings(the(manifests, "ConfigMap", f"-{role}"))["kafka"]["sasl_username"]
        for role in ("serve", "worker")
    }
    assert users == {"serve": "groundcam-service", "worker": "groundcam-worker"}
    pod = the(manifests, "Deployment", "-serve")["spec"]["template"]["spec"]
    assert ("kafka-service", "password") in mounted(pod).values()
    assert "kafka-worker" not in yaml.safe_dump(pod)


# Who talks to whom.


def ways_in(manifests: list[chart.Manifest]) -> list[Any]:
    """Who may reach the service's port; an empty entry is everybody."""
    policy = the(manifests, "NetworkPolicy", "-serve")
    return [peer for rule in policy["spec"]["ingress"] for peer in rule.get("from", [{}])]


def test_it_reaches_kafka_and_nothing_else() -> None:
    assert ways_out(objects(BASE, OPEN), "serve") == {KAFKA}
    more = (
        "networkPolicy.serve.extraEgress=[{ports: [{port: 443, protocol: TCP}], to: [{ipBlock: {cidr: 192.0.2.0/24}}]}]"
    )
    assert ways_out(objects(BASE, OPEN, more), "serve") == {KAFKA, ("192.0.2.0/24", 443)}


def test_it_is_reached_by_those_who_are_named_and_by_the_test() -> None:
    assert ways_in(objects(BASE, OPEN)) == [{}]
    peer = {"namespaceSelector": {"matchLabels": {"a": "b"}}}
    named = {"networkPolicy": {"serve": {"from": [peer]}}}
    manifests = objects(BASE, OPEN, named)
    first, tester = ways_in(manifests)
    assert first == peer
    pod = the(manifests, "Pod", "-test-serve")
    assert tester["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert ways_in(objects(BASE, OPEN, named, "test.enabled=false")) == [peer]


def test_the_test_may_go_to_the_service() -> None:
    manifests = objects(BASE, OPEN)
    pods = the(manifests, "Deployment", "-serve")["spec"]["template"]["metadata"]["labels"]
    (rule,) = the(manifests, "NetworkPolicy", "-test")["spec"]["egress"]
    assert rule["to"][0]["podSelector"]["matchLabels"].items() <= pods.items()
    assert rule["ports"] == [{"port": 8000, "protocol": "TCP"}]


# helm test.


def option(container: chart.Manifest, name: str) -> str | None:
    words = container["args"]
    return words[words.index(name) + 1] if name in words else None


@pytest.mark.parametrize(
    ("changes", "scheme", "files"),
    [
        ([OPEN], "http", {}),
        ([OPEN, TLS], "https", {"--certificate": ("certificate", "tls.crt")}),
        ([KEYS, KEY], "http", {"--key": ("our-key", "key")}),
        ([KEYS, KEY, TLS], "https", {"--key": ("our-key", "key"), "--certificate": ("certificate", "tls.crt")}),
    ],
)
def test_the_test_asks_the_service_with_what_it_needs(
    changes: list[Any], scheme: str, files: dict[str, tuple[str, str]]
) -> None:
    manifests = objects(BASE, *changes, "serve.service.port=8443")
    spec = dict(pod_specs(manifests))["Pod/demo-groundcam-test-serve"]
    (container,) = spec["containers"]
    assert option(container, "--url") == f"{scheme}://demo-groundcam-serve.vision.svc:8443"
    assert the(manifests, "Service", "-serve")["spec"]["ports"][0]["port"] == 8443
    given = {name: option(container, name) for name in ("--key", "--certificate")}
    lying = mounted(spec)
    assert {name: lying[path] for name, path in given.items() if path} == files
    assert len(lying) == len(files)  # and no private key among them


@pytest.mark.parametrize("changes", [[KEYS], [OPEN, "test.enabled=false"], [KEY]])
def test_it_is_left_out_without_a_key_and_without_a_service(changes: list[Any]) -> None:
    manifests = objects(BASE, *changes)
    assert not of_kind(manifests, "Pod", "-test-serve")
    assert not of_kind(manifests, "NetworkPolicy", "-test")


# What is told.


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ("serve.open is true", [OPEN]),
        ("helm test leaves the HTTP service out", [KEYS]),
        ("serve.ingress.tls is empty", [KEYS, "serve.ingress={enabled: true, hosts: [a.example.org]}"]),
        ("lets the HTTP service reach none of them", [KEYS, "serve.settings.url_hosts=[pictures.example]"]),
        ("serve.resources.limits.memory is 1000Mi", [KEYS, "serve.resources.limits.memory=1000Mi"]),
        ("take 3328Mi or more", [KEYS, "serve.settings.max_waiting_bytes=1073741824"]),
        ("image.tag is latest", [KEYS, {"image": {"tag": "latest", "worker": {"digest": "sha256:" + "1" * 64},
                                                 "producer": {"digest": "sha256:" + "2" * 64}}}]),
    ],
)  # fmt: skip
def test_the_notes_warn(told: str, changes: list[Any]) -> None:
    assert told in chart.notes(chart.with_values(BASE, *changes))
    assert told not in chart.notes(chart.values("http-service"))


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("curl --form image=@FILE.jpg --form question=person http://localhost:8000/v1/detect", [OPEN]),
        ('curl --header "Authorization: Bearer $KEY" --form', [KEYS]),
        ("https://NAME-OF-THE-CERTIFICATE:8000/v1/detect", [KEYS, TLS]),
        ("port-forward service/demo-groundcam-serve 8000:80\n", [OPEN, "serve.service.port=80"]),
        ("from outside https://groundcam.example.org, by the gateway internal", [chart.values("http-service")]),
    ],
)
def test_the_notes_say_how_it_is_reached(said: str, changes: list[Any]) -> None:
    assert said in chart.notes(chart.with_values(BASE, *changes))
    assert "Ask about a picture" not in chart.notes(BASE)
