"""The HTTP service in front of real workers: what each client gets."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from conftest import Start, Wait
from footage import encoded, jpeg, publisher
from groundcam.audit import audit, totals
from groundcam.demo.scene import SCENES
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraState, CameraStatus, Detections, Frame, Question, decode_answer, encode
from serve_client import Client, form, serve, work

pytestmark = pytest.mark.broker

SCENE = SCENES[0]
PICTURE = cv2.cvtColor(SCENE.picture(2.0), cv2.COLOR_RGB2BGR)
PNG, JPEG = (bytes(cv2.imencode(kind, PICTURE)[1]) for kind in (".png", ".jpg"))
NS = 1_000_000_000


def by_kafka(kafka: KafkaSettings, data: bytes, encoding: str, question: Question) -> list[Any]:
    """The objects that a worker finds in a camera's frame."""
    height, width = PICTURE.shape[:2]
    frame = Frame(
        camera_id="gate", run_id=f"run-{encoding}", seq=0, captured_at_ns=time.time_ns(), width=width, height=height,
        source_width=width, source_height=height, encoding=encoding, data=data, question=question,  # type: ignore[arg-type]
    )  # fmt: skip
    with Reader(kafka, [kafka.topics.detections], start="end") as reader:
        with publisher(kafka) as out:
            out.send(Record(kafka.topics.frames, encode(frame), "gate"))
            out.flush(30)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for record in reader.poll(0.2):
                answer = decode_answer(record.value or b"")
                if isinstance(answer, Detections):
                    return [(one.label, one.score, one.box) for one in answer.objects]
    pytest.fail("no answer came over Kafka")


def near(found: list[Any], wanted: list[Any]) -> bool:
    """The same objects in the same order, to 1e-4."""
    return [one[0] for one in found] == [one[0] for one in wanted] and all(
        np.allclose([one[1], *one[2]], [other[1], *other[2]], atol=1e-4)
        for one, other in zip(found, wanted, strict=True)
    )


def test_a_picture_has_the_same_boxes_by_http_in_every_form_by_kafka_and_by_detect(
    door: Callable[..., Client], kafka: KafkaSettings, start: Start, tmp_path: Any
) -> None:
    client = door("demo")
    question = Question.of(*SCENE.question.split(", "))
    for encoding, data in (("png", PNG), ("jpeg", JPEG)):
        wanted = client.detect(data, SCENE.question).boxes
        assert len(wanted) >= 3, "there is something to compare"
        coded = base64.b64encode(data).decode()
        multipart, kind = form([("image", "a", data), ("question", None, SCENE.question.encode())])
        as_json, json_kind = form(
            [("request", None, json.dumps({"question": SCENE.question.split(", ")}).encode()), ("image", "a", data)]
        )
        forms = {
            "typed": client.ask("POST", f"/v1/detect?question={SCENE.question.replace(' ', '+')}", data,
                                Content_Type=f"image/{encoding}"),
            "json": client.send("POST", "/v1/detect", {"images": [{"data": coded}], "question": SCENE.question}),
            "data url": client.send("POST", "/v1/detect", {
                "images": [{"data": f"data:image/{encoding};base64,{coded}"}], "question": SCENE.question}),
            "form": client.ask("POST", "/v1/detect", multipart, Content_Type=kind),
            "form with json": client.ask("POST", "/v1/detect", as_json, Content_Type=json_kind),
        }  # fmt: skip
        for name, answer in forms.items():
            assert answer.status == 200, (name, answer.body)
            assert near(answer.boxes, wanted), name
        scored = client.detect(data, SCENE.question, class_scores=True)
        assert near(scored.boxes, wanted), "with class scores"
        for one in scored.json["results"][0]["objects"]:
            assert one["score"] == max(one["class_scores"]) == one["class_scores"][one["class_id"]]
        assert near(by_kafka(kafka, data, encoding, question), wanted), "by Kafka"
        path = tmp_path / f"picture.{encoding}"
        path.write_bytes(data)
        program = start(None, "detect", str(path), "--model", "demo", "--question", SCENE.question, "--json")
        assert program.process.wait(90) == 0, program.log
        detected = json.loads(program.out.strip().splitlines()[0])
        assert near([(one["label"], one["score"], one["box"]) for one in detected["objects"]], wanted), "by detect"


