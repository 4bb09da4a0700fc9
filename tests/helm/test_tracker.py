"""Trackers: their pods, what they are told, and whom they reach."""

from pathlib import Path
from typing import Any

import pytest

from groundcam.commands.track import LONGEST_STOP_S
from groundcam.settings import load
from groundcam_events.settings import TrackSettings
from helm import chart
from helm.chart import BASE, ChartError, objects, of_kind, settings, the, variables
from helm.test_guards import SCHEMA
from helm.test_network import KAFKA, ways_out

ON = "tracker.enabled=true"
STATEFUL = "tracker.kind=StatefulSet"
OWNS = {"group", "instance_id"}


def tracked(*changes: Any) -> tuple[list[chart.Manifest], chart.Manifest, chart.Manifest]:
    """All objects, the trackers' own, and their container."""
    manifests = objects(BASE, ON, *changes)
    (one,) = of_kind(manifests, "Deployment", "-tracker") + of_kind(manifests, "StatefulSet", "-tracker")
    return manifests, one, one["spec"]["template"]["spec"]["containers"][0]


def test_there_are_none_unless_they_are_wanted() -> None:
    for one in objects(BASE):
        assert one["metadata"]["labels"].get("app.kubernetes.io/component") != "tracker", one["metadata"]["name"]
    assert "trackers" not in chart.notes(BASE)
    assert "  trackers   1\n" in chart.notes(chart.with_values(BASE, ON))


