"""Values that contradict each other, or that a typing error spoiled, end the render with a sentence that names them."""

import json
import re
from typing import Any

import pytest
import yaml

from groundcam_producers.settings import CameraSettings, ProduceSettings
from groundcam_runtime.rights import Role
from groundcam_serve.settings import ServeSettings
from groundcam_worker.settings import WorkSettings
from helm import chart, values_table
from helm.chart import BASE, ChartError

SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())
SASL = "kafka.securityProtocol=SASL_SSL"
OAUTH = "kafka.sasl.mechanism=OAUTHBEARER"
KEDA = "autoscaling.enabled=true"
SERVE = "serve={enabled: true, open: true}"
CONSOLE = "console={enabled: true, open: true}"
TRACKER = "tracker.enabled=true"
NOTIFY = ["notify.enabled=true", "notify.settings.hooks.a.url=https://h.example/"]
HOOK_FILE = "/run/secrets/groundcam/notify/hmac"
GUARDS = [
    ("kafka.bootstrapServers is empty", ["kafka.bootstrapServers=''"]),
    ("kafka.sasl.mechanism is empty", [SASL]),
    ("kafka.sasl.mechanism is PLAIN, which needs", ["kafka.sasl.mechanism=PLAIN"]),
    ("kafka.sasl.existingSecret is empty", [SASL, "kafka.sasl.mechanism=PLAIN", "kafka.sasl.username=u"]),
    ("needs username, or usernameKey", [SASL, "kafka.sasl={mechanism: PLAIN, existingSecret: s}"]),
    ("kafka (with topics.kafka).sasl.mechanism is PLAIN", ["topics.kafka.sasl.mechanism=PLAIN"]),
    ("kafka.oauth.existingSecret is empty", [SASL, OAUTH]),
    ("needs tokenUrl and clientId, or tokenKey", [SASL, OAUTH, "kafka.oauth.existingSecret=s"]),
    ("kafka.tls names certificates", ["kafka.tls.ca.existingSecret=s"]),
    (
        "existingSecret or existingConfigMap, not both",
        ["kafka.securityProtocol=SSL", "kafka.tls.ca={existingSecret: s, existingConfigMap: m}"],
    ),
    ("worker.drainTimeoutSeconds (30) must be less than", ["worker.drainTimeoutSeconds=30"]),
    ("worker.startup.budgetSeconds (10) must be more than", ["worker.startup.budgetSeconds=10"]),
    ("producers.startup.budgetSeconds (60) must be more", ["kafka.connectTimeoutSeconds=60"]),
    ("worker.replicas (9) is more than topics.partitions (8)", ["worker.replicas=9"]),
    ("autoscaling.maxReplicas (9) is more than topics.partitions (8)", [KEDA, "autoscaling.maxReplicas=9"]),
    ("autoscaling.minReplicas (5) is more than", [KEDA, "autoscaling.minReplicas=5"]),
    ("are both false", [KEDA, "autoscaling.lag.enabled=false"]),
    (
        "needs autoscaling.lag.enabled",
        [KEDA, "autoscaling={minReplicas: 0, lag: {enabled: false}, frameAge: {enabled: true}}"],
    ),
    ("autoscaling.frameAge.serverAddress is empty", [KEDA, "autoscaling.frameAge.enabled=true"]),
    (
        "autoscaling.existingAuthentication is empty",
        [KEDA, SASL, OAUTH, "kafka.oauth={existingSecret: s, tokenKey: token}"],
    ),
    ("topics.strimzi.cluster is empty", ["topics.mode=strimzi"]),
    ("topics.repartition is for topics.mode job", ["topics={mode: none, repartition: true}"]),
    ("gpu.resourceName is for gpu.mode devicePlugin, not dra", ["gpu={mode: dra, resourceName: nvidia.com/gpu}"]),
    ("gpu.dra is for gpu.mode dra, not devicePlugin", ["gpu.dra.deviceClassName=gpu.nvidia.com"]),
    ("gpu.dra.existingClaimTemplate", ["gpu={mode: dra, dra: {existingClaimTemplate: t, deviceClassName: c}}"]),
    ("gpu.runtimeClassName is set, but gpu.mode is none", ["gpu={mode: none, runtimeClassName: nvidia}"]),
    ("needs worker.kind StatefulSet", ["worker.settings.transactional=true"]),
    ("needs tracker.kind StatefulSet", ["tracker.enabled=true", "tracker.settings.transactional=true"]),
    ("model.cache.existingClaim is empty", ["model.cache.type=existingClaim"]),
    ("model.cache.existingClaim is set, but model.cache.type is emptyDir", ["model.cache.existingClaim=c"]),
    ("model.cache.image.reference is empty", ["model.cache.type=image"]),
    ("model.prefetch is false", ["model.prefetch=false"]),
    ("model.cache.folder is for models that lie there", ["model.cache.folder=tiny"]),
    ("model.cache.pvc.accessModes needs ReadWriteMany", ["model.cache.type=pvc", "worker.replicas=2"]),
    ("kafka.bootstrapServers: the port of b:99999 is none from 1 to 65535", ["kafka.bootstrapServers='a:1, b:99999'"]),
    ("commonLabels: app.kubernetes.io/name is a label of the chart's own", ["commonLabels={app.kubernetes.io/name: vision}"]),
    ('worker.podLabels: team: "a b" is no label', ["worker.podLabels={team: a b}"]),
    ("image.tag is 1.2@sha256:00: a tag has", ["image.tag=1.2@sha256:00"]),
    ("model.name (o/n@abc) has a revision in it already", ["model={name: o/n@abc, revision: def}"]),
    ("monitoring.podMonitor: interval (0s) must be more than 0", ["monitoring.podMonitor={enabled: true, interval: 0s}"]),
    ("worker.resources: nvidia.com/gpu is there once", ["worker.resources.requests={nvidia.com/gpu: 2}"]),
    ("worker.resources.requests: nvidia.com/gpu is 1, but not in the limits", ["gpu.mode=dra", "worker.resources.requests={nvidia.com/gpu: 1}"]),
    ("serve.keys.existingSecret is empty", ["serve.enabled=true"]),
    ("serve.open serves everybody", [SERVE, "serve.keys.existingSecret=s"]),
    ("serve.ingress.hosts is empty", [SERVE, "serve.ingress.enabled=true"]),
    ("serve.httpRoute.parentRefs is empty", [SERVE, "serve.httpRoute.enabled=true"]),
    ("serve.autoscaling.minReplicas (2) is more than", [SERVE, "serve.autoscaling={enabled: true, maxReplicas: 1}"]),
    (
        "serve.resources.requests.cpu, which is not set",
        [SERVE, "serve.autoscaling.enabled=true", "serve.resources.requests={cpu: null}"],
    ),
    ("serve.terminationGracePeriodSeconds (30) must be more", [SERVE, "serve.stopDelaySeconds=20"]),
    ("serve.settings.timeout_s (90) is more than serve.settings.max_timeout_s (60)", [SERVE, "serve.settings.timeout_s=90"]),
    ("serve.startup.budgetSeconds (10) must be more than", [SERVE, "serve.startup.budgetSeconds=10"]),
    ("kafka (with serve.kafka).sasl.mechanism is PLAIN", ["serve.kafka.sasl.mechanism=PLAIN"]),
    ("console.users.existingSecret and console.keys.existingSecret are empty", ["console.enabled=true"]),
    ("but console.settings.trusted_proxies say who it is", [CONSOLE, "console.settings.trusted_proxies=[192.0.2.1]"]),
    ("console.open serves everybody without users", [CONSOLE, "console.users.existingSecret=s"]),
    ("console.ingress.hosts is empty", [CONSOLE, "console.ingress.enabled=true"]),
    ("console.httpRoute.parentRefs is empty", [CONSOLE, "console.httpRoute.enabled=true"]),
    ("console.terminationGracePeriodSeconds (30) must be more", [CONSOLE, "console.stopDelaySeconds=20"]),
    ("console.settings.timeout_s (90) is more than", [CONSOLE, "console.settings.timeout_s=90"]),
    ("console.startup.budgetSeconds (10) must be more than", [CONSOLE, "console.startup.budgetSeconds=10"]),
    ("kafka (with console.kafka).sasl.mechanism is PLAIN", ["console.kafka.sasl.mechanism=PLAIN"]),
    (
        "serve and console name the same host",
        [SERVE, CONSOLE, *(f"{one}.ingress={{enabled: true, hosts: [a.example.org]}}" for one in ("serve", "console"))],
    ),
    (
        "console.httpRoute.hostnames are empty, at one Gateway",
        [SERVE, CONSOLE, *(f"{one}.httpRoute={{enabled: true, parentRefs: [{{name: g}}]}}" for one in ("serve", "console"))],
    ),
    ("cam.eras cannot be the name of a Service", [SERVE, "fullnameOverride=cam.eras"]),
    ("monitoring.podMonitor.interval (1m) is more than 30s", ["monitoring={rules: {enabled: true}, podMonitor: {enabled: true, interval: 1m}}"]),
    ("tracker.replicas (9) is more than topics.partitions (8)", [TRACKER, "tracker.replicas=9"]),
    ("tracker.startup.budgetSeconds (10) must be more than", [TRACKER, "tracker.startup.budgetSeconds=10"]),
    ("kafka (with tracker.kafka).sasl.mechanism is PLAIN", ["tracker.kafka.sasl.mechanism=PLAIN"]),
    ("notify.settings.hooks is empty", ["notify.enabled=true"]),
    ("notify.replicas (9) is more than topics.partitions (8)", [*NOTIFY, "notify.replicas=9"]),
    ("notify.startup.budgetSeconds (10) must be more than", [*NOTIFY, "notify.startup.budgetSeconds=10"]),
    ("hooks.b: url or url_file is needed, and not both", [*NOTIFY, "notify.settings.hooks.b={timeout_s: 5}"]),
    ("hooks.b.url holds a user or a password", [*NOTIFY, "notify.settings.hooks.b.url=https://u:hunter2@h.example/"]),
    ("hooks.b.secret_file lies where its keys would", [*NOTIFY, f"notify.settings.hooks.b={{url: 'https://h/', secret_file: {HOOK_FILE}}}"]),
    ("kafka (with notify.kafka).sasl.mechanism is PLAIN", ["notify.kafka.sasl.mechanism=PLAIN"]),
]  # fmt: skip
REFUSED = [
    ("replica", ["worker.replica=2"]),
    ("batchsize", ["worker.settings.batchsize=2"]),
    ("password", ["kafka.sasl.password=hunter2"]),
    ("password", ["cameras.a={url: 'rtsp://192.0.2.1/', password: hunter2}"]),
    ("bootstrap_servers", ["kafka.bootstrap_servers=kafka:9092"]),
    ("/kafka/bootstrapServers", ["kafka.bootstrapServers=kafka"]),
    ("/kafka/bootstrapServers", ["kafka.bootstrapServers='::1:9092'"]),
    ("/kafka/securityProtocol", ["kafka.securityProtocol=TLS"]),
    ("/gpu/mode", ["gpu.mode=nvidia"]),
    ("/nameOverride", ["nameOverride=Vision"]),
    ("/worker/replicas", ["worker.replicas=two"]),
    ("/worker/kind", ["worker.kind=DaemonSet"]),
    ("/worker/settings/box_threshold", ["worker.settings.box_threshold=30"]),
    ("/image/worker/digest", ["image.worker.digest=sha256:abc"]),
    ("invalid propertyName '-gate'", ["cameras.-gate={url: 'rtsp://192.0.2.1/'}"]),
    ("url", ["cameras.gate={fps: 5}"]),
    ("/networkPolicy/cameras/cidrs/0", ["networkPolicy.cameras.cidrs=[camera.example.org]"]),
    ("/cameras", ["cameras=[{url: 'rtsp://192.0.2.1/'}]"]),
    ("/trace/ratio", ["trace.ratio=2"]),
    ("/serve/settings", ["serve.settings.port=80"]),
    ("/serve/keys", ["serve.keys.value=hunter2"]),
    ("/serve/ingress/hosts/0", ["serve.ingress.hosts=['https://groundcam.example.org']"]),
    ("/serve/settings", ["serve.settings.console=true"]),
    ("replicas", ["console.replicas=2"]),
    ("/console/users", ["console.users.value=hunter2"]),
]
SERVE_OWNS = {"host", "port", "keys_file", "open", "tls_cert_file", "tls_key_file", "console", "users_file"}
CHART_OWNS = {"model", "device", "question", "group", "instance_id", "drain_timeout_s", "session_timeout_s"}


