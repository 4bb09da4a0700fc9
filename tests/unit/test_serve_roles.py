"""What each role may do on each route of the HTTP service, and which cameras somebody sees there."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asgi_service import Service, logged_in, three, user, users_file
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import (
    Detections,
    FrameRef,
    Model,
    QuestionRef,
    TimingsNs,
    Verdict,
    WorkerState,
    WorkerStatus,
    encode,
)
from groundcam_serve.api import detections, events
from groundcam_serve.problems import Problem
from groundcam_serve.users import SCOPES_OF, Role


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return three(tmp_path)


ROUTES = [
    ("POST", "/v1/detect?question=a", "detect"), ("GET", "/v1/workers", "read"), ("GET", "/v1/models", "read"),
    ("POST", "/v1/models", "models"), ("DELETE", "/v1/models", "models"), ("GET", "/v1/cameras", "read"),
    ("GET", "/v1/health", "read"), ("POST", "/v1/cameras/gate/preview", "detect"),
    ("GET", "/v1/health", "read"), ("POST", "/v1/cameras/gate/preview", "detect"),
    ("GET", "/v1/cameras/gate/latest.jpg", "cameras"), ("GET", "/v1/cameras/gate/frames", "cameras"),
    ("GET", "/v1/questions/gate/history", "read"), ("GET", "/v1/questions", "read"), ("GET", "/v1/questions/gate", "read"), ("PUT", "/v1/questions/gate", "ask"),
    ("DELETE", "/v1/questions/gate", "ask"), ("GET", "/v1/cameras/gate/zones", "read"),
    ("PUT", "/v1/cameras/gate/zones", "ask"), ("DELETE", "/v1/cameras/gate/zones", "ask"),
    ("GET", "/v1/detections?camera=gate", "read"), ("GET", "/v1/events?camera=gate", "read"),
    ("GET", f"/v1/events/{'0' * 32}", "read"), ("GET", f"/v1/events/{'0' * 32}/picture", "cameras"),
    ("GET", "/v1/objects?camera=gate", "read"), ("POST", "/v1/jobs?question=a", "detect"), ("GET", "/v1/jobs", "detect"),
    ("GET", f"/v1/jobs/{'0' * 16}", "detect"), ("GET", f"/v1/jobs/{'0' * 16}/results", "detect"),
    ("DELETE", f"/v1/jobs/{'0' * 16}", "detect"), ("POST", "/grounding_dino/infer", "detect"),
    ("POST", "/inference_image", "detect"), ("POST", "/inference_batch", "detect"),
    ("POST", "/inference_image_url", "detect"), ("POST", "/inference_batch_async", "detect"),
    ("POST", "/get_session_info", "read"), ("POST", "/get_deploy_info", "read"),
    ("POST", "/get_inference_progress", "detect"), ("POST", "/stop_inference", "detect"),
]  # fmt: skip
"""What each needs; what asks Kafka finds none, and says so with 503."""


def test_every_route_that_is_described_is_among_those_of_the_matrix(service: Service) -> None:
    described = {
        (method.upper(), path)
        for path, methods in service.app.openapi()["paths"].items()
        for method in methods
        if path != "/v1/session"
    }
    named = {"gate": "{camera}", "0" * 32: "{event}", "0" * 16: "{job}"}
    matrix = {(method, path.partition("?")[0]) for method, path, _ in ROUTES}
    shown = {(method, "/".join(named.get(part, part) for part in path.split("/"))) for method, path in matrix}
    assert described <= shown


@pytest.mark.parametrize("name", ["vera", "otto", "anna"])
def test_a_role_opens_what_it_is_for_on_every_route_and_nothing_else(service: Service, name: str) -> None:
    role: Role = {"vera": "viewer", "otto": "operator", "anna": "admin"}[name]  # type: ignore[assignment]
    cookie = logged_in(service, name)
    for method, path, scope in ROUTES:
        found = service.ask(method, path, b"{}", cookie=cookie, content_type="application/json")
        if scope in SCOPES_OF[role]:
            assert found.status not in {401, 403, 500}, (method, path, found.body)
        else:
            assert found.status == 403, (method, path, found.body)
            assert f"{name} has not the scope {scope}" in found.json["detail"]
        assert service.ask(method, path, b"{}", content_type="application/json").status == 401, (method, path)


def test_who_may_do_everything_at_one_camera_may_do_nothing_at_another(tmp_path: Path) -> None:
    """On each route that names a camera, in its path or as what is asked for."""
    service = Service(users_file=users_file(tmp_path, user("eve", "admin", cameras=["yard"])))
    cookie = logged_in(service, "eve")
    of_cameras = [one for one in ROUTES if "gate" in one[1]]
    assert {path.split("/")[2].partition("?")[0] for _, path, _ in of_cameras} == {
        "cameras", "questions", "detections", "events", "objects",
    }  # fmt: skip
    for method, path, _ in of_cameras:
        found = service.ask(method, path, b'{"question": "cat"}', cookie=cookie, content_type="application/json")
        assert found.status == 403, (method, path, found.body)
        assert "gate" in found.json["detail"], (method, path, found.body)
        mine = service.ask(
            method, path.replace("gate", "yard"), b'{"question": "cat"}', cookie=cookie, content_type="application/json"
        )
        assert mine.status != 403, (method, path, mine.body)


def test_who_sees_one_camera_sees_no_other_on_any_route(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = logged_in(service, "vera")
    assert [one["camera_id"] for one in service.get("/v1/cameras", cookie=cookie).json["cameras"]] == ["gate"]
    assert [one["camera_id"] for one in service.get("/v1/questions", cookie=cookie).json["questions"]] == ["gate"]
    assert [one["camera_id"] for one in service.get("/v1/objects", cookie=cookie).json["cameras"]] == ["gate"]
    assert [one["camera_id"] for one in service.get("/v1/health", cookie=cookie).json["cameras"]] == ["gate"]
    for path in ("/v1/cameras/yard/latest.jpg", "/v1/cameras/yard/frames", "/v1/cameras/yard/zones", "/v1/questions/yard",
                 "/v1/questions/*", "/v1/questions/yard/history", "/v1/events?camera=yard", "/v1/events?camera=gate&camera=yard", "/v1/objects?camera=yard",
                 "/v1/detections?camera=yard", "/v1/events?camera=yard&stream=true"):  # fmt: skip
        assert service.get(path, cookie=cookie).status == 403, path
    verdicts = tuple(Verdict(camera_id=one, version="v", at_ns=1) for one in ("*", "yard", "gate"))
    worker = WorkerStatus(
        worker_id="w", group="g", state=WorkerState.READY, since_ns=1, at_ns=1, heartbeat_s=1.0, asked_for="demo",
        verdicts=verdicts,
    )  # fmt: skip
    monkeypatch.setattr(service.app.state.door.boards, "workers", [worker])
    for name, seen in (("vera", ["gate"]), ("anna", ["*", "yard", "gate"])):
        (told,) = service.get("/v1/workers", cookie=logged_in(service, name)).json["workers"]
        assert [one["camera_id"] for one in told["verdicts"]] == seen
    wanted: list[Any] = []
    monkeypatch.setattr(events, "page", lambda _kafka, asked: wanted.append(asked) or ([], None))
    assert service.get("/v1/events", cookie=cookie).status == 200
    assert wanted[0].events.cameras == {"gate"}
    streams: list[Any] = []

    async def begun(_door: Any, _request: Any, _key: Any, begin: Any) -> Any:
        streams.append(begin()[1])
        raise Problem(503, "kafka", "there is none")

    for module in (detections, events):
        monkeypatch.setattr(module, "Reader", lambda *_, **__: SimpleNamespace())
        monkeypatch.setattr(module, "streamed", begun)
    for path in ("/v1/detections", "/v1/events?stream=true&start=end"):
        assert service.get(path, cookie=cookie).status == 503
    of_detections, of_events = streams
    partition = record_of("gate").partition
    of_detections.begin({partition: 0}, {})
    assert of_detections.take(record_of("gate")) is not None
    assert of_detections.take(record_of("yard")) is None
    assert of_events._wanted.cameras == {"gate"}


def record_of(camera: str) -> Consumed:
    """What was found in a frame, as it lies on Kafka."""
    message = Detections(
        id="1", camera_id=camera, frame=FrameRef(run_id="r", seq=1, topic="f", partition=0, offset=1), captured_at_ns=1,
        source_width=10, source_height=10, question=QuestionRef(id="*", version="v", classes=("person",)),
        model=Model(name="m"), objects=(), timings_ns=TimingsNs(**dict.fromkeys(TimingsNs.model_fields, 1)),
    )  # fmt: skip
    return Consumed(Partition("t.detections", 0), 0, 0, b"", encode(message), (), 0)
