"""Values that are allowed and odd: names that YAML reads as numbers, empty lists, two releases beside each other."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from groundcam_runtime.settings import KafkaSettings
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
        ("worker.replicas is 0", ["worker.replicas=0"]),
    ],
)
def test_the_notes_say_what_will_not_come_up(told: str, changes: list[str]) -> None:
    assert told in chart.notes(chart.with_values(BASE, *changes))
    assert told not in chart.notes(chart.with_values(BASE, SERVE))


@pytest.mark.parametrize(
    "servers", ["[::1]:9092", "a:1,[2001:db8::1]:65535", "a:0", "a:65536", "a:00", "[::1]:0", "a:9092,b:70000"]
)
def test_brokers_are_those_that_the_program_takes(servers: str) -> None:
    given = {"kafka": {"bootstrapServers": servers}}
    try:
        KafkaSettings(bootstrap_servers=servers)
    except ValueError:
        with pytest.raises(ChartError, match=r"kafka\.bootstrapServers: the port of"):
            objects(given)
    else:
        policy = the(objects(given), "NetworkPolicy", "-groundcam")
        ports = {int(one.rpartition(":")[2]) for one in servers.split(",")}
        assert ports <= {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


OWN_LABELS = ["name", "instance", "component", "version", "part-of", "managed-by"]


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        *(("commonLabels", f"app.kubernetes.io/{name}", "x") for name in OWN_LABELS),
        ("commonLabels", "helm.sh/chart", "x"),
        ("producers.podLabels", "groundcam/camera", "x"),
        *(
            (f"{one}.podLabels", "app.kubernetes.io/component", "x")
            for one in ("serve", "console", "tracker", "notify")
        ),
        ("monitoring.podMonitor.labels", "app.kubernetes.io/name", "x"),
        *(("commonLabels", "team", value) for value in ("-a", "a" * 64, "a/b", "ä")),
        *(("commonLabels", key, "x") for key in ("a b", "/a", "a/b/c", "x" * 64)),
    ],
)
def test_a_label_that_breaks_a_workload_is_refused(path: str, key: str, value: str) -> None:
    """Of a selector's label the last one in the object would win, and the workload be refused, or find no pod."""
    with pytest.raises(ChartError, match=rf"execution error .*{path}: {key}\b"):
        objects(BASE, f"{path}={{{key!r}: {value!r}}}".replace("'", '"'))


def test_a_pods_own_label_beats_a_common_one_and_stands_there_once() -> None:
    manifests = objects(
        BASE, "commonLabels={team: a, example.org/Cost_Centre: '', release: x}", "worker.podLabels={team: b}",
        "producers.podLabels={team: c}", "cameras.a.url=/f", "monitoring.podMonitor={enabled: true, labels: {release: prometheus}}",
    )  # fmt: skip
    pods = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in of_kind(manifests, "Deployment")
    }
    assert {name: labels["team"] for name, labels in pods.items()} == {
        "demo-groundcam-worker": "b",
        "demo-groundcam-camera-a": "c",
    }
    assert pods["demo-groundcam-camera-a"]["groundcam/camera"] == "camera-a"
    assert the(manifests, "PodMonitor")["metadata"]["labels"]["release"] == "prometheus"


def test_names_of_ordinary_length_stay_and_long_ones_never_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    def name(release: str, *changes: str) -> str:
        monkeypatch.setattr(chart, "RELEASE", release)
        found: str = the(objects(BASE, *changes), "Deployment", "-worker")["metadata"]["name"]
        assert len(found) <= 47
        return found.removesuffix("-worker")

    assert name("demo") == "demo-groundcam"
    assert name("r" * 30) == f"{'r' * 30}-groundcam", "40 characters are not cut"
    assert name("groundcam-north") == "groundcam-north"
    assert name("demo", "fullnameOverride=cam.eras") == "cam.eras"
    hall = "factory-hall-north-line-of-cameras-number"
    cut = [
        name(f"{hall}-1"),
        name(f"{hall}-2"),
        name("demo", f"fullnameOverride={hall}-1.x"),
        name("demo", f"fullnameOverride={hall}-1"),
    ]
    assert len({*cut}) == len(cut)
    dotted = name("demo", f"fullnameOverride={'a' * 30}.{'b' * 20}")
    assert dotted.startswith(f"{'a' * 30}-"), dotted


@pytest.mark.parametrize(
    ("monitor", "fits"),
    [
        ("interval: 15s, scrapeTimeout: 15s", True), ("interval: 1m, scrapeTimeout: 60000ms", True), ("interval: 500ms", True),
        ("interval: 15s, scrapeTimeout: 16s", False), ("interval: 900ms, scrapeTimeout: 1s", False), ("interval: 0s", False),
        ("interval: 0m, scrapeTimeout: 0s", False), ("interval: 15s, scrapeTimeout: 0ms", False),
    ],
)  # fmt: skip
def test_a_scrape_ends_before_the_next_begins(monitor: str, *, fits: bool) -> None:
    """Prometheus's operator would leave the whole PodMonitor out, and nobody be told."""
    if fits:
        assert objects(BASE, f"monitoring.podMonitor={{enabled: true, {monitor}}}")
    else:
        with pytest.raises(ChartError, match=r"monitoring\.podMonitor: interval"):
            objects(BASE, f"monitoring.podMonitor={{enabled: true, {monitor}}}")


def test_a_worker_asks_for_one_device_however_it_is_written() -> None:
    for part in ("requests", "limits"):
        manifests = objects(BASE, f"worker.resources.{part}={{nvidia.com/gpu: '1'}}")
        (container,) = the(manifests, "Deployment", "-worker")["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] in {1, "1"}
    assert objects(BASE, "gpu.mode=none", "worker.resources={requests: {x.org/y: 2}, limits: {x.org/y: 2}}")
    with pytest.raises(ChartError, match=r"nvidia\.com/mig-1g\.10gb is there once"):
        objects(BASE, "gpu.resourceName=nvidia.com/mig-1g.10gb", "worker.resources.limits={nvidia.com/mig-1g.10gb: 2}")


@pytest.mark.parametrize("model", ["{name: o/n@COMMIT}", "{name: tiny, revision: COMMIT}"])
def test_a_commit_may_stand_in_the_models_name(model: str) -> None:
    said = "model.revision is no commit"
    assert said not in chart.notes(chart.with_values(BASE, f"model={model}".replace("COMMIT", "0123456789" * 4)))
    assert said in chart.notes(chart.with_values(BASE, f"model={model}".replace("COMMIT", "main")))
