"""Real clients of other systems, from PyPI and unchanged, in a Python of their own, against the running service.

What they find is held against POST /v1/detect for the same picture: to a pixel where they know whole ones only.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image, ImageDraw

from conftest import environment, make_topics
from groundcam_runtime.settings import KafkaSettings
from groundcam_serve.keys import new_key

PYTHON = "GROUNDCAM_TEST_CLIENTS"
pytestmark = [
    pytest.mark.clients,
    pytest.mark.broker,
    pytest.mark.skipif(
        PYTHON not in os.environ, reason=f"{PYTHON} names no Python that has the clients (make test-clients)"
    ),
]
CLASSES = ["red circle", "blue square", "green triangle"]
ASKED = ", ".join(CLASSES)
THRESHOLDS = {"box_threshold": 0.2, "text_threshold": 0.2}
PICTURES = 20
"""More than are looked at together."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Shapes that the model in the box knows, elsewhere in each picture."""
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(PICTURES):
        image = Image.new("RGB", (640, 480), (120, 130, 140))
        canvas, x = ImageDraw.Draw(image), 9 * index
        canvas.ellipse((40 + x, 90, 190 + x, 240), fill=(214, 40, 40))
        canvas.rectangle((300 + x, 260, 440 + x, 400), fill=(36, 92, 220))
        # The last ones are in other formats.
        image.save(folder / f"{index:02}.{'png' if index == PICTURES - 1 else 'jpg'}", quality=92)
    return sorted(folder.iterdir())


class Service:
    """One that runs."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url, self.key = url, key

    def detect(self, picture: Path) -> list[dict[str, Any]]:
        """Return what its own API finds."""
        asked = urllib.parse.urlencode({"question": ASKED, **THRESHOLDS})
        headers = {"Content-Type": "image/png" if picture.suffix == ".png" else "image/jpeg"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(f"{self.url}/v1/detect?{asked}", picture.read_bytes(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            objects: list[dict[str, Any]] = json.load(answer)["results"][0]["objects"]
        assert objects, "nothing is found, so nothing is compared"
        return objects

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def running(kafka: KafkaSettings, log: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A `groundcam` command, which ends well in the end."""
    with log.open("wb") as err:
        process = subprocess.Popen([sys.executable, "-m", "groundcam", *words], stderr=err, env=environment(kafka))
    try:
        yield process
    finally:
        process.terminate()
        code = process.wait(60)
    assert (code, "Traceback" in log.read_text()) == (0, False), log.read_text()[-3000:]


@contextmanager
def serving(kafka: KafkaSettings, log: Path, *arguments: str, key: str | None = None) -> Iterator[Service]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = Service(f"http://127.0.0.1:{port}", key)
    with running(kafka, log, "serve", "--port", str(port), *arguments) as process:
        deadline = time.monotonic() + 90
        while not service.is_ready():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield service


