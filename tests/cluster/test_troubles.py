"""What does not work says why, in words, within a minute: in a log, an event or a probe."""

import os
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from conftest import Wait
from helm_release import HOST, MISSING, REASON, Namespace, Release
from node_broker import PASSWORD, SASL, USER, NodeBroker

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(bool(MISSING), reason=REASON)]

MINUTE = 60.0
Install = Callable[[str], Release]
Report = Callable[[str, object], None]


def line_with(words: tuple[str, ...], said: str) -> str | None:
    """The first line that holds all of some words."""
    return next((line.strip() for line in said.splitlines() if all(word in line for word in words)), None)


def tell(trouble: str, release: Release, component: str, words: tuple[str, ...], wait: Wait, report: Report) -> None:
    """Report what is said, and how soon. Fails when nobody has said it within a minute."""
    started = time.monotonic()
    found: list[str] = []

    def is_said() -> bool:
        found.extend(filter(None, [line_with(words, release.told(component))]))
        return bool(found)

    wait(is_said, MINUTE, f"{words} in logs, events or probes")
    report(trouble, f"said after {time.monotonic() - started:.0f} s: {found[0]}")


@pytest.fixture
def behind_a_login(values: dict[str, Any], broker: NodeBroker) -> dict[str, Any]:
    """A worker that has to log in at Kafka, and no camera."""
    new = deepcopy(values)
    new["kafka"] |= {
        "bootstrapServers": broker.addresses(SASL),
        "securityProtocol": "SASL_PLAINTEXT",
        "sasl": {"mechanism": "PLAIN", "username": USER, "existingSecret": "login"},
    }
    new["cameras"] = {}
    return new


def test_a_wrong_kafka_password(
    install: Install, namespace: Namespace, behind_a_login: dict[str, Any], wait: Wait, report: Report
) -> None:
    namespace.make_secret("login", password="wrong1234")
    release = install("wrong-password")
    release.put(behind_a_login, wait=False)
    tell("a wrong Kafka password", release, "worker", (f"refused user '{USER}'",), wait, report)

    assert "wrong1234" not in release.told("worker")


def test_a_right_kafka_password(
    install: Install, namespace: Namespace, behind_a_login: dict[str, Any], report: Report
) -> None:
    """Otherwise the wrong one would prove little."""
    namespace.make_secret("login", password=PASSWORD)
    release = install("right-password")
    took = release.put(behind_a_login)

    assert len(release.ready("worker")) == 1
    report("a worker with the right password", took)


def test_a_missing_secret(install: Install, behind_a_login: dict[str, Any], wait: Wait, report: Report) -> None:
    behind_a_login["kafka"]["sasl"]["existingSecret"] = "nowhere"
    release = install("missing-secret")
    release.put(behind_a_login, wait=False)
    tell("a missing secret", release, "worker", ('secret "nowhere" not found',), wait, report)


def test_an_unreachable_camera(install: Install, values: dict[str, Any], wait: Wait, report: Report) -> None:
    """Its pod runs, tries on, and says why; no camera plays, so that it is not ready, and nothing restarts it."""
    new = deepcopy(values)
    new["cameras"] = {"roof": {"url": f"rtsp://{os.environ[HOST]}:9/stream"}}  # where nobody listens
    new["worker"]["replicas"] = 0
    release = install("unreachable-camera")
    release.put(new, wait=False)
    tell("an unreachable camera", release, "producer", ("camera roof: ", "next try in"), wait, report)
