"""A real browser, and the console in front of a real Kafka."""

import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from browser import Open, Stack, launched, opened
from conftest import make_topics, running, until
from groundcam.demo.film import shoot
from groundcam.demo.scene import SCENES
from groundcam.devkafka.broker import free_port
from groundcam_runtime.settings import KafkaSettings
from serve_client import Client


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, for a module: Playwright's event loop is the thread's own as long as it runs."""
    with launched() as browser:
        yield browser


@pytest.fixture
def tab(chromium: Any) -> Open:
    return partial(opened, chromium)


@pytest.fixture(scope="module")
def stack(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Kafka's topics and the console; the module's tests start what they need besides."""
    kafka = make_topics(KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}."))
    with running(tmp_path_factory.mktemp("console")) as start:
        port = free_port()
        # A machine that others use, too, may take longer than the ten seconds that a request has by default.
        program, client = start(kafka, "console", "--port", port, GROUNDCAM_SERVE__TIMEOUT_S="60"), Client(port)
        until(lambda: client.is_alive, 60, "the console")
        yield Stack(kafka, start, program, client, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def site(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two cameras that play the demo's films, one that is not there, a worker with its tracker."""
    folder = tmp_path_factory.mktemp("films")
    films = [f"{scene.camera_id}={shoot(scene, folder)}" for scene in SCENES]
    stack.start(stack.kafka, "work", "--track", "--model", "demo", "--question", SCENES[0].question)
    away = f"shed=rtsp://127.0.0.1:{free_port()}/none"
    cameras = [word for one in (*films, away) for word in ("--camera", one)]
    stack.start(stack.kafka, "produce", *cameras, "--loop", "--fps", "2")
    until(lambda: stack.answered() >= len(SCENES), 180, "answers")
    return stack
