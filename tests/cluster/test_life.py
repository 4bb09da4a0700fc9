"""The life of an installation on a cluster: installed, asked, changed, scaled, disturbed, and gone without a trace."""

import os
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from conftest import Wait
from groundcam.audit import audit, totals
from groundcam_runtime.settings import KafkaSettings
from helm_release import MISSING, PORT, REASON, SECOND_TAG, CommandError, Namespace, Release
from prometheus_server import Prometheus

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(bool(MISSING), reason=REASON)]

Values = dict[str, Any]
Report = Callable[[str, object], None]
CAMERAS = ("gate", "yard")


@pytest.fixture(scope="module")
def release(install: Callable[[str], Release]) -> Release:
    """The installation that every test here disturbs, and leaves with one worker."""
    return install("life")


def changed(values: Values, **parts: Any) -> Values:
    """The values with some others: `worker__replicas=3`."""
    new = deepcopy(values)
    for path, value in parts.items():
        *sections, name = path.split("__")
        branch = new
        for section in sections:
            branch = branch[section]
        branch[name] = value
    return new


def more_from_each(seen: Any, count: int = 8) -> Callable[[], bool]:
    """Whether each camera has been answered so many times since now."""
    before = dict(seen.answers)
    return lambda: all(seen.answers[camera] >= before.get(camera, 0) + count for camera in CAMERAS)


