"""The HTTP service's application without a server and without Kafka: boards that are given, and nobody who answers."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

from groundcam_runtime.settings import KafkaSettings, TraceSettings
from groundcam_runtime.tracing import Tracing
from groundcam_schemas import CameraQuestion, CameraState, CameraStatus, ObjectsNow, Question
from groundcam_serve import users
from groundcam_serve.api import session
from groundcam_serve.app import app_of
from groundcam_serve.door import Door
from groundcam_serve.following.seen import Seen
from groundcam_serve.key_file import KeyFile
from groundcam_serve.metrics import ServeMetrics
from groundcam_serve.passwords import hash_in
from groundcam_serve.settings import ServeSettings
from groundcam_serve.user_file import UserFile
from groundcam_serve.users import Role
from serve_client import Answer

CAMERAS = ("gate", "yard")
PASSWORD = "correct horse battery"
KEPT = "scrypt$16384$8$1$OvZo1rzNSki38N-DZ0WzEg$0cwByrOPFoFt5lRSNSx3CHjLD_8J9vM5zsB32KTQEL0"
"""That password, cheaper than a new one is kept."""
CHEAP = hash_in(KEPT.replace("0cwB", "1dxC"))
"""Nobody's."""
QUESTION = Question.of("person")
NO_KAFKA = KafkaSettings(bootstrap_servers="127.0.0.1:1", connect_timeout_s=0.1)


def door_of(**settings: Any) -> Door:
    """The parts of a service that has two cameras, each with a question and an object in front."""

    async def until(is_so: Any, _seconds: float) -> bool:
        return bool(is_so())

    boards = SimpleNamespace(
        asked=lambda _camera: [], workers=[], ready=0, until=until, not_ready=lambda: "there is none in this test",
        cameras={one: CameraStatus(camera_id=one, state=CameraState.ONLINE, since_ns=1, url="rtsp://x") for one in CAMERAS},
        questions={
            one: CameraQuestion(camera_id=one, classes=QUESTION.classes, set_by="anna") for one in (*CAMERAS, "*")
        },
    )  # fmt: skip
    now = {one: ObjectsNow(camera_id=one, partition=0, offset=0) for one in CAMERAS}
    objects = SimpleNamespace(objects=now, zones={}, trouble=None, until=until)
    sightings = SimpleNamespace(seen=Seen(10**6, 10))
    health = SimpleNamespace(answers_per_s=1.0, latency_s=0.1, age_s=0.1, gaps={})
    figures = SimpleNamespace(of=lambda _camera, _now_s: health, answered=dict)
    exchange = SimpleNamespace(run_id="run", kafka_trouble=None, late=0)
    serve = ServeSettings(**settings)
    stubs: Any = (exchange, boards, sightings, figures, objects)
    return Door(
        serve, NO_KAFKA, "1", *stubs, KeyFile(serve.keys_file), ServeMetrics("1"), Tracing(TraceSettings(), "test", "1"),
        max_picture_bytes=10**6, users=UserFile(serve.users_file),
    )  # fmt: skip


class Service:
    """Asks an application, as a server would that has read a request."""

    def __init__(self, **settings: Any) -> None:
        self.door = door_of(**settings)
        self.app: FastAPI = app_of(self.door)

    def ask(self, method: str, path: str, data: bytes = b"", *, peer: str = "127.0.0.1", **headers: str) -> Answer:
        return asyncio.run(self.asked(method, path, data, peer=peer, **headers))

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def send(self, method: str, path: str, content: object, **headers: str) -> Answer:
        return self.ask(method, path, json.dumps(content).encode(), content_type="application/json", **headers)

    def log_in(self, user: str, password: str, **headers: str) -> Answer:
        return self.send("POST", "/v1/session", {"user": user, "password": password}, **headers)

    async def asked(
        self, method: str, path: str, data: bytes = b"", *, peer: str = "127.0.0.1",
        more: Iterable[tuple[str, str]] = (), **headers: str,
    ) -> Answer:  # fmt: skip
        """Ask; headers are named as variables are, and `more` may have one twice."""
        path, _, query = path.partition("?")
        named = {"host": "localhost:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
        pairs = [(name.encode(), value.encode("utf-8")) for name, value in (*named.items(), *more)]
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": pairs, "client": (peer, 50000), "server": ("127.0.0.1", 8000),
        }  # fmt: skip
        body = [{"type": "http.request", "body": data, "more_body": False}]
        came: list[Any] = []

        async def receive() -> Any:
            if not body:
                await asyncio.Event().wait()
            return body.pop()

        async def send(message: Any) -> None:
            came.append(message)

        await self.app(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in came[0]["headers"]}
        return Answer(came[0]["status"], found, b"".join(one.get("body", b"") for one in came[1:]))


def cheaper(patch: pytest.MonkeyPatch) -> None:
    """Have a password of nobody's cost as much as those of these tests, and each attempt logged."""
    patch.setattr(users, "NOBODYS", CHEAP)
    patch.setattr(session, "recurring", SimpleNamespace(warning=lambda _kind, *said: session.log.warning(*said)))


def user(name: str, role: Role = "viewer", **more: Any) -> dict[str, Any]:
    """An entry of a file of users."""
    return {"name": name, "password": KEPT, "role": role, **more}


def three(folder: Path) -> Service:
    """A service that three people may log in to, one of whom sees one camera."""
    return Service(
        users_file=users_file(folder, user("anna", "admin"), user("otto", "operator"), user("vera", cameras=["gate"]))
    )


def logged_in(service: Service, name: str) -> str:
    """Log somebody in, from an address of this one's own."""
    found = service.log_in(name, PASSWORD, peer=f"10.0.{len(name)}.{ord(name[0])}")
    assert found.status == 200, found.body
    return cookie_of(found)


def cookie_of(answer: Answer) -> str:
    """The header `Cookie` that a browser sends from then on."""
    return answer.headers["set-cookie"].partition(";")[0]


def users_file(folder: Path, *users: dict[str, Any], session_key: str = "5e" * 32) -> Path:
    """Write a file of users."""
    path = folder / "users.yaml"
    path.write_text(json.dumps({"session_key": session_key, "users": users}))
    return path
