"""One Kafka, one namespace, and the table that is printed at the end."""

import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from groundcam.demo.film import shoot
from groundcam.demo.scene import SCENES
from groundcam.subscriber import follow
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections
from helm_release import HOST, MISSING, REASON, Namespace, Release, images
from node_broker import PODS, NodeBroker

ROWS = pytest.StashKey[list[tuple[str, str]]]()
Report = Callable[[str, object], None]
CLIP = "clip.mp4"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the tests have seen."""
    if rows := config.stash.get(ROWS, []):
        terminalreporter.section("on the cluster")
        width = max(len(what) for what, _ in rows)
        for what, figure in rows:
            terminalreporter.write_line(f"{what:<{width}}  {figure}")


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    """Add a row to the table."""
    return lambda what, figure: request.config.stash[ROWS].append((what, str(figure)))


@pytest.fixture(scope="session")
def broker() -> Iterator[NodeBroker]:
    with NodeBroker(os.environ[HOST]) as one:
        yield one


@pytest.fixture(scope="session")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A restricted namespace with a film in it, removed at the end with whatever is left in it."""
    if MISSING:
        pytest.skip(REASON)
    one = Namespace(f"groundcam-test-{uuid.uuid4().hex[:6]}")
    one.create()
    # The demo's film at twice its speed: a ConfigMap holds a megabyte.
    film = shoot(replace(SCENES[0], period_s=12.0), tmp_path_factory.mktemp("film"))
    one.kubectl("create", "configmap", "film", f"--from-file={CLIP}={film}")
    yield one
    one.delete()


Install = Callable[[str], Release]


@pytest.fixture(scope="module")
def install(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Install]:
    """A release by its name, uninstalled at the end."""
    releases: list[Release] = []

    def name(one: str) -> Release:
        releases.append(Release(namespace, one, tmp_path_factory.mktemp(one)))
        return releases[-1]

    yield name
    for release in releases:
        release.uninstall()


@pytest.fixture(scope="session")
def values(namespace: Namespace, broker: NodeBroker) -> dict[str, Any]:
    """Two cameras that play the film, and one worker with the model in the box, on a CPU."""
    small = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "768Mi"}}
    return {
        "image": images(),
        "kafka": {"bootstrapServers": broker.addresses(PODS), "topicPrefix": f"{namespace.name}."},
        # As many partitions as there will be workers.
        "topics": {"partitions": 3},
        "model": {"name": "demo", "cache": {"type": "bundled"}},
        "gpu": {"mode": "none"},
        "question": "red circle",
        "worker": {
            "group": namespace.name,
            "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "3Gi"}},
            # Nothing is skipped for its age: every frame is to be answered, also those of a pause.
            "settings": {"max_age_s": 0},
        },
        "cameras": {name: {"url": f"/films/{CLIP}", "loop": True} for name in ("gate", "yard")},
        "producers": {
            "settings": {"fps": 4},
            "resources": small,
            "extraVolumes": [{"name": "films", "configMap": {"name": "film"}}],
            "extraVolumeMounts": [{"name": "films", "mountPath": "/films", "readOnly": True}],
        },
        "test": {"timeoutSeconds": 45},
    }


@pytest.fixture(scope="session")
def kafka(namespace: Namespace, broker: NodeBroker) -> KafkaSettings:
    """The way to the release's topics from outside the cluster."""
    return KafkaSettings(bootstrap_servers=broker.addresses(PODS), topic_prefix=f"{namespace.name}.")


class Seen:
    """What a subscriber outside has seen until now."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings, self._stop = settings, threading.Event()
        self.answers: Counter[str] = Counter()
        self.objects = 0
        self.asked: dict[str, tuple[str, ...]] = {}
        """The newest question of each camera, by its classes."""
        self.thread = threading.Thread(target=self._read, name="subscriber")

    def stop(self) -> None:
        self._stop.set()
        self.thread.join()

    def _read(self) -> None:
        for answer in follow(self._settings, None, "beginning", drop_repeats=True):
            if isinstance(answer, Detections):
                self.answers[answer.camera_id] += 1
                self.objects += len(answer.objects)
                self.asked[answer.camera_id] = tuple(answer.question.classes)
            if self._stop.is_set():
                return


@pytest.fixture(scope="module")
def seen(kafka: KafkaSettings) -> Iterator[Seen]:
    one = Seen(kafka)
    one.thread.start()
    yield one
    one.stop()
