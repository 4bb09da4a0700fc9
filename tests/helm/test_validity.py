"""What is rendered is what Kubernetes, KEDA and the Prometheus operator take, and what "restricted" namespaces permit."""

from copy import deepcopy
from typing import Any

import pytest

from helm import chart
from helm.chart import EXAMPLES, Manifest, containers, pod_specs

# The oldest that the chart takes, and a new one. Resource claims came in between.
VERSIONS = ("1.30", "1.37")
NEEDS = {"dra": "1.34"}
CUSTOM = ("keda.sh/", "monitoring.coreos.com/", "kafka.strimzi.io/", "gateway.networking.k8s.io/")
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"}  # fmt: skip


def _is_custom(one: Manifest) -> bool:
    return str(one["apiVersion"]).startswith(CUSTOM)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_kubernetes_takes_every_object(example: str, version: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="the package kubernetes-validate is not installed")
    version = max(version, NEEDS.get(example, version))
    for one in chart.objects(chart.values(example)):
        if not _is_custom(one):
            validate.validate(one, version, strict=True)


def _dropped(one: Manifest) -> Any:
    """What the operators' own types make of a custom resource: keys that they do not know are gone."""
    keda = pytest.importorskip("cloudcoil.models.keda.v1alpha1", reason="cloudcoil-models-keda is not installed")
    prometheus = pytest.importorskip(
        "cloudcoil.models.prometheus_operator.v1", reason="cloudcoil-models-prometheus-operator is not installed"
    )
    model = getattr(keda if one["apiVersion"].startswith("keda.sh/") else prometheus, one["kind"])
    return model.model_validate(one).model_dump(mode="json", by_alias=True, exclude_unset=True)


@pytest.fixture(scope="module")
def custom() -> list[Manifest]:
    """Every kind of custom resource that the chart makes, but for Strimzi's, of which no types come by pip."""
    everything = [one for name in ("keda", "mig") for one in chart.objects(chart.values(name))]
    found = [one for one in everything if _is_custom(one)]
    assert {one["kind"] for one in found} >= {"ScaledObject", "TriggerAuthentication", "PodMonitor"}
    return found


def test_operators_take_every_custom_resource(custom: list[Manifest]) -> None:
    for one in custom:
        assert _dropped(one) == one


def test_a_typing_error_in_a_custom_resource_would_be_found(custom: list[Manifest]) -> None:
    for one in custom:
        wrong = deepcopy(one)
        wrong["spec"]["selectr"] = wrong["spec"].pop(next(iter(wrong["spec"])))
        try:
            same = _dropped(wrong) == wrong
        except ValueError:
            same = False
        assert not same, one["kind"]
    deep = deepcopy(next(one for one in custom if one["kind"] == "ScaledObject"))
    behavior = deep["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    behavior["stabilisationWindowSeconds"] = behavior.pop("stabilizationWindowSeconds")
    assert _dropped(deep) != deep


def not_restricted(spec: Manifest) -> list[str]:
    """What the Pod Security Standard "restricted" forbids in a pod."""
    pod = spec.get("securityContext", {})
    wrong = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    wrong += [f"volume {one['name']}" for one in spec.get("volumes", []) if not set(one) - {"name"} <= VOLUMES]
    for container in containers(spec):
        own = container.get("securityContext", {})
        named = f"{container['name']}: "
        if own.get("allowPrivilegeEscalation") is not False:
            wrong.append(f"{named}allowPrivilegeEscalation")
        if own.get("privileged"):
            wrong.append(f"{named}privileged")
        if "ALL" not in own.get("capabilities", {}).get("drop", []):
            wrong.append(f"{named}capabilities.drop")
        if set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
            wrong.append(f"{named}capabilities.add")
        if not own.get("runAsNonRoot", pod.get("runAsNonRoot")):
            wrong.append(f"{named}runAsNonRoot")
        if own.get("runAsUser", pod.get("runAsUser", 1)) == 0:
            wrong.append(f"{named}runAsUser")
        profile = own.get("seccompProfile", pod.get("seccompProfile", {})).get("type")
        if profile not in ("RuntimeDefault", "Localhost"):
            wrong.append(f"{named}seccompProfile")
        if any("hostPort" in port for port in container.get("ports", [])):
            wrong.append(f"{named}hostPort")
    return wrong


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_pod_is_restricted_and_more(example: str) -> None:
    specs = dict(pod_specs(chart.objects(chart.values(example))))
    assert any(name.startswith("Pod/") for name in specs)  # the hook of `helm test` is among them
    for name, spec in specs.items():
        assert not_restricted(spec) == [], name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        for container in containers(spec):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", name
            assert {"requests", "limits"} <= set(container["resources"]), name
            assert "cpu" not in container["resources"]["limits"], name
            assert not container["image"].endswith(":latest"), name


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("podSecurityContext={runAsNonRoot: false}", "worker: runAsNonRoot"),
        ("podSecurityContext.seccompProfile={type: Unconfined}", "worker: seccompProfile"),
        ("containerSecurityContext={capabilities: {add: [SYS_ADMIN]}}", "worker: capabilities.add"),
        ("worker.extraVolumes=[{name: v, hostPath: {path: /}}]", "volume v"),
        ("containerSecurityContext.allowPrivilegeEscalation=true", "worker: allowPrivilegeEscalation"),
    ],
)
def test_a_pod_that_is_not_restricted_would_be_found(change: str, wrong: str) -> None:
    specs = dict(pod_specs(chart.objects(chart.values("cpu-only"), change)))
    assert wrong in not_restricted(specs["Deployment/demo-groundcam-worker"])
