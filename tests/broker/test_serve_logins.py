"""Keys and logins of the HTTP service in front of a real worker: what each opens, and when a change of them holds."""

import json
from typing import Any

import pytest

from conftest import Start, Wait
from footage import jpeg
from groundcam_runtime.settings import KafkaSettings
from groundcam_serve.keys import new_key
from groundcam_serve.passwords import kept
from groundcam_serve.user_file import save
from groundcam_serve.users import no_users, user_of
from serve_client import Client, serve, work

pytestmark = pytest.mark.broker

JPEG = jpeg(1, 320, 180)


def test_keys_and_logins_open_what_they_are_for_and_changes_hold_within_a_second(
    start: Start, wait: Wait, kafka: KafkaSettings, tmp_path: Any
) -> None:
    work(start, kafka, "fake")
    path = tmp_path / "keys.yaml"
    detect, detect_key = new_key("app", ("detect",))
    read, read_key = new_key("wall", ("read", "cameras"))
    both = [detect_key.model_copy(update={"pictures_per_s": 1.0}), read_key.model_copy(update={"cameras": ("gate",)})]
    path.write_text(json.dumps({"keys": [one.model_dump(mode="json", exclude_none=True) for one in both]}))
    people, password = tmp_path / "users.yaml", "correct horse battery"
    save(people, no_users().changed("anna", user_of("anna", kept(password), "operator", ("gate",))))
    program, stranger = serve(start, kafka, "--keys", str(path), "--users", str(people))
    app, wall, wrong = (Client(stranger.port, key) for key in (detect, read, detect[:-1] + "x"))
    wait(lambda: stranger.is_ready and app.detect(JPEG, "person", timeout_s=2).status == 200, 60, "an answer")
    routes = [
        ("POST", "/v1/detect?question=a", "detect"), ("GET", "/v1/workers", "read"), ("GET", "/v1/models", "read"),
        ("POST", "/v1/models", "models"), ("DELETE", "/v1/models", "models"), ("GET", "/v1/cameras", "read"),
        ("GET", "/v1/cameras/gate/latest.jpg", "cameras"), ("GET", "/v1/cameras/gate/frames", "cameras"),
        ("GET", "/v1/questions", "read"), ("GET", "/v1/questions/gate", "read"), ("PUT", "/v1/questions/gate", "ask"),
        ("DELETE", "/v1/questions/gate", "ask"), ("GET", "/v1/detections", "read"),
    ]  # fmt: skip
    for method, route, scope in routes:
        for client in (stranger, wrong):
            answer = client.ask(method, route)
            assert answer.status == 401, (method, route, answer.body)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for client, scopes in ((app, {"detect"}), (wall, {"read", "cameras"})):
            if scope not in scopes:
                refused = client.ask(method, route)
                assert (refused.status, scope in refused.json["detail"]) == (403, True), (method, route)
    assert wall.get("/v1/workers").status == 200
    assert wall.get("/v1/cameras/yard/latest.jpg").status == 403, "it is about the gate"
    assert wall.get("/v1/detections?camera=yard").status == 403
    assert app.ask("GET", "/v1/workers", X_API_Key=read).status == 403, "the first header counts"
    assert stranger.get("/v1/workers", X_API_Key=read).status == 200
    limited: list[Any] = []
    wait(lambda: limited.append(app.detect(JPEG, "person")) or limited[-1].status == 429, 10, "its rate")
    assert 1 <= int(limited[-1].headers["retry-after"]) <= 2
    cookie = _logged_in(stranger, "anna", password)
    assert stranger.ask("POST", "/v1/detect?question=person", JPEG, Cookie=cookie).status == 200
    assert stranger.ask("POST", "/v1/models", b"{}", Cookie=cookie).status == 403
    assert stranger.get("/v1/cameras/yard/latest.jpg", Cookie=cookie).status == 403, "she sees the gate"
    assert stranger.get("/v1/workers", Cookie=cookie, Origin="http://evil.example").status == 403
    with stranger.events(Cookie=cookie) as open_stream:
        assert stranger.ask("DELETE", "/v1/session", Cookie=cookie).status == 204
        assert stranger.get("/v1/workers", Cookie=cookie).status == 401
        assert not list(open_stream), "nothing comes after the logout, and then the stream ends"
    again = _logged_in(stranger, "anna", password)
    save(people, no_users())
    wait(lambda: stranger.get("/v1/workers", Cookie=again).status == 401, 5, "her removal")
    path.write_text(json.dumps({"keys": [both[1].model_dump(mode="json", exclude_none=True)]}))
    wait(lambda: app.detect(JPEG, "person").status == 401, 5, "the change")
    path.write_text("keys: [")
    assert wall.get("/v1/workers").status == 200, "a broken file changes nothing"
    for secret in (detect, read, password, cookie, again):
        assert secret not in program.log


def _logged_in(client: Client, user: str, password: str) -> str:
    found = client.send("POST", "/v1/session", {"user": user, "password": password})
    assert found.status == 200, found.body
    return found.headers["set-cookie"].partition(";")[0]
