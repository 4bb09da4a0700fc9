"""Who may talk to whom: a wall around every pod, with the gates that its work needs."""

from typing import Any

import pytest

from helm import chart
from helm.chart import BASE, Manifest, objects, of_kind, pod_specs

Way = tuple[str, int]
ANYWHERE = "anywhere"


def ways_out(manifests: list[Manifest], component: str, camera: str | None = None) -> set[Way]:
    """Where pods of a component may go by TCP, by all policies that select them."""
    labels = {
        "app.kubernetes.io/name": "groundcam",
        "app.kubernetes.io/instance": chart.RELEASE,
        "app.kubernetes.io/component": component,
    } | ({"groundcam/camera": camera} if camera else {})
    ways: set[Way] = set()
    for policy in of_kind(manifests, "NetworkPolicy"):
        if not policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items():
            continue
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        for rule in policy["spec"].get("egress", []):
            if all(one["port"] == 53 for one in rule["ports"]):
                continue  # names
            # Some pods of the cluster are a place, too, whose name is what chooses them.
            places = [one["ipBlock"]["cidr"] if "ipBlock" in one else repr(one) for one in rule.get("to", [])]
            places = places if "to" in rule else [ANYWHERE]
            for one in rule["ports"]:
                assert (one["protocol"], "endPort" in one) == ("TCP", False), one
                ways |= {(place, one["port"]) for place in places}
    return ways


KAFKA: Way = (ANYWHERE, 9092)
CAMERAS: dict[str, Any] = {
    "cameras": {
        "gate": {"url": "rtsp://192.0.2.10/1"},
        "yard": {"url": "rtsps://viewer@192.0.2.11:8322/1"},
        "six": {"url": "rtsp://[2001:db8::1]:8554/1"},
        "roof": {"url": "rtsp://roof.example.org/1", "egress": {"cidrs": ["198.51.100.7/32"]}},
        "film": {"url": "/films/a.mp4"},
    }
}
GATES: dict[str, set[Way]] = {
    "gate": {("192.0.2.10/32", 554)},
    "yard": {("192.0.2.11/32", 8322)},
    "six": {("2001:db8::1/128", 8554)},
    "roof": {("198.51.100.7/32", 554)},
    "film": set(),
}


@pytest.mark.parametrize("camera", GATES)
def test_a_producer_reaches_kafka_and_its_own_camera_only(camera: str) -> None:
    assert ways_out(objects(BASE, CAMERAS), "producer", f"camera-{camera}") == {KAFKA} | GATES[camera]


def test_sharded_producers_reach_all_cameras_and_nothing_else() -> None:
    found = ways_out(objects(BASE, CAMERAS, "producers.mode=sharded"), "producer")
    assert found == {KAFKA}.union(*GATES.values())


def test_a_camera_that_sends_by_udp_gets_its_packets_in_and_no_other_does() -> None:
    by_udp = {"cameras": {"gate": {"transport": "udp"}, "roof": {"transport": "auto"}}}
    ports = [{"protocol": "UDP", "port": 1024, "endPort": 65535}]
    for mode, names in (("perCamera", [["gate"], ["roof"]]), ("sharded", [["gate", "roof"]])):
        manifests = objects(BASE, CAMERAS, by_udp, f"producers.mode={mode}")
        found = [
            (way, [one["ipBlock"]["cidr"] for one in rule[peer]])
            for policy in of_kind(manifests, "NetworkPolicy")
            for way, peer in (("ingress", "from"), ("egress", "to"))
            for rule in policy["spec"].get(way, [])
            if rule["ports"] == ports
        ]
        places = [[next(iter(GATES[name]))[0] for name in some] for some in names]
        assert sorted(found) == sorted((way, some) for way in ("ingress", "egress") for some in places)


def test_a_workers_way_to_the_hub_is_there_only_for_the_init_container() -> None:
    assert ways_out(objects(BASE), "worker") == {KAFKA, ("0.0.0.0/0", 443)}
    assert ways_out(objects(BASE, "model.name=demo"), "worker") == {KAFKA}
    mirror = "model.hub.endpoint=https://hub.example.org:8443"
    assert ways_out(objects(BASE, mirror), "worker") == {KAFKA, ("0.0.0.0/0", 8443)}
    assert {port for _, port in ways_out(objects(chart.values("air-gapped")), "worker")} == {9092}


def test_kafkas_ports_are_those_of_the_addresses_or_those_that_are_named() -> None:
    assert ways_out(objects(BASE, "kafka.bootstrapServers=a:9092, b:9093,c:9093"), "topics") == {
        KAFKA,
        (ANYWHERE, 9093),
    }
    named = ways_out(objects(chart.values("managed-kafka")), "test")
    assert named == {(ANYWHERE, port) for port in (9096, 9196, 9296, 443)}  # and the token endpoint


def test_traces_may_leave() -> None:
    assert (ANYWHERE, 4318) in ways_out(objects(chart.values("strimzi")), "worker")


def test_nobody_is_let_in_but_to_metrics_the_http_service_and_the_console() -> None:
    for example in chart.EXAMPLES:
        for policy in of_kind(objects(chart.values(example)), "NetworkPolicy"):
            component = policy["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component")
            served = component in ("serve", "console")
            for rule in policy["spec"].get("ingress", []):
                assert rule["ports"] == [{"port": 8000 if served else 8080, "protocol": "TCP"}]


def test_metrics_are_for_those_who_are_named_where_some_are() -> None:
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    named = {"networkPolicy": {"metrics": {"from": [prometheus]}}}
    for values, told in ((BASE, None), (BASE | named, [prometheus])):
        everybody = next(
            one for one in of_kind(objects(values), "NetworkPolicy") if one["metadata"]["name"] == "demo-groundcam"
        )
        assert [rule.get("from") for rule in everybody["spec"]["ingress"]] == [told]


def test_every_pod_stands_behind_a_policy() -> None:
    manifests = objects(chart.values("sasl-tls"))
    everybody = next(one for one in of_kind(manifests, "NetworkPolicy") if one["metadata"]["name"] == "demo-groundcam")
    wanted = everybody["spec"]["podSelector"]["matchLabels"]
    for one in manifests:
        labels = (
            one["metadata"] if one["kind"] == "Pod" else one.get("spec", {}).get("template", {}).get("metadata", {})
        )
        if dict(pod_specs([one])):
            assert wanted.items() <= labels["labels"].items(), one["metadata"]["name"]


def test_without_policies_none_are_made() -> None:
    assert not of_kind(objects(BASE, "networkPolicy.enabled=false"), "NetworkPolicy")
    objects(BASE, "networkPolicy.enabled=false", "cameras.a.url=rtsp://camera.example.org/")
