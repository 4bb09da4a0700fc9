"""What pods are made of: workers, their model and GPU, topics, scaling, monitoring."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from groundcam.commands.work import SAY_S, longest_stop_s
from helm import chart
from helm.chart import BASE, ChartError, containers, objects, of_kind, settings, the, variables

FILM = "cameras={a: {url: /f}}"
FILMS = {"cameras": {name: {"url": "/f"} for name in "abc"}, "producers": {"mode": "sharded"}}
HUB = "model.revision=" + "0123456789" * 4


def worker(*changes: Any) -> tuple[chart.Manifest, chart.Manifest, chart.Manifest]:
    """The worker's object, its pod, and its main container."""
    manifests = objects(BASE, *changes)
    (one,) = of_kind(manifests, "Deployment", "-worker") + of_kind(manifests, "StatefulSet", "-worker")
    pod = one["spec"]["template"]["spec"]
    return one, pod, next(each for each in pod["containers"] if each["name"] == "worker")


def test_a_rollout_needs_no_spare_gpu_and_helm_waits_for_a_single_worker() -> None:
    deployment, _, _ = worker("worker.replicas=2")
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    deployment, _, _ = worker("worker.replicas=1")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    deployment, _, _ = worker("worker.strategy={type: RollingUpdate}")
    assert deployment["spec"]["strategy"] == {"type": "RollingUpdate"}


@pytest.mark.parametrize(("budget", "period", "failures"), [(300, 5, 60), (301, 5, 61), (31, 10, 4)])
def test_the_startup_budget_becomes_a_number_of_failures(budget: int, period: int, failures: int) -> None:
    _, _, container = worker({"worker": {"startup": {"budgetSeconds": budget, "periodSeconds": period}}})
    assert container["startupProbe"]["failureThreshold"] == failures
    assert container["startupProbe"]["periodSeconds"] == period


def test_the_grace_period_follows_from_the_drain_timeout() -> None:
    manifests = objects(BASE, "worker={drainTimeoutSeconds: 45.5, sessionTimeoutSeconds: 60, graceMarginSeconds: 15}")
    pod = the(manifests, "Deployment", "-worker")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 61
    assert settings(the(manifests, "ConfigMap", "-worker"))["work"]["drain_timeout_s"] == 45.5


@pytest.mark.parametrize("changes", [(), ("worker.drainTimeoutSeconds=0.5",), ("worker.graceMarginSeconds=12",)])
def test_a_worker_that_hangs_ends_itself_before_kubernetes_kills_it(changes: tuple[str, ...]) -> None:
    manifests = objects(BASE, *changes)
    pod = the(manifests, "Deployment", "-worker")["spec"]["template"]["spec"]
    drain_s = settings(the(manifests, "ConfigMap", "-worker"))["work"]["drain_timeout_s"]
    assert pod["terminationGracePeriodSeconds"] > longest_stop_s(drain_s) + SAY_S


def test_a_grace_margin_that_is_over_before_the_worker_ends_itself_is_refused() -> None:
    with pytest.raises(ChartError, match="graceMarginSeconds"):
        objects(BASE, f"worker.graceMarginSeconds={longest_stop_s(0) + SAY_S:.0f}")


