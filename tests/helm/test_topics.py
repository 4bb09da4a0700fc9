"""Topics that Strimzi makes, the group that follows their prefix, and what a camera's URL may look like."""

import pytest

from groundcam_runtime.topic_specs import wanted
from groundcam_schemas import Topics
from helm import chart
from helm.chart import BASE, ChartError, objects, of_kind, settings, the


def test_an_uninstall_leaves_the_topics_of_strimzi_and_what_lies_on_them() -> None:
    topics = of_kind(objects(chart.values("strimzi")), "KafkaTopic")
    assert len(topics) == 16
    assert all(one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for one in topics)


def test_a_path_with_an_at_sign_is_no_password() -> None:
    """It is told what the program would say of it."""
    with pytest.raises(ChartError, match=r"cameras\.gate\.url: percent-encode .* the @ in its path"):
        objects(BASE, "cameras.gate={url: 'rtsp://192.0.2.10:554/a@b'}")
    assert objects(BASE, "cameras.gate={url: 'rtsp://192.0.2.10:554/a%40b'}")


def test_strimzi_makes_the_topics_that_the_program_wants() -> None:
    found = {one["spec"]["topicName"]: one["spec"] for one in of_kind(objects(chart.values("strimzi")), "KafkaTopic")}
    specs = {one.name: one for one in wanted(Topics("groundcam."), 8, 4194304)}
    assert set(found) == set(specs)
    for name, spec in specs.items():
        assert found[name]["partitions"] == spec.partitions
        assert {key: str(value) for key, value in found[name]["config"].items()} == spec.config


@pytest.mark.parametrize(
    ("changes", "group"),
    [
        ([], "groundcam-worker"),
        (["kafka.topicPrefix=site-b."], "site-b-worker"),
        (["worker.group=mine"], "mine"),
        (["model.name=fake:5ms"], "groundcam-worker.fake"),
        (["model.name=fake", "worker.group=mine"], "mine"),
    ],
)
def test_the_group_follows_the_topics_prefix_as_in_the_program(changes: list[str], group: str) -> None:
    manifests = objects(BASE, *changes)
    assert settings(the(manifests, "ConfigMap", "-worker"))["work"]["group"] == group
    assert group in the(manifests, "Job")["spec"]["template"]["spec"]["containers"][0]["args"]