@pytest.mark.parametrize(("sentence", "changes"), GUARDS, ids=[sentence for sentence, _ in GUARDS])
def test_a_contradiction_is_told_in_a_sentence(sentence: str, changes: list[str]) -> None:
    ordered = sorted(changes, key=lambda change: change.startswith(KEDA))  # a whole section first, then the switch
    with pytest.raises(ChartError) as told:
        chart.objects(BASE, *ordered)
    assert sentence in str(told.value)
    assert "hunter2" not in str(told.value)
    assert "hun/ter2" not in str(told.value)


def test_every_guard_is_tried() -> None:
    written = (chart.CHART / "templates" / "guards.yaml").read_text()
    assert written.count("{{- fail ") == len(GUARDS) - 15  # fifteen are tried once more, of another section


@pytest.mark.parametrize(("named", "changes"), REFUSED, ids=[changes[0] for _, changes in REFUSED])
def test_the_schema_refuses(named: str, changes: list[str]) -> None:
    with pytest.raises(ChartError) as told:
        chart.objects(BASE, *changes)
    assert named.replace("/", ".") in str(told.value).replace("/", ".")


def test_no_map_of_the_schema_takes_a_key_that_it_does_not_know() -> None:
    """But for those that are Kubernetes' own, labels, and maps by a name that users choose."""
    free = {
        "podSecurityContext", "containerSecurityContext", "affinity", "strategy", "updateStrategy", "labelSelector",
        "namespaceSelector", "podSelector", "items", "global",
    }  # fmt: skip

    def look(node: Any, name: str) -> None:
        if isinstance(node, list):
            for one in node:
                look(one, name)
        if not isinstance(node, dict):
            return
        if node.get("type") == "object" and name not in free:
            assert node.get("additionalProperties", True) is not True, name
        for key, one in node.items():
            look(one, key)

    look(SCHEMA, "")