def test_large_numbers_reach_the_program_as_they_are() -> None:
    manifests = objects(BASE, "worker.settings.max_picture_bytes=1073741824", "topics.maxMessageBytes=16777216")
    assert settings(the(manifests, "ConfigMap", "-worker"))["work"]["max_picture_bytes"] == 1073741824
    assert "16777216" in the(manifests, "Job")["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_stateful_worker_is_known_by_its_pods_name() -> None:
    _, _, container = worker("worker.kind=StatefulSet")
    assert variables(container)["GROUNDCAM_WORK__INSTANCE_ID"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    _, _, container = worker()
    assert "GROUNDCAM_WORK__INSTANCE_ID" not in variables(container)


@pytest.mark.parametrize(
    ("change", "limits", "device"),
    [
        ("gpu.mode=devicePlugin", {"nvidia.com/gpu": 1}, "cuda"),
        ("gpu.resourceName=nvidia.com/gpu.shared", {"nvidia.com/gpu.shared": 1}, "cuda"),
        ("gpu.mode=dra", {}, "cuda"),
        ("gpu.mode=none", {}, "cpu"),
    ],
)
def test_a_worker_gets_one_gpu_and_is_told_to_use_it(change: str, limits: dict[str, int], device: str) -> None:
    _, pod, container = worker(change)
    given = container["resources"]["limits"]
    assert {name: amount for name, amount in given.items() if "/" in name} == limits
    assert settings(the(objects(BASE, change), "ConfigMap", "-worker"))["work"]["device"] == device
    assert ("resourceClaims" in pod) == ("claims" in container["resources"]) == (change == "gpu.mode=dra")
    assert ("tolerations" in pod) == (device == "cuda")
    assert (variables(container).get("NVIDIA_VISIBLE_DEVICES") == "void") == (device == "cpu")


def test_the_model_is_fetched_with_the_token_and_used_without() -> None:
    _, pod, container = worker(HUB, "model.hub={existingSecret: hub, endpoint: 'https://hub.example.org'}")
    (init,) = pod["initContainers"]
    assert variables(init)["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert variables(init)["HF_ENDPOINT"] == "https://hub.example.org"
    assert "HF_TOKEN" not in variables(container)
    assert variables(container)["HF_HUB_OFFLINE"] == "1"
    folder = init["args"][init["args"].index("--into") + 1]
    assert settings(the(objects(BASE, HUB), "ConfigMap", "-worker"))["work"]["model"] == folder
    assert next(one for one in container["volumeMounts"] if one["name"] == "models")["readOnly"] is True


@pytest.mark.parametrize(
    ("changes", "volume", "model", "fetched"),
    [
        (["model.cache.type=bundled", "model.name=demo"], None, "demo", False),
        (["model.name=fake:5ms"], None, "fake:5ms", False),
        (["model.name=owner/name"], "emptyDir", "/models/owner--name/newest", True),
        (["model.cache.type=pvc"], "persistentVolumeClaim", "/models/tiny/newest", True),
        (["model.cache={type: existingClaim, existingClaim: c}"], "persistentVolumeClaim", "/models/tiny/newest", True),
        (
            ["model={prefetch: false, cache: {type: existingClaim, existingClaim: c, folder: a/b}}"],
            "persistentVolumeClaim", "/models/a/b", False,
        ),
        (["model.cache={type: image, image: {reference: r.example.org/m:1}}"], "image", "/models", False),
        (["worker.kind=StatefulSet", "worker.replicas=2", "model.cache.type=pvc"], None, "/models/tiny/newest", True),
    ],
)  # fmt: skip
def test_where_the_model_lies(changes: list[str], volume: str | None, model: str, fetched: bool) -> None:
    manifests = objects(BASE, *changes)
    one, pod, _ = worker(*changes)
    held = {name for each in pod["volumes"] if each["name"] == "models" for name in set(each) - {"name"}}
    assert held == ({volume} if volume else set())
    assert settings(the(manifests, "ConfigMap", "-worker"))["work"]["model"] == model
    assert bool(pod.get("initContainers")) == fetched
    assert bool(one["spec"].get("volumeClaimTemplates")) == ("worker.kind=StatefulSet" in changes)
    assert len(of_kind(manifests, "PersistentVolumeClaim")) == (changes == ["model.cache.type=pvc"])


def test_questions_of_cameras_stand_beside_the_common_one() -> None:
    camera = {"cameras": {"gate": {"url": "rtsp://192.0.2.10/", "question": "dog"}}}
    manifests = objects(BASE, "question=person", camera, "producers.mode=none")
    assert settings(the(manifests, "ConfigMap", "-worker"))["work"]["question"] == {"*": "person", "gate": "dog"}
    assert not of_kind(manifests, "Deployment", "-gate")


def test_roles_may_log_in_as_different_users() -> None:
    manifests = objects(chart.values("sasl-tls"))
    users = {
        role: settings(the(manifests, "ConfigMap", f"-{name}"))["kafka"].get("sasl_username")
        for role, name in (("worker", "worker"), ("producer", "producers"), ("test", "test"), ("admin", "topics"))
    }
    assert users == {
        "worker": "groundcam-worker",
        "producer": "groundcam-producer",
        "test": "groundcam-test",
        "admin": None,
    }
    (container,) = the(manifests, "Job")["spec"]["template"]["spec"]["containers"]
    source = {"name": "kafka-admin", "key": "username"}
    assert variables(container)["GROUNDCAM_KAFKA__SASL_USERNAME"] == {"secretKeyRef": source}


@pytest.mark.parametrize(
    ("change", "is_new"),
    [
        ("topics.partitions=16", True),
        ("log.level=debug", True),
        ("topics.job.backoffLimit=1", True),
        ("question=x", False),
    ],
)
def test_a_changed_job_is_a_new_job_since_jobs_cannot_change(change: str, is_new: bool) -> None:
    before, after = (the(objects(BASE, *more), "Job") for more in ((), (change,)))
    assert (before["metadata"]["name"] != after["metadata"]["name"]) == is_new
    assert (before["spec"] != after["spec"]) == is_new


def test_an_autoscaled_worker_has_no_number_of_its_own() -> None:
    manifests = objects(chart.values("keda"))
    assert "replicas" not in the(manifests, "Deployment", "-worker")["spec"]
    scaled = the(manifests, "ScaledObject")["spec"]
    down = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] == 600
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]
    lag, _, age = scaled["triggers"]
    work = settings(the(manifests, "ConfigMap", "-worker"))
    assert lag["metadata"]["consumerGroup"] == work["work"]["group"]
    assert lag["metadata"]["topic"] == f"{work['kafka']['topic_prefix']}frames"
    assert "groundcam_end_to_end_seconds_bucket" in age["metadata"]["query"]


def test_keda_logs_in_with_the_workers_own_secrets() -> None:
    manifests = objects(chart.values("keda"))
    spec = the(manifests, "TriggerAuthentication")["spec"]
    given = {
        one["parameter"]: (one["name"], one["key"]) for one in spec["secretTargetRef"] + spec["configMapTargetRef"]
    }
    settings_map = the(manifests, "ConfigMap", "-worker")
    assert given == {
        "password": ("kafka-login", "password"),
        "ca": ("kafka-ca", "ca.crt"),
        "cert": ("kafka-client", "tls.crt"),
        "key": ("kafka-client", "tls.key"),
        "username": (settings_map["metadata"]["name"], "sasl-username"),
    }
    assert settings_map["data"]["sasl-username"] == "groundcam"


def test_rules_and_dashboards_are_those_of_the_files() -> None:
    import yaml

    manifests = objects(chart.values("mig"))
    rules = chart.CHART / "rules" / "groundcam.yaml"
    assert the(manifests, "PrometheusRule")["spec"] == yaml.safe_load(rules.read_text())
    held = {
        name: text
        for one in of_kind(manifests, "ConfigMap")
        for name, text in one["data"].items()
        if name.endswith(".json")
    }
    files = {path.name: path.read_text().strip() for path in (chart.CHART / "dashboards").glob("*.json")}
    assert held == files


def test_every_pod_with_metrics_is_found_by_the_pod_monitor() -> None:
    manifests = objects(chart.values("mig"))
    selector = the(manifests, "PodMonitor")["spec"]["selector"]
    for one in of_kind(manifests, "Deployment"):
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert selector["matchLabels"].items() <= labels.items()
        assert labels["app.kubernetes.io/component"] in selector["matchExpressions"][0]["values"]


def test_extra_objects_are_templates() -> None:
    changes = {
        "extraObjects": [{"kind": "A", "metadata": {"name": "{{ .Release.Name }}-a"}}, "kind: B\nmetadata: {name: b}"]
    }
    manifests = objects(BASE, changes)
    assert the(manifests, "A")["metadata"]["name"] == "demo-a"
    assert the(manifests, "B")


def test_images_are_named_by_registry_tag_or_digest() -> None:
    digest = "sha256:" + hashlib.sha256(b"").hexdigest()
    _, _, container = worker({"image": {"registry": "r.example.org/x", "tag": "9", "worker": {"digest": digest}}})
    assert container["image"] == f"r.example.org/x/groundcam/worker@{digest}"
    _, pod, _ = worker("image.tag='9'")
    assert {one["image"] for one in containers(pod)} == {"groundcam/worker:9"}


@pytest.mark.parametrize(
    ("warning", "changes"),
    [
        ("model.revision is no commit", []),
        ("image.tag is latest", ["image.tag=latest"]),
        ("a mirror in the cluster would not be reached", ["model.hub.endpoint=https://hub.example.org"]),
        ("cameras is empty", []),
        ("question is empty", []),
        ("cameras.gate.url has a query", ["cameras.gate.url=rtsp://192.0.2.10/?token=x"]),
        ("that is no wall", ["networkPolicy.cameras.cidrs=[0.0.0.0/0]"]),
        ("networkPolicy.enabled is false", ["networkPolicy.enabled=false"]),
        ("takes seconds for a picture", ["gpu.mode=none"]),
        ("helm test fails while", ["autoscaling={enabled: true, minReplicas: 0}"]),
        ("memory is 700Mi; with up to 1 camera in a pod", [FILM, "producers.resources.limits.memory=700Mi"]),
        ("memory is 1Gi; with up to 3 cameras in a pod", [FILMS, "producers.resources.limits.memory=1Gi"]),
        ("take 1068Mi or more", [FILMS, "producers.resources.limits.memory=1073741824"]),
        ("take 1068Mi or more", [FILMS, "producers.resources.limits.memory=1.1G"]),
        ("cameras.a.tls_verify is false", ["cameras.a={url: 'rtsps://192.0.2.1/', tls_verify: false}"]),
        ("cameras.a.resources.limits.memory is 512Mi", ["cameras.a={url: /f, resources: {limits: {memory: 512Mi}}}"]),
    ],
)
def test_the_notes_warn(warning: str, changes: list[Any]) -> None:
    assert warning in chart.notes(chart.with_values(BASE, *changes))
    quiet = chart.values("cpu-only")
    assert warning not in chart.notes(quiet)


@pytest.mark.parametrize("limit", ["auto", "1068Mi", "1.05Gi", "1200M", 2e9, "1e10", "3000000Ki", None])
def test_a_limit_that_suffices_needs_no_warning(limit: object) -> None:
    given = chart.with_values(BASE, FILMS, {"producers": {"resources": {"limits": {"memory": limit}}}})
    assert "producers.resources" not in chart.notes(given)


def test_the_chart_renders_without_rules_and_dashboards(tmp_path: Path) -> None:
    for path in chart.CHART.rglob("*"):
        if path.is_file() and path.parent.name not in ("rules", "dashboards"):
            target = tmp_path / path.relative_to(chart.CHART)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    rendered = chart.render(chart.values("mig"), tmp_path)
    assert "PrometheusRule" not in rendered.get("groundcam/templates/monitoring.yaml", "")
