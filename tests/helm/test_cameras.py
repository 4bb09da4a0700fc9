"""Producers' pods: whose cameras they play, with which secrets, and with how much memory."""

from typing import Any

import pytest

from groundcam.sizing import CAMERA_PROCESS_BYTES
from groundcam_producers.placement import in_shard
from groundcam_producers.settings import ProduceSettings
from helm import chart
from helm.chart import BASE, containers, objects, of_kind, settings, the, variables, with_values

GATE = "cameras.gate={url: 'rtsp://viewer@192.0.2.10/1', existingSecret: s}"
MIB = 1024 * 1024


def test_each_camera_has_a_deployment_of_its_own_with_its_own_password() -> None:
    manifests = objects(
        BASE, GATE, "cameras.yard={url: 'rtsp://viewer@192.0.2.11/1', existingSecret: s, passwordKey: k}"
    )
    for camera, key in (("gate", "password"), ("yard", "k")):
        one = the(manifests, "Deployment", f"-camera-{camera}")
        assert one["spec"]["strategy"] == {"type": "Recreate"}  # never two at one camera
        pod = one["spec"]["template"]["spec"]
        (volume,) = (each for each in pod["volumes"] if each["name"] == "cameras")
        (source,) = volume["projected"]["sources"]
        assert source["secret"]["items"] == [{"key": key, "path": camera}]
        (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "cameras")
        assert pod["containers"][0]["args"][-2:] == ["--only", camera]
        produce = settings(the(manifests, "ConfigMap", "-producers"))["produce"]
        assert list(produce["cameras"]) == ["gate", "yard"], "all of them, or they could not agree on partitions"
        assert produce["cameras"][camera]["password_file"] == f"{mount['mountPath']}/{camera}"


def camera_sources(pod: chart.Manifest) -> list[chart.Manifest]:
    """The sources of a pod's volume with passwords."""
    (volume,) = (one for one in pod["volumes"] if one["name"] == "cameras")
    return list(volume["projected"]["sources"])


@pytest.mark.parametrize("mode", ["perCamera", "sharded"])
def test_a_secret_that_is_missing_takes_only_its_own_cameras_file_away(mode: str) -> None:
    """A source for each camera: of one that is optional, Kubernetes leaves out the files that it cannot make."""
    cameras = {
        name: {"url": f"rtsp://viewer@192.0.2.{number}/1", "existingSecret": secret, "passwordKey": name}
        for number, (name, secret) in enumerate({"gate": "one", "yard": "one", "roof": "other"}.items())
    }
    manifests = objects(BASE, {"cameras": cameras}, f"producers.mode={mode}")
    pods = [
        one for one in of_kind(manifests, "StatefulSet") + of_kind(manifests, "Deployment") if "producer" in str(one)
    ]
    sources = [one["secret"] for pod in pods for one in camera_sources(pod["spec"]["template"]["spec"])]

    assert {one["items"][0]["path"]: one["name"] for one in sources} == {"gate": "one", "yard": "one", "roof": "other"}
    assert all(one["optional"] is True and len(one["items"]) == 1 for one in sources)


@pytest.mark.parametrize(("value", "restarts"), [("true", True), ("false", False)])
@pytest.mark.parametrize(("mode", "kind"), [("perCamera", "Deployment"), ("sharded", "StatefulSet")])
def test_a_change_of_cameras_restarts_pods_only_where_that_is_wanted(
    mode: str, kind: str, value: str, restarts: bool
) -> None:
    """What the running producer does not take over restarts them in any case."""
    base = with_values(BASE, GATE, f"producers.mode={mode}", f"producers.restartOnCameras={value}")
    name = "-camera-gate" if mode == "perCamera" else "-producers"

    def template(*changes: str) -> Any:
        (one,) = of_kind(objects(base, *changes), kind, name)
        return one["spec"]["template"]

    assert (template("cameras.gate.rotate=90") != template()) is restarts
    assert (template("producers.settings.fps=2") != template()) is restarts
    assert template("producers.settings.timeout_s=9") != template()
    assert template("kafka.topicPrefix=other.") != template()


@pytest.mark.parametrize("mode", ["perCamera", "sharded"])
def test_a_cameras_secret_that_appears_later_reaches_the_running_pod(mode: str) -> None:
    """The kubelet renews a volume that is mounted whole, and never a `subPath` of it."""
    for name, pod in chart.pod_specs(objects(BASE, GATE, f"producers.mode={mode}")):
        for container in containers(pod):
            mounts = [one for one in container["volumeMounts"] if one["name"] == "cameras"]
            assert len(mounts) == ("producer" in container["name"]), name
            assert not [one for one in mounts if "subPath" in one or "subPathExpr" in one]


