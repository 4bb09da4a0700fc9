"""One pod plays four cameras, of which three cannot be played at first: the fourth never notices."""

import os
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from conftest import Wait
from footage import rtsp_server
from groundcam.demo.film import shoot
from groundcam.demo.scene import SCENES
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, Frame, Gap, decode, decode_answer
from guarded_camera import GuardedCamera
from helm_release import HOST, MISSING, REASON, Namespace, Release
from node_broker import PODS, NodeBroker

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(bool(MISSING), reason=REASON)]

Install = Callable[[str], Release]
Report = Callable[[str, object], None]
USER, PASSWORD, WRONG = "viewer", "right-4711", "wrong-4711"
CLIP = "clip.mp4"
FPS = 4
GOOD, NO_FILE, NO_SECRET, NO_ENTRY = "good", "no-file", "no-secret", "no-entry"
# By camera: the state, a word of the reason in /status, and the class of the error on the topic of cameras.
TROUBLES = {
    NO_FILE: (CameraState.OFFLINE, "No such file", "FileNotFoundError"),
    NO_SECRET: (CameraState.OFFLINE, "password_file", "SettingError"),
    NO_ENTRY: (CameraState.REFUSED, "401", "HTTPUnauthorizedError"),
}
# The kubelet looks about once a minute and a half, and a refused camera is tried once a minute.
RENEWED_S = 300.0


@pytest.fixture(scope="module")
def guarded(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedCamera]:
    """A camera that wants a password, on this machine."""
    folder = tmp_path_factory.mktemp("camera")
    film = shoot(replace(SCENES[0], period_s=12.0), folder)
    with (
        rtsp_server(folder) as url,
        GuardedCamera(os.environ[HOST], int(url.rpartition(":")[2]), film.name, USER, PASSWORD) as one,
    ):
        yield one


@dataclass(frozen=True)
class Shard:
    """The pod under test, and its topics."""

    release: Release
    kafka: KafkaSettings

    @property
    def pod(self) -> dict[str, Any]:
        (one,) = self.release.pods("producer")
        return one

    @property
    def restarts(self) -> tuple[str, int]:
        """Which pod it is, and how often its container was started again."""
        return self.pod["metadata"]["uid"], self.pod["status"]["containerStatuses"][0]["restartCount"]

    @property
    def cameras(self) -> dict[str, dict[str, Any]]:
        """Camera by camera, what `/status` tells people."""
        told: dict[str, dict[str, Any]] = self.release.status(self.pod["metadata"]["name"])["cameras"]
        return told

    def statuses(self) -> dict[str, CameraStatus]:
        """Each camera's newest state on the topic."""
        with Reader(self.kafka, [self.kafka.topics.cameras], start="beginning") as reader:
            found = [decode(CameraStatus, record.value or b"") for record in reader.to_the_end()]
        return {one.camera_id: one for one in found}

    def frames(self, camera: str) -> list[Frame]:
        with Reader(self.kafka, [self.kafka.topics.frames], start="beginning") as reader:
            found = [decode(Frame, record.value or b"") for record in reader.to_the_end()]
        return sorted((one for one in found if one.camera_id == camera), key=lambda one: one.captured_at_ns)

    def gaps(self, camera: str) -> list[Gap]:
        with Reader(self.kafka, [self.kafka.topics.detections], start="beginning") as reader:
            found = [decode_answer(record.value or b"") for record in reader.to_the_end()]
        return [one for one in found if isinstance(one, Gap) and one.camera_id == camera]