def test_the_schema_has_every_setting_of_the_program_with_its_bounds() -> None:
    """What the schema takes and refuses at a bound is what the program takes and refuses."""
    definitions = SCHEMA["definitions"]
    properties = definitions["trackSettings"]["properties"]
    assert set(properties) == set(TrackSettings.model_fields) - OWNS
    bounds = {"minimum": "minimum", "maximum": "maximum", "exclusiveMinimum": "exclusiveMinimum", "type": "type"}
    told = TrackSettings.model_json_schema()["properties"]
    for name, given in properties.items():
        written = definitions[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
        assert {key: written.get(key) for key in bounds} == {key: told[name].get(key) for key in bounds}, name


@pytest.mark.parametrize(
    "wrong",
    [
        "looks=0",
        "new_score=1.1",
        "picture_bytes=1000",
        "new_score_by_label={forklift: 2}",
        "by_label={forklift: {lost_s: -1}}",
        "by_label={forklift: {offline_s: 1}}",
        "group=a",
        "born=1",
    ],
)
def test_a_setting_that_the_program_would_refuse_is_refused(wrong: str) -> None:
    with pytest.raises(ChartError, match="settings"):
        tracked(f"tracker.settings.{wrong}")


def test_settings_reach_the_program_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDCAM_TRACK__GROUP", raising=False)
    given = {"checkpoint_s": 2.5, "max_objects": 500, "new_score_by_label": {"open door": 0.5}, "pictures": False}
    manifests, _, _ = tracked({"tracker": {"settings": given}})
    path = tmp_path / "groundcam.yaml"
    path.write_text(the(manifests, "ConfigMap", "-tracker")["data"]["groundcam.yaml"])
    track = load(path, {}).track
    assert {name: getattr(track, name) for name in given} == given
    assert track.group == "groundcam-tracker"


def test_without_settings_the_program_has_its_own_and_the_group_can_be_named() -> None:
    assert "track" not in settings(the(tracked()[0], "ConfigMap", "-tracker"))
    named = settings(the(tracked("tracker.group=others")[0], "ConfigMap", "-tracker"))
    assert named["track"] == {"group": "others"}


def test_a_stateful_tracker_is_known_by_its_pods_name() -> None:
    manifests, one, container = tracked(STATEFUL)
    assert variables(container)["GROUNDCAM_TRACK__INSTANCE_ID"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert one["spec"]["serviceName"] == the(manifests, "Service", "-tracker")["metadata"]["name"]
    assert one["spec"]["podManagementPolicy"] == "Parallel"
    manifests, _, container = tracked()
    assert not variables(container)
    assert not of_kind(manifests, "Service", "-tracker")


def test_a_rollout_never_has_more_trackers_than_partitions_and_helm_waits_for_a_single_one() -> None:
    _, one, _ = tracked("tracker.replicas=8")
    assert one["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert tracked()[1]["spec"]["strategy"] == {"type": "Recreate"}
    with pytest.raises(ChartError, match="some trackers would be idle"):
        tracked("tracker.replicas=9")


def test_a_tracker_that_hangs_ends_itself_before_kubernetes_kills_it() -> None:
    _, one, _ = tracked("tracker.terminationGracePeriodSeconds=26")
    assert one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > LONGEST_STOP_S
    with pytest.raises(ChartError, match="terminationGracePeriodSeconds"):
        tracked(f"tracker.terminationGracePeriodSeconds={LONGEST_STOP_S:.0f}")


def test_it_is_found_by_its_budget_and_the_pod_monitor_and_takes_no_gpu() -> None:
    manifests, one, container = tracked("monitoring.podMonitor.enabled=true", "tracker.podLabels={a: b}")
    labels = one["spec"]["template"]["metadata"]["labels"]
    assert labels["a"] == "b"
    budget = the(manifests, "PodDisruptionBudget", "-tracker")["spec"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert (
        labels["app.kubernetes.io/component"]
        in (the(manifests, "PodMonitor")["spec"]["selector"]["matchExpressions"][0]["values"])
    )
    assert set(container["resources"]["limits"]) == {"memory"}
    assert "tolerations" not in one["spec"]["template"]["spec"]
    for constraint in one["spec"]["template"]["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"].items() <= labels.items()
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert ports[container[name]["httpGet"]["port"]] == 8080


def test_it_may_log_in_as_a_user_of_its_own() -> None:
    manifests = objects(chart.values("events"))
    users = {
        role: settings(the(manifests, "ConfigMap", f"-{role}"))["kafka"]["sasl_username"]
        for role in ("tracker", "worker")
    }
    assert users == {"tracker": "groundcam-tracker", "worker": "groundcam-worker"}
    pod = the(manifests, "StatefulSet", "-tracker")["spec"]["template"]["spec"]
    held = str(pod["volumes"])
    assert "kafka-tracker" in held
    assert "kafka-worker" not in held


def test_it_reaches_kafka_and_nothing_else() -> None:
    assert ways_out(objects(BASE, ON), "tracker") == {KAFKA}
    assert not of_kind(objects(BASE, ON), "NetworkPolicy", "-tracker")
    rule = "[{ports: [{port: 443, protocol: TCP}], to: [{ipBlock: {cidr: 192.0.2.0/24}}]}]"
    more = objects(BASE, ON, f"networkPolicy.tracker.extraEgress={rule}")
    assert ways_out(more, "tracker") == {KAFKA, ("192.0.2.0/24", 443)}
    assert ways_out(more, "worker") == ways_out(objects(BASE), "worker")


def test_a_changed_setting_restarts_trackers_alone() -> None:
    def templates(*changes: Any) -> dict[str, Any]:
        manifests = objects(BASE, ON, *changes)
        return {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind(manifests, "Deployment")}

    before, after = templates(), templates("tracker.settings.lost_s=9")
    assert {name for name in before if before[name] != after[name]} == {"demo-groundcam-tracker"}


def test_the_notes_warn_of_a_tag_that_moves() -> None:
    pinned = {name: {"digest": f"sha256:{number}" + "1" * 63} for number, name in enumerate(("worker", "producer"))}
    given = chart.with_values(BASE, {"image": {"tag": "latest", **pinned}})
    assert "image.tag is latest" not in chart.notes(given)
    assert "image.tag is latest" in chart.notes(chart.with_values(given, ON))