def test_kafkas_secrets_are_needed_by_every_pod() -> None:
    """Without its login a pod is of no use; an event that names the secret says more than a refused login."""
    for name, pod in chart.pod_specs(objects(chart.values("sasl-tls"))):
        (volume,) = (one for one in pod["volumes"] if one["name"] == "kafka")
        for source in volume["projected"]["sources"]:
            assert not any(one.get("optional") for one in source.values()), name


def producer_memory(*changes: Any) -> tuple[str, str]:
    """What pods of producers ask for, and their limit."""
    manifests = objects(BASE, *changes)
    (pods,) = of_kind(manifests, "StatefulSet", "-producers") + of_kind(manifests, "Deployment", "-camera-0")
    resources = pods["spec"]["template"]["spec"]["containers"][0]["resources"]
    return resources["requests"]["memory"], resources["limits"]["memory"]


def films(count: int) -> dict[str, Any]:
    return {"cameras": {f"{number}": {"url": "/films/a.mp4"} for number in range(count)}}


@pytest.mark.parametrize(
    ("settings_of_producers", "request_and_limit"),
    [
        ({}, ("256Mi", "768Mi")),
        ({"settings": {"camera_memory_mib": 1024}}, ("256Mi", "1280Mi")),
        ({"resources": {"limits": {"memory": "2Gi"}}}, ("256Mi", "2Gi")),
        ({"resources": {"requests": {"memory": "1Gi"}}}, ("1Gi", "768Mi")),
    ],
)
def test_a_cameras_pod_has_room_for_what_its_process_may_take(
    settings_of_producers: dict[str, Any], request_and_limit: tuple[str, str]
) -> None:
    assert producer_memory(films(1), {"producers": settings_of_producers}) == request_and_limit


@pytest.mark.parametrize(("cameras", "replicas"), [(1, 1), (12, 1), (40, 3), (100, 8), (300, 17)])
def test_a_shards_pod_has_room_for_the_cameras_of_the_fullest(cameras: int, replicas: int) -> None:
    """And for one of them that takes all that a camera's process may. The shards are those of the program."""
    given = films(cameras)
    shares = [sum(in_shard(name, shard, replicas) for name in given["cameras"]) for shard in range(replicas)]
    asked, limit = producer_memory(given, {"producers": {"mode": "sharded", "replicas": replicas}})

    assert asked == f"{256 + 150 * (max(shares) - 1)}Mi"
    assert limit == f"{256 + 150 * (max(shares) - 1) + ProduceSettings().camera_memory_mib}Mi"
    assert CAMERA_PROCESS_BYTES + ProduceSettings().max_waiting_bytes < 150 * MIB


def test_a_limit_that_is_taken_away_stays_away() -> None:
    pods = the(objects(BASE, films(1), "producers.resources.limits.memory=null"), "Deployment", "-camera-0")
    assert "memory" not in pods["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]


def test_a_cameras_own_resources_are_counted_where_they_say_auto() -> None:
    given = films(1)
    given["cameras"]["0"]["resources"] = {"requests": {"memory": "64Mi"}, "limits": {"memory": "auto", "cpu": 1}}
    pods = the(objects(BASE, given), "Deployment", "-camera-0")
    assert pods["spec"]["template"]["spec"]["containers"][0]["resources"] == {
        "requests": {"memory": "64Mi"},
        "limits": {"memory": "768Mi", "cpu": 1},
    }


def test_cameras_whose_ids_differ_by_a_little_do_not_meet() -> None:
    ids = ["gate", "Gate", "ga.te", "ga_te", "ga-te", "g" * 200, "g" * 199 + "h", "gate-"]
    manifests = objects(BASE, {"cameras": {one: {"url": "rtsp://192.0.2.10/"} for one in ids}})
    found = of_kind(manifests, "Deployment", None)
    assert len({one["metadata"]["name"] for one in found}) == len(ids) + 1
    assert len({str(one["spec"]["selector"]) for one in found}) == len(ids) + 1


def test_pods_of_a_sharded_producer_know_their_share_and_every_camera() -> None:
    manifests = objects(chart.values("hundred-cameras"))
    pods = the(manifests, "StatefulSet", "-producers")
    (container,) = pods["spec"]["template"]["spec"]["containers"]
    assert container["args"][-2:] == ["--shard", "$(POD_NUMBER)/8"]
    assert pods["spec"]["replicas"] == 8
    assert "pod-index" in str(variables(container)["POD_NUMBER"])
    assert len(settings(the(manifests, "ConfigMap", "-producers"))["produce"]["cameras"]) == 100