def test_settings_of_the_program_are_those_of_the_schema() -> None:
    known = {name: set(part["properties"]) for name, part in SCHEMA["definitions"].items() if "properties" in part}
    assert known["workSettings"] == set(WorkSettings.model_fields) - CHART_OWNS
    assert known["serveSettings"] == set(ServeSettings.model_fields) - SERVE_OWNS
    assert known["produceSettings"] == set(ProduceSettings.model_fields) - {"cameras", "only", "shard"}
    assert set(CameraSettings.model_fields) - {"password_file", "password_env"} <= known["camera"]


VALUES = (chart.CHART / "values.yaml").read_text()


def test_every_value_is_described_as_helm_docs_reads_it() -> None:
    assert values_table.undescribed(values_table.read(VALUES)) == []


@pytest.mark.parametrize("spoilt", [r"  # Registry \1\n", r"  # -- Registry \1\n\n", r"  # -- As --registry \1\n", ""])
def test_a_value_without_a_description_is_found(spoilt: str) -> None:
    """A comment that is none of helm-docs' describes nothing, nor does one with a blank line or an option in it."""
    text = re.sub(r"  # -- Registry ([^\n]*)\n", spoilt, VALUES, count=1)
    assert values_table.undescribed(values_table.read(text)) == ["image.registry"]