def test_many_pictures_are_answered_in_their_order_and_one_comes_back_drawn(door: Callable[..., Client]) -> None:
    client = door()
    sizes = [(64 + 16 * number, 48) for number in range(8)]
    images = [{"data": base64.b64encode(encoded("png", *size)).decode()} for size in sizes]
    answer = client.send("POST", "/v1/detect", {"images": images, "question": "person, dog"})
    results = answer.json["results"]
    assert [(one["source_width"], one["source_height"]) for one in results] == sizes
    assert {tuple(one["question"]["classes"]) for one in results} == {("person", "dog")}
    both, kind = form([("image", "a", JPEG), ("question", None, b"person"), ("image", "b", encoded("png", 40, 30))])
    in_form = client.ask("POST", "/v1/detect", both, Content_Type=kind).json["results"]
    assert [(one["source_width"], one["source_height"]) for one in in_form] == [(640, 360), (40, 30)]
    drawn = client.detect(JPEG, "person", accept="image/jpeg")
    assert drawn.headers["content-type"] == "image/jpeg"
    picture = cv2.imdecode(np.frombuffer(drawn.body, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == PICTURE.shape
    assert np.abs(picture.astype(int) - PICTURE).max() > 100, "something is drawn in"


def test_what_is_wrong_with_a_request_is_told_in_a_sentence_with_its_status(door: Callable[..., Client]) -> None:
    client = door()
    good = base64.b64encode(JPEG).decode()
    many = {"images": [{"data": good}] * 33, "question": "person"}
    two, kind = form([("image", "a", JPEG), ("image", "b", JPEG[:-900]), ("question", None, b"person")])
    cases: list[tuple[Any, int, str]] = [
        (client.detect(JPEG, ""), 422, "question: it is missing"),
        (client.detect(JPEG, "person, person"), 422, "listed twice"),
        (client.detect(JPEG, "person", box_threshold=2), 422, "box_threshold"),
        (client.detect(JPEG, "person", timeout_s=0), 422, "timeout_s"),
        (client.detect(b"not a picture", "person"), 415, "no JPEG, PNG or WebP"),
        (client.detect(JPEG[:-900], "person"), 422, "its end is missing"),
        (client.ask("POST", "/v1/detect?question=a", JPEG, Content_Type="text/plain"), 415, "'text/plain'"),
        (client.ask("POST", "/v1/detect", b"{", Content_Type="application/json"), 400, "no JSON"),
        (client.send("POST", "/v1/detect", {"question": "a"}), 422, "images"),
        (client.send("POST", "/v1/detect", {"images": [], "question": "a"}), 422, "images"),
        (client.send("POST", "/v1/detect", {"images": [{"data": "%%%"}], "question": "a"}), 422, "base64"),
        (client.send("POST", "/v1/detect", {"images": [{}], "question": "a"}), 422, "data or a url"),
        (client.send("POST", "/v1/detect", {"images": [{"url": "https://a"}], "question": "a"}), 422, "url_hosts"),
        (client.send("POST", "/v1/detect", many), 413, "more than 32"),
        (client.ask("POST", "/v1/detect", two, Content_Type=kind), 422, "picture 1: its end is missing"),
        (client.ask("POST", "/v1/detect", b"x", Content_Type="multipart/form-data"), 400, "form cannot be read"),
        (client.ask("POST", "/v1/detect?question=a", b"x" * 70_000_000), 413, "larger than 67108864 bytes"),
        (client.get("/v1/nothing"), 404, "nothing at this address"),
        (client.ask("PATCH", "/v1/detect"), 405, "PATCH does nothing"),
        (client.get("/v1/cameras/nobody/latest.jpg"), 404, "no camera nobody"),
        (client.get("/v1/detections", Last_Event_ID="x"), 400, "Last-Event-ID"),
        (client.send("POST", "/v1/models", {"model": "base"}), 501, "run elsewhere"),
        (client.send("PUT", "/v1/questions/nobody", {"question": "a"}), 404, "no camera nobody"),
        (client.ask("PUT", "/v1/questions/gate", b'{"question": "a"}'), 415, "not application/json"),
        (client.get("/v1/workers", Host="evil.example"), 421, "no such host"),
        (client.get("/v1/workers", Origin="http://evil.example"), 403, "another site"),
    ]  # fmt: skip
    for answer, status, says in cases:
        assert answer.headers["content-type"] == "application/problem+json", answer.body
        assert (answer.status, answer.json["status"]) == (status, status), answer.body
        assert says in answer.json["detail"], answer.json
    assert client.detect(JPEG, "person").status == 200, "nobody else is hurt"


def test_a_question_that_the_model_cannot_be_asked_is_refused_and_names_it(door: Callable[..., Client]) -> None:
    client = door("demo")
    too_long = " ".join(["word"] * 50)
    answer = client.detect(JPEG, f"{too_long}, person")
    assert (answer.status, answer.json["field"]) == (422, "question"), answer.body


def test_questions_are_set_by_version_and_the_workers_verdict_comes_back(
    door: Callable[..., Client], kafka: KafkaSettings
) -> None:
    client = door("demo")
    status = CameraStatus(camera_id="gate", state=CameraState.ONLINE, since_ns=1, url="rtsp://gate")
    with publisher(kafka) as out:
        out.send(Record(kafka.topics.cameras, encode(status), "gate"))
        out.flush(30)
    first = _until(lambda: client.send("PUT", "/v1/questions/gate", {"question": "red circle"}), 200)
    assert [one["says"] for one in first.json["workers"]] == ["takes it"]
    tag = first.headers["etag"]
    assert client.get("/v1/questions/gate").headers["etag"] == tag
    again = client.get("/v1/questions/gate", If_None_Match=tag)
    assert (again.status, again.headers["cache-control"]) == (200, "no-store"), "workers may say something else by now"
    other = client.send("PUT", "/v1/questions/gate", {"question": "blue square"}, If_Match='"0000"')
    assert (other.status, tag.strip('"') in other.json["detail"]) == (412, True)
    new = client.send("PUT", "/v1/questions/gate", {"question": "blue square", "max_objects": 3}, If_Match=tag)
    assert (new.status, new.json["question"]["max_objects"], new.json["set_by"]) == (200, 3, "everybody")
    refused = client.send("PUT", "/v1/questions/gate", {"question": " ".join(["word"] * 60)})
    assert (refused.status, refused.json["field"]) == (422, "question"), refused.body
    held = client.get("/v1/questions/gate").json
    assert held["version"] == new.json["version"], "the one before holds"
    assert [one["camera_id"] for one in client.get("/v1/questions").json["questions"]] == ["gate"]
    assert client.ask("DELETE", "/v1/questions/gate", If_Match='"0000"').status == 412
    assert client.ask("DELETE", "/v1/questions/gate").status == 204
    assert client.get("/v1/questions/gate").status == 404


def test_a_reader_that_comes_again_misses_nothing_and_gets_nothing_twice(
    door: Callable[..., Client], kafka: KafkaSettings, start: Start, wait: Wait
) -> None:
    """Also over a restart of the service, since the place is Kafka's own."""
    client = door()
    question = Question.of("person")
    got: list[int] = []

    def publish(first: int, count: int) -> None:
        with publisher(kafka) as out:
            for seq in range(first, first + count):
                frame = Frame(
                    camera_id="gate", run_id="run", seq=seq, captured_at_ns=time.time_ns(), width=64, height=48,
                    source_width=64, source_height=48, data=jpeg(1, 64, 48), question=question,
                )  # fmt: skip
                out.send(Record(kafka.topics.frames, encode(frame), f"gate-{seq % 4}", seq % 4))
            out.flush(30)

    last = ""
    second, other = serve(start, kafka)
    wait(lambda: other.is_ready, 30, "the other service")
    for turn, service in enumerate((client, client, other, client)):
        headers = {"Last_Event_ID": last} if last else {}
        with service.events("/v1/detections?camera=gate", **headers) as events:
            if turn == 0:
                publish(0, 40)
            for kind, message in events:
                assert kind == "detections"
                got.append(message["frame"]["seq"])
                if len(got) == 10 * (turn + 1):
                    break
            last = events.last_id
    assert sorted(got) == list(range(40))
    assert client.get("/metrics").status == 404
    assert second.process.poll() is None


def test_requests_are_accounted_for_by_the_auditor(door: Callable[..., Client], kafka: KafkaSettings) -> None:
    client = door("fake:300ms")
    for number in range(6):
        client.detect(JPEG, "person", timeout_s=0.1 if number % 2 else 10)
    deadline = time.monotonic() + 30
    while (total := totals(audit(kafka))).missing and time.monotonic() < deadline:
        continue
    assert total.missing == 0
    assert total.published >= 7
    assert total.detected + total.in_gaps == total.published


def test_a_worker_with_transactions_replies_too(start: Start, wait: Wait, kafka: KafkaSettings) -> None:
    work(start, kafka, "fake", "--transactional", "--instance-id", "w1")
    _, client = serve(start, kafka)
    wait(lambda: client.is_ready and client.detect(JPEG, "person", timeout_s=3).status == 200, 90, "an answer")


def _until(ask: Callable[[], Any], status: int) -> Any:
    deadline = time.monotonic() + 20
    while (answer := ask()).status != status:
        assert time.monotonic() < deadline, answer.body
    return answer