def test_the_namespace_refuses_what_is_not_restricted(namespace: Namespace) -> None:
    """Otherwise all that follows would prove little."""
    metadata = {"name": "careless", "namespace": namespace.name}
    spec = {"containers": [{"name": "one", "image": "one"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    with pytest.raises(CommandError, match="violates PodSecurity"):
        namespace.apply(pod, dry=True)


def test_helm_installs_and_waits_until_all_is_ready(release: Release, values: Values, report: Report) -> None:
    took = release.put(values)

    assert len(release.ready("worker")) == 1
    assert len(release.ready("producer")) == len(CAMERAS)
    report("helm install --wait, namespace enforces restricted", took)


def test_a_subscriber_outside_sees_answers(seen: Any, wait: Wait, report: Report) -> None:
    wait(lambda: all(seen.answers[camera] >= 20 for camera in CAMERAS), 120, "20 answers about each camera")

    assert seen.objects > sum(seen.answers.values()) / 2, "the film always shows red circles"
    report("answers seen outside the cluster, each camera", min(seen.answers[camera] for camera in CAMERAS))


def test_helm_test_passes_with_a_worker_and_fails_without(
    release: Release, seen: Any, wait: Wait, report: Report
) -> None:
    started = time.monotonic()
    said = release.test()
    report("helm test, one worker", f"passes in {time.monotonic() - started:.0f} s")
    assert "Succeeded" in said

    release.scale("worker", 0)
    wait(lambda: not release.pods("worker"), 90, "no worker")
    started = time.monotonic()
    with pytest.raises(CommandError, match="failed"):
        release.test()
    report("helm test, no worker", f"fails in {time.monotonic() - started:.0f} s")

    release.scale("worker", 1)
    wait(more_from_each(seen), 180, "answers after the pause")
    release.test()  # Helm leaves the pod of a test that failed, and removes it when the next one passes


def test_prometheus_scrapes_every_pod(release: Release, wait: Wait, tmp_path: Path, report: Report) -> None:
    pods = {
        pod["status"]["podIP"]: pod["metadata"]["name"] for kind in ("worker", "producer") for pod in release.pods(kind)
    }
    with Prometheus(tmp_path, "groups: []") as prometheus:
        wait(prometheus.is_ready, 60, "Prometheus")
        for address in pods:
            prometheus.scrape(f"{address}:{PORT}", release.namespace.name)
        wait(lambda: len(prometheus.query("up == 1")) == len(pods), 60, "every pod scraped")
        rate = "sum by (camera) (rate(groundcam_frames_answered_total[10s])) > 0"
        wait(lambda: {one["metric"]["camera"] for one in prometheus.query(rate)} >= set(CAMERAS), 60, "answers counted")
        cameras = prometheus.query("groundcam_camera_up == 1")
    assert {one["metric"]["camera"] for one in cameras} == set(CAMERAS)
    report("pods scraped by Prometheus", f"{len(pods)} of {len(pods)}")


def test_three_workers_share_the_partitions(
    release: Release, values: Values, seen: Any, wait: Wait, report: Report
) -> None:
    def shares() -> list[float]:
        return sorted(assigned(release, name) for name in release.ready("worker"))

    wait(lambda: len(shares()) == 1, 120, "one worker")
    (alone,) = shares()
    took = release.put(changed(values, worker__replicas=3))
    wait(lambda: len(shares()) == 3 and sum(shares()) == alone, 120, "partitions of three workers")
    report("three workers", f"{took}; partitions {' + '.join(f'{share:g}' for share in shares())}")
    assert min(shares()) >= 1, "a worker is idle"

    release.put(values)
    wait(lambda: shares() == [alone], 120, "one worker again")
    wait(more_from_each(seen), 60, "answers")
    report("back to one worker", f"partitions {alone:g}")


def test_another_question_is_asked_after_an_upgrade(
    release: Release, values: Values, seen: Any, wait: Wait, report: Report
) -> None:
    values["question"] = "blue square, green triangle"
    took = release.put(values)

    wanted = ("blue square", "green triangle")
    wait(lambda: all(seen.asked.get(camera) == wanted for camera in CAMERAS), 120, "answers to the new question")
    report("helm upgrade, another question", took)


def test_another_image_tag_rolls_every_pod(
    release: Release, values: Values, seen: Any, wait: Wait, report: Report, second_tag: str
) -> None:
    before = {pod["metadata"]["uid"] for kind in ("worker", "producer") for pod in release.pods(kind)}
    values["image"]["tag"] = second_tag
    took = release.put(values)

    wait(more_from_each(seen), 120, "answers of the new pods")
    for kind in ("worker", "producer"):
        for pod in release.pods(kind):
            assert pod["metadata"]["uid"] not in before
            assert all(one["image"].endswith(f":{second_tag}") for one in pod["spec"]["containers"])
    report("helm upgrade, another image tag", took)


@pytest.mark.parametrize("component", ["worker", "producer"])
def test_a_deleted_pod_is_replaced(release: Release, component: str, seen: Any, wait: Wait, report: Report) -> None:
    before = release.ready(component)
    gone = before[0]
    started = time.monotonic()
    release.namespace.kubectl("delete", "pod", gone)
    wait(lambda: gone not in (now := release.ready(component)) and len(now) == len(before), 180, "another pod")
    wait(more_from_each(seen), 180, "answers")
    report(f"kubectl delete pod, a {component}", f"answers again after {time.monotonic() - started:.0f} s")


def test_no_frame_is_missing_over_the_whole_run(
    release: Release, kafka: KafkaSettings, wait: Wait, report: Report
) -> None:
    release.scale("producer", 0)
    wait(lambda: not release.pods("producer"), 90, "no producer")

    wait(lambda: totals(audit(kafka)).missing == 0, 90, "every frame accounted for")
    total = totals(audit(kafka))
    report("frames over the whole run", f"{total.published} published, {total.detected} answered")
    report("... repeated, in gaps, dead-lettered, missing",
           f"{total.repeated}, {total.in_gaps}, {total.dead_lettered}, {total.missing}")  # fmt: skip
    assert total.published > 100
    assert total.dead_lettered == 0
    assert total.in_gaps == 0, "nothing was to be skipped"


def test_uninstalling_leaves_nothing(release: Release, wait: Wait, report: Report) -> None:
    assert len(release.namespace.left(release.labels)) > 5, "this would not see what is left"
    release.uninstall()

    wait(lambda: not release.namespace.left(release.labels), 90, "objects are left")
    assert not release.is_known()
    kinds = "configmap,secret,serviceaccount,persistentvolumeclaim,service,networkpolicy,job,pod"
    names = release.namespace.kubectl("get", kinds, "-o", "name").split()
    assert [name for name in names if release.name in name] == []
    report("objects left after helm uninstall", 0)


def assigned(release: Release, pod: str) -> float:
    """The partitions of a worker, as its own metric says."""
    return next(
        (float(line.split()[1]) for line in release.metrics(pod) if line.startswith("groundcam_assigned_partitions ")),
        0.0,
    )


@pytest.fixture
def second_tag() -> str:
    if not (tag := os.environ.get(SECOND_TAG)):
        pytest.skip(f"not given: {SECOND_TAG} (another tag of both images)")
    return tag