@pytest.fixture(scope="module")
def services(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    """One that is open, and one that needs a key, before the same worker."""
    kafka = make_topics(KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}."))
    folder = tmp_path_factory.mktemp("services")
    secret, key = new_key("clients", ("detect",))
    keys = folder / "keys.yaml"
    keys.write_text(yaml.safe_dump({"keys": [key.model_dump(mode="json")]}))
    with ExitStack() as stack:
        work = ("work", "--model", "demo", "--group", kafka.topic_prefix)
        stack.enter_context(running(kafka, folder / "worker.log", *work))
        is_open = stack.enter_context(serving(kafka, folder / "open.log"))
        yield is_open, stack.enter_context(serving(kafka, folder / "locked.log", "--keys", str(keys), key=secret))


@pytest.fixture
def service(services: tuple[Service, Service]) -> Service:
    return services[0]


@pytest.fixture
def locked(services: tuple[Service, Service]) -> Service:
    return services[1]


def run(program: str, *arguments: object) -> Any:
    """Run a program of tests/clients/programs; return what it printed last."""
    done = subprocess.run(
        [os.environ[PYTHON], Path(__file__).parent / "programs" / f"{program}.py", *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def supervisely(service: Service, action: str, path: Path, *keys: str, **settings: object) -> Any:
    given = settings or {"text_prompt": " . ".join(CLASSES) + " .", **THRESHOLDS}
    return run("supervisely_client", service.url, action, path, json.dumps(given), *keys)


def same_boxes(ours: list[dict[str, Any]], boxes: list[list[float]], off: float) -> bool:
    return len(ours) == len(boxes) and all(
        abs(a - b) <= off for one, box in zip(ours, boxes, strict=True) for a, b in zip(one["box"], box, strict=True)
    )


def as_theirs(one: dict[str, Any], picture: Path, ours: list[dict[str, Any]]) -> None:
    """Hold a prediction of Supervisely's against what our own API finds."""
    boxes = [[left, top, right, bottom] for top, left, bottom, right in one["boxes"]]
    assert same_boxes(ours, boxes, 1), (ours, boxes)
    assert one["scores"] == pytest.approx([one["score"] for one in ours], abs=1e-3)
    assert one["classes"] == [one["label"] for one in ours]
    assert one["class_ids"] == [one["class_id"] for one in ours]
    assert one["size"] == [480, 640]


def test_supervisely_finds_the_boxes_of_our_own_api_and_never_waits_for_what_is_there(
    service: Service, pictures: list[Path]
) -> None:
    got = supervisely(service, "predict", pictures[0])
    assert len(got["result"]) == 1
    as_theirs(got["result"][0], pictures[0], service.detect(pictures[0]))
    assert got["result"][0]["path"] == str(pictures[0])
    assert got["sleeps"] == []


def test_supervisely_gets_a_whole_folder_in_its_order(service: Service, pictures: list[Path]) -> None:
    got = supervisely(service, "predict", pictures[0].parent)
    assert len(got["result"]) == PICTURES
    # Their client lists a folder in an order of its own: each picture is found again by its boxes.
    for picture in pictures[::5]:
        ours = service.detect(picture)
        theirs = [
            one
            for one in got["result"]
            if same_boxes(ours, [[left, top, right, bottom] for top, left, bottom, right in one["boxes"]], 1)
        ]
        assert len(theirs) == 1, picture


def test_supervisely_asks_for_classes_and_a_confidence_without_a_prompt(service: Service, pictures: list[Path]) -> None:
    got = supervisely(service, "predict", pictures[0], classes=["Red Circle"], conf=0.2)
    assert set(got["result"][0]["classes"]) == {"red circle"}
    assert all(score >= 0.2 for score in got["result"][0]["scores"])


def test_supervisely_stops_in_the_middle_and_nothing_is_left(service: Service, pictures: list[Path]) -> None:
    first, left = supervisely(service, "first_and_stop", pictures[0].parent)["result"]
    assert first["boxes"]
    assert left == {"after": 404}


def test_supervisely_is_told_about_the_model_and_the_settings(service: Service, pictures: list[Path]) -> None:
    told = supervisely(service, "ask", pictures[0])["result"]
    assert told["is_deployed"] is True
    assert told["status"]["is_deployed"] is True
    assert (told["info"]["model_name"], told["info"]["task_type"]) == ("demo", "prompt-based object detection")
    assert told["settings"] == {"text_prompt": "all objects.", "box_threshold": 0.3, "text_threshold": 0.3}
    assert told["tracking"] == {}
    assert told["classes"] == ["all objects"]
    assert told["models"] == ["demo"]
    assert told["infos"][0]["model_name"] == "demo"


def test_superviselys_older_session_gets_annotations_at_once(service: Service, pictures: list[Path]) -> None:
    got = supervisely(service, "session", pictures[0].parent)["result"]
    ours = service.detect(pictures[0])
    assert len(got["all"]) == PICTURES
    assert got["one"] == got["all"][0]
    corners = [one["points"]["exterior"] for one in got["one"]["annotation"]["objects"]]
    assert same_boxes(ours, [[*first, *last] for first, last in corners], 1)


def test_supervisely_shows_its_user_why_a_prompt_cannot_be_asked(service: Service, pictures: list[Path]) -> None:
    got = supervisely(service, "predict", pictures[0], text_prompt="person, person")
    assert "the class 'person' is listed twice" in got["result"]["error"]
    assert got["sleeps"] == []


def test_supervisely_uses_its_token_as_the_key_and_gets_nothing_without(locked: Service, pictures: list[Path]) -> None:
    assert locked.key is not None
    got = supervisely(locked, "predict", pictures[1], locked.key)
    as_theirs(got["result"][0], pictures[1], locked.detect(pictures[1]))
    assert "401" in supervisely(locked, "predict", pictures[1])["result"]["error"]


def roboflow(service: Service, *pictures: Path, **more: object) -> Any:
    return run("roboflow_client", service.url, json.dumps({"text": CLASSES, **THRESHOLDS, **more}), *pictures)


def test_supervision_reads_the_boxes_of_our_own_api_from_the_answer_in_roboflows_shape(
    service: Service, pictures: list[Path]
) -> None:
    got, ours = (
        roboflow(service, pictures[0], id="7", source="a script", model_id="grounding_dino/default"),
        service.detect(pictures[0]),
    )
    assert got["status"] == 200
    assert same_boxes(ours, got["boxes"][0], 1e-3)
    assert got["scores"][0] == pytest.approx([one["score"] for one in ours], abs=1e-3)
    assert got["class_ids"][0] == [one["class_id"] for one in ours]
    assert got["names"][0] == [one["label"] for one in ours]
    assert got["answer"]["image"] == {"width": 640, "height": 480}


def test_roboflows_list_of_pictures_gets_a_list_and_classes_keep_their_capitals(
    service: Service, pictures: list[Path]
) -> None:
    some = pictures[-3:]
    got = roboflow(service, *some, text=["Red Circle", *CLASSES[1:]])
    assert isinstance(got["answer"], list)
    for index, picture in enumerate(some):
        assert same_boxes(service.detect(picture), got["boxes"][index], 1e-3)
    assert {name for names in got["names"] for name in names} >= {"Red Circle", "blue square"}


def test_roboflows_key_in_the_body_is_the_key_and_another_is_refused(locked: Service, pictures: list[Path]) -> None:
    got = roboflow(locked, pictures[0], api_key=locked.key)
    assert same_boxes(locked.detect(pictures[0]), got["boxes"][0], 1e-3)
    assert roboflow(locked, pictures[0], api_key="another")["status"] == 401
    assert roboflow(locked, pictures[0])["status"] == 401


def test_an_array_is_refused_unread(service: Service, pictures: list[Path]) -> None:
    got = roboflow(service, pictures[0], image={"type": "numpy", "value": "gASVBgAAAAAAAACMAnJtlC4="})
    assert got["status"] == 422
    assert "unpickled" in got["answer"]["detail"]