def test_the_readme_holds_every_value() -> None:
    readme = (chart.CHART / "README.md").read_text()
    assert readme == values_table.replaced(readme, VALUES)


def test_helm_docs_finds_the_same_readme() -> None:
    readme = (chart.CHART / "README.md").read_text()
    assert (chart.CHART / "README.md.gotmpl").read_text() == values_table.template(readme)
    assert "{{" not in readme


def test_a_table_is_that_of_helm_docs() -> None:
    """As helm-docs 1.14.2 prints it."""
    text = (
        "# -- A map\n# as a whole.\n# @default -- those below\na:\n  # -- Text.\n  b: x\n"
        "  # -- (int) None.\n  c: null\n# -- Of two.\nd: {z: 1, b: [0.5]}\n"
    )
    assert values_table.table(text).splitlines()[2:] == [
        "| a | object | those below | A map as a whole. |",
        '| a.b | string | `"x"` | Text. |',
        "| a.c | int | `nil` | None. |",
        '| d | object | `{"b":[0.5],"z":1}` | Of two. |',
    ]


def test_the_readme_names_every_example() -> None:
    readme = (chart.CHART / "README.md").read_text()
    assert set(re.findall(r"\(examples/([\w-]+)\.yaml\)", readme)) == set(chart.EXAMPLES)


def test_the_readme_names_every_login_and_the_role_whose_rights_it_needs() -> None:
    parts = yaml.safe_load(VALUES)
    logins = {f"{name}.kafka" for name, part in parts.items() if isinstance(part, dict) and part.get("kafka") == {}}
    rows = re.findall(r"^\| `(\w+\.kafka)` \| `?(\w+)`? \|", (chart.CHART / "README.md").read_text(), re.MULTILINE)
    assert {login for login, _ in rows} == logins
    assert {role for _, role in rows} - {"none"} == set(Role) - {Role.SUBSCRIBER}
    for login, role in rows:
        section = VALUES.partition(f"\n{login.partition('.')[0]}:")[2]
        comment = re.findall(r"# -- (Login[^\n]*)\n +kafka: {}", section)[0]
        assert role == "none" or f"the role {role}." in comment, login