@pytest.fixture(scope="module")
def shard(
    install: Install, namespace: Namespace, broker: NodeBroker, values: dict[str, Any], guarded: GuardedCamera,
    report: Report,
) -> Shard:  # fmt: skip
    """Installed, and waited for as a user would wait. No worker: this is about what reaches Kafka."""
    namespace.make_secret("entry", password=WRONG)
    new = deepcopy(values)
    prefix = f"{namespace.name}.shard."
    new["kafka"]["topicPrefix"] = prefix
    new["worker"]["replicas"] = 0
    live = {"url": guarded.url}
    new["cameras"] = {
        GOOD: {"url": f"/films/{CLIP}", "loop": True},
        NO_FILE: {"url": f"/late/{CLIP}", "loop": True},
        NO_SECRET: {**live, "existingSecret": "nowhere"},
        NO_ENTRY: {**live, "existingSecret": "entry"},
    }
    producers = new["producers"]
    producers |= {"mode": "sharded", "replicas": 1, "settings": {"fps": FPS}}
    producers["resources"] = {"requests": {"cpu": "50m", "memory": "auto"}, "limits": {"memory": "auto"}}
    producers["extraVolumes"].append({"name": "late", "configMap": {"name": "late", "optional": True}})
    producers["extraVolumeMounts"].append({"name": "late", "mountPath": "/late", "readOnly": True})
    release = install("shard")
    took = release.put(new)
    report("a shard with a good camera and three bad ones", took)
    return Shard(release, KafkaSettings(bootstrap_servers=broker.addresses(PODS), topic_prefix=prefix))


def test_the_pod_of_a_shard_is_ready_beside_cameras_that_cannot_be_played(shard: Shard) -> None:
    assert len(shard.release.ready("producer")) == 1


@pytest.mark.parametrize("camera", TROUBLES)
def test_a_camera_that_cannot_be_played_tells_its_state_and_the_reason(
    shard: Shard, camera: str, wait: Wait, report: Report
) -> None:
    """In `/status` for people, and on the topic of cameras."""
    state, word, error = TROUBLES[camera]

    wait(lambda: shard.cameras[camera]["state"] == state.value, 60, f"{state} of {camera} in /status")
    reason = str(shard.cameras[camera]["reason"])
    report(f"... {camera}", f"{state.value}: {reason}")
    assert word in reason

    def published() -> CameraStatus | None:
        return shard.statuses().get(camera)

    wait(lambda: (one := published()) is not None and one.state is state, 60, f"{state} of {camera} on the topic")
    assert error in (shard.statuses()[camera].last_error or "")


def test_no_password_is_told(shard: Shard) -> None:
    told = shard.release.told("producer") + str(shard.cameras) + str(shard.statuses())

    assert WRONG not in told
    assert PASSWORD not in told


def test_the_refused_login_has_knocked(guarded: GuardedCamera, shard: Shard, wait: Wait) -> None:
    """Otherwise it would be refused for want of a password, as the other one is."""
    wait(lambda: guarded.refused_logins > 0, 60, "a wrong login")


def test_what_was_missing_reaches_the_running_pod(
    shard: Shard, namespace: Namespace, wait: Wait, tmp_path: Path, report: Report
) -> None:
    """A secret that is made, one that is corrected, and a file: nobody restarts anything."""
    wait(lambda: len(shard.frames(GOOD)) >= FPS * 10, 60, "ten seconds of the good camera beside the bad ones")
    before = shard.restarts
    started = time.monotonic()
    namespace.make_secret("nowhere", password=PASSWORD)
    namespace.make_secret("entry", password=PASSWORD)
    film = shoot(replace(SCENES[0], period_s=12.0), tmp_path)
    namespace.kubectl("create", "configmap", "late", f"--from-file={CLIP}={film}")

    for camera in TROUBLES:
        wait(lambda one=camera: shard.cameras[one]["state"] == CameraState.ONLINE.value, RENEWED_S, f"{camera} online")
        report(f"... {camera}, once it is mended", f"online after {time.monotonic() - started:.0f} s, in the same pod")
    assert shard.restarts == before
    assert all(shard.statuses()[camera].state is CameraState.ONLINE for camera in TROUBLES)


def test_the_good_camera_has_lost_no_frame(shard: Shard, report: Report) -> None:
    """Numbered without a hole by one process, told no gap, and as many as it should have sampled."""
    frames = shard.frames(GOOD)
    seconds = (frames[-1].captured_at_ns - frames[0].captured_at_ns) / 1e9

    assert len({one.run_id for one in frames}) == 1
    assert [one.seq for one in frames] == list(range(frames[0].seq, frames[0].seq + len(frames)))
    assert shard.gaps(GOOD) == []
    assert seconds > 20
    assert len(frames) >= FPS * seconds * 0.98
    report("... the good camera", f"{len(frames)} frames in {seconds:.0f} s ({FPS} a second), none lost")
