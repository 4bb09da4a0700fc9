"""Values that are allowed and odd: names that YAML reads as numbers, empty lists, two releases beside each other."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from helm import chart
from helm.chart import BASE, ChartError, objects, of_kind, settings, the

SERVE = "serve={enabled: true, open: true}"
CONSOLE = "console={enabled: true, open: true}"
TEXTS = {
    "name", "key", "secretName", "claimName", "storageClassName", "priorityClassName", "app.kubernetes.io/name",
    "app.kubernetes.io/instance", "existingSecret",
}  # fmt: skip


def texts(of: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in an object that Kubernetes takes as a text only."""
    for key, value in of.items() if isinstance(of, dict) else enumerate(of) if isinstance(of, list) else ():
        if key in TEXTS and not isinstance(value, dict | list):
            yield f"{path}.{key}", value
        yield from texts(value, f"{path}.{key}")


ODD = [
    "kafka.securityProtocol=SASL_SSL",
    "kafka.sasl={mechanism: PLAIN, existingSecret: '1', usernameKey: 'yes', passwordKey: '2'}",
    "kafka.tls={ca: {existingSecret: '3', key: 'on'}, client: {existingSecret: '4'}}",
    "model={name: tiny, hub: {existingSecret: '5', tokenKey: 'no'}, cache: {type: pvc, pvc: {storageClassName: '6'}}}",
    "image.pullSecrets=['7']", "worker.priorityClassName='8'", "cameras.a={url: 'rtsp://u@192.0.2.1/', existingSecret: '9'}",
    "serve={enabled: true, keys: {existingSecret: '10'}, tls: {existingSecret: '11'}}",
    "console={enabled: true, users: {existingSecret: '12'}}",
    "notify={enabled: true, existingSecret: '13', settings: {hooks: {a: {url: 'https://h.example/'}}}}",
    "tracker.enabled=true", "test.enabled=true", "fullnameOverride=x",
]  # fmt: skip


@pytest.mark.parametrize(
    "more", [[], ["kafka.sasl={mechanism: OAUTHBEARER}", "kafka.oauth={existingSecret: '14', tokenKey: '15'}"]]
)
def test_a_name_that_looks_like_a_number_stays_a_text(monkeypatch: pytest.MonkeyPatch, more: list[str]) -> None:
    """Preview installations are named by the number of a pull request, secrets by a ticket's."""
    monkeypatch.setattr(chart, "RELEASE", "1234")
    found = [
        place for one in objects(BASE, *ODD, *more) for place in texts(one, f"{one['kind']}/{one['metadata']['name']}")
    ]
    assert len(found) > 200
    assert [place for place in found if not isinstance(place[1], str)] == []


def test_a_release_whose_name_no_service_can_have_needs_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "RELEASE", "1234")
    assert objects(BASE), "without a Service it is installed as it is"
    for with_service in (SERVE, "worker.kind=StatefulSet", "tracker={enabled: true, kind: StatefulSet}"):
        with pytest.raises(ChartError, match="1234-groundcam cannot be the name of a Service"):
            objects(BASE, with_service)
        assert objects(BASE, with_service, "fullnameOverride=preview-1234")


@pytest.mark.parametrize("dns", ["{ports: [], to: []}", "{ports: []}"])
def test_without_ports_of_name_servers_there_is_no_way_to_them(dns: str) -> None:
    """A rule without ports and places would be a way to everywhere."""
    policies = of_kind(objects(BASE, f"networkPolicy.dns={dns}", "cameras.a.url=rtsp://192.0.2.1/"), "NetworkPolicy")
    rules = [rule for one in policies for rule in one["spec"].get("egress", [])]
    assert rules
    assert all(rule.get("ports") for rule in rules)
    assert 53 not in {one["port"] for rule in rules for one in rule["ports"]}


def test_releases_of_one_name_in_two_namespaces_make_topics_of_their_own_beside_one_kafka() -> None:
    here = chart.values("strimzi")

    def names(namespace: str) -> set[str]:
        found = of_kind(objects(here, f"topics.strimzi.namespace={namespace}"), "KafkaTopic")
        return {one["metadata"]["name"] for one in found}

    end = sha256(chart.NAMESPACE.encode()).hexdigest()[:8]
    assert names("''") == names(chart.NAMESPACE)
    assert names("kafka") == {f"{one}-{end}" for one in names(chart.NAMESPACE)}


def test_service_and_console_may_share_a_gateway_with_hosts_of_their_own() -> None:
    def route(name: str, hosts: str) -> str:
        return f"{name}.httpRoute={{enabled: true, parentRefs: [{{name: g}}], hostnames: {hosts}}}"

    assert (
        len(of_kind(objects(BASE, SERVE, CONSOLE, route("serve", "[a.b]"), route("console", "[c.d]")), "HTTPRoute"))
        == 2
    )
    assert objects(
        BASE, SERVE, CONSOLE, route("serve", "[]"), "console.httpRoute={enabled: true, parentRefs: [{name: h}]}"
    )
    for other in (route("console", "[c.d, a.b]"), "console.ingress={enabled: true, hosts: [a.b]}"):
        with pytest.raises(ChartError, match="serve and console name the same host"):
            objects(BASE, SERVE, CONSOLE, route("serve", "[a.b]"), other)


@pytest.mark.parametrize(
    ("interval", "fits"), [("30s", True), ("30000ms", True), ("31s", False), ("30001ms", False), ("5m", False)]
)
def test_rules_of_silent_cameras_need_scrapes_that_are_not_further_apart_than_they_look(
    interval: str, *, fits: bool
) -> None:
    rules = f"monitoring={{rules: {{enabled: true}}, podMonitor: {{enabled: true, interval: {interval}}}}}"
    if fits:
        assert of_kind(objects(BASE, rules), "PrometheusRule")
    else:
        with pytest.raises(ChartError, match="would take every camera for silent"):
            objects(BASE, rules)
    assert objects(BASE, f"monitoring.podMonitor={{enabled: true, interval: {interval}}}")


@pytest.mark.parametrize(
    ("name", "is_fetched"), [("fake", False), ("fake:5ms", False), ("fakeowner/model", True), ("fakes", True)]
)
def test_only_the_fake_model_is_taken_for_it(name: str, *, is_fetched: bool) -> None:
    manifests = objects(BASE, f"model.name={name}")
    pod = the(manifests, "Deployment", "-worker")["spec"]["template"]["spec"]
    assert bool(pod.get("initContainers")) is is_fetched
    assert (settings(the(manifests, "ConfigMap", "-worker"))["work"]["model"] == name) is not is_fetched


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ("requests by HTTP do not", [SERVE, "autoscaling={enabled: true, minReplicas: 0, lag: {enabled: true}}"]),
        ("the image decodes no films", [SERVE, "serve.settings.max_jobs_bytes=1000000"]),
    ],
)
def test_the_notes_say_what_will_not_come_up(told: str, changes: list[str]) -> None:
    assert told in chart.notes(chart.with_values(BASE, *changes))
    assert told not in chart.notes(chart.with_values(BASE, SERVE))
