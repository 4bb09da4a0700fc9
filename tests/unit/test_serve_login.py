"""Logging in to the HTTP service, logging out, and attempts to get in otherwise."""

import asyncio
import hashlib
import json
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import generate_latest

from asgi_service import KEPT, PASSWORD, Service, cheaper, cookie_of, logged_in, three, user, users_file
from groundcam_serve import logins, passwords, users, visitors, watched_file
from groundcam_serve.keys import SCOPES, new_key
from groundcam_serve.passwords import kept
from groundcam_serve.sessions import COOKIE, Session, session_in, token_of


@pytest.fixture(autouse=True)
def _cheaper(monkeypatch: pytest.MonkeyPatch) -> None:
    cheaper(monkeypatch)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr(watched_file, "LOOK_S", 0.0)
    return three(tmp_path)


def test_a_password_gives_a_cookie_that_says_who_one_is(service: Service) -> None:
    found = service.log_in("vera", PASSWORD)
    assert found.json == {
        "name": "vera", "role": "viewer", "scopes": ["cameras", "read"], "cameras": ["gate"], "login": "users",
        "by": "session", "expires_s": found.json["expires_s"],
    }  # fmt: skip
    assert found.json["expires_s"] - time.time() == pytest.approx(12 * 3600, abs=5)
    assert found.headers["cache-control"] == "no-store"
    _, *flags = found.headers["set-cookie"].split("; ")
    assert {one.lower() for one in flags} == {"max-age=43200", "path=/", "samesite=strict", "httponly"}
    cookie = cookie_of(found)
    assert service.get("/v1/session", cookie=f"theme=dark; {cookie}; a=b").json == found.json
    assert service.get("/v1/cameras", cookie=cookie).status == 200


def test_nobody_is_told_how_to_log_in_and_what_is_wrong_says_not_whether_there_is_such_a_user(service: Service) -> None:
    for headers in ({}, {"cookie": f"{COOKIE}=x"}, {"x_api_key": "gck_x"}, {"authorization": "Basic YTpi"}):
        nobody = service.get("/v1/session", **headers)
        assert (nobody.status, nobody.json["type"], nobody.json["login"]) == (401, "urn:groundcam:no-key", "users")
        assert nobody.headers["www-authenticate"].startswith("Bearer")
        assert service.get("/v1/cameras", **headers).json["login"] == "users"
    wrong, unknown = service.log_in("anna", "wrong horse battery"), service.log_in("nobody", "wrong horse battery")
    assert (wrong.status, wrong.json) == (unknown.status, unknown.json)
    assert (wrong.status, wrong.json["detail"]) == (401, "the name or the password is wrong")
    assert "set-cookie" not in wrong.headers


def test_an_unknown_user_costs_as_much_as_a_known_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = passwords.NOBODYS
    monkeypatch.setattr(users, "NOBODYS", known)
    entry = {"name": "anna", "password": f"scrypt${known.n}${known.r}${known.p}$AAAAAAAAAAAAAAAA${'A' * 43}"}
    service = Service(users_file=users_file(tmp_path, {**entry, "role": "viewer"}))
    costs, real = list[tuple[int, int, int]](), hashlib.scrypt

    def counted(text: bytes, **options: Any) -> bytes:
        costs.append((options["n"], options["r"], options["p"]))
        return real(text, **options)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    service.log_in("anna", "wrong")
    service.log_in("nobody", "wrong")
    assert costs == [(known.n, known.r, known.p)] * 2


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({}, 422), ({"user": "anna"}, 422), ({"password": PASSWORD}, 422), ({"user": "", "password": PASSWORD}, 422),
        ({"user": "anna", "password": PASSWORD, "key": "x"}, 422), ({"user": "anna", "key": "x"}, 422),
        ({"user": "anna", "password": "x" * 1025}, 422), ({"user": "a" * 201, "password": PASSWORD}, 422),
        ({"user": ["anna"], "password": PASSWORD}, 422), ({"user": "anna", "password": {"$ne": 1}}, 422),
        ({"user": "anna", "password": PASSWORD, "role": "admin"}, 422), ([], 422), ("x" * 20_000, 413),
    ],
)  # fmt: skip
def test_what_is_no_login_is_refused_before_anything_is_computed(
    service: Service, content: Any, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashlib, "scrypt", lambda *_, **__: pytest.fail("it was computed"))
    found = service.send("POST", "/v1/session", content)
    assert found.status == status, found.body
    assert PASSWORD.encode() not in found.body


def test_a_page_of_another_site_can_neither_log_in_nor_use_a_session(service: Service) -> None:
    cookie = logged_in(service, "anna")
    form = service.ask("POST", "/v1/session", b'{"user": "anna", "password": "x"}', content_type="text/plain")
    assert form.status == 415
    attempts: list[dict[str, str]] = [
        {"origin": "http://evil.example"}, {"origin": "http://localhost:9000"}, {"origin": "null"}, {"origin": "http://["},
        {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
    ]  # fmt: skip
    for headers in attempts:
        for method in ("POST", "PUT", "DELETE"):
            found = service.ask(method, "/v1/models", b"{}", cookie=cookie, **headers)
            assert (found.status, found.json["type"]) == (403, "urn:groundcam:cross-site"), headers
    assert service.send("POST", "/v1/session", {"key": "x"}, origin="http://evil.example").status == 403
    own = service.ask(
        "DELETE", "/v1/models", cookie=cookie, origin="http://localhost:8000", sec_fetch_site="same-origin"
    )
    assert own.status == 501, "it is let in, and there is no worker here"


def test_who_logs_out_is_out_also_with_a_copy_of_the_cookie(service: Service) -> None:
    first, second = logged_in(service, "anna"), logged_in(service, "anna")
    out = service.ask("DELETE", "/v1/session", cookie=first)
    assert out.status == 204
    assert out.headers["set-cookie"].startswith(f'{COOKIE}=""; ')
    assert "Max-Age=0" in out.headers["set-cookie"]
    over = service.get("/v1/session", cookie=first)
    assert (over.status, over.json["detail"]) == (401, "the session is over")
    assert service.get("/v1/session", cookie=second).status == 200, "another browser stays"
    assert service.ask("DELETE", "/v1/session").status == 204


def test_a_session_ends_with_its_time_a_new_password_another_role_and_its_entry(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status(cookie: str) -> int:
        return service.get("/v1/cameras", cookie=cookie).status

    cookies = {name: logged_in(service, name) for name in ("anna", "otto", "vera")}
    users_file(tmp_path, user("anna", "admin"), user("otto", "admin"), user("vera", password=kept(PASSWORD)))
    assert [status(one) for one in cookies.values()] == [200, 401, 401]
    users_file(tmp_path, user("anna", "admin", cameras=["yard"]))
    narrowed = service.get("/v1/session", cookie=cookies["anna"])
    assert narrowed.json["cameras"] == ["yard"], "cameras change at once, without a new login"
    users_file(tmp_path, user("anna", "admin"), session_key="6f" * 32)
    assert status(cookies["anna"]) == 401
    users_file(tmp_path)
    assert status(cookies["anna"]) == 401
    users_file(tmp_path, user("anna", "admin"))
    assert status(cookies["anna"]) == 200
    monkeypatch.setattr(visitors, "time", SimpleNamespace(time=lambda: time.time() + 12 * 3600 + 1))
    assert status(cookies["anna"]) == 401


def test_forged_tokens_open_nothing_whatever_they_say(service: Service) -> None:
    cookie = logged_in(service, "vera")
    token = cookie.partition("=")[2]
    mine = session_in(token, bytes.fromhex("5e" * 32), time.time())
    assert mine is not None
    as_anna = token_of(Session("user", "anna", mine.issued_s, mine.expires_s, mine.nonce, mine.mark), b"\0" * 32)
    stolen_mark = token_of(
        Session("user", "anna", mine.issued_s, mine.expires_s, mine.nonce, mine.mark), bytes.fromhex("5e" * 32)
    )
    as_key = token_of(
        Session("key", "vera", mine.issued_s, mine.expires_s, mine.nonce, mine.mark), bytes.fromhex("5e" * 32)
    )
    huge = "A" * 60_000
    for forged in (as_anna, stolen_mark, as_key, token[:-1], token + "A", token.swapcase(), "", huge, f"{token}{huge}"):
        assert service.get("/v1/cameras", cookie=f"{COOKIE}={forged}").status == 401, forged[:100]
    assert service.get("/v1/cameras", cookie=f"a={huge}; {COOKIE}=junk; {cookie}").status == 200, "hers is found"
    assert service.get("/v1/cameras", authorization=f"Bearer {token}").status == 401, "it is no key"


def test_passwords_are_tried_a_few_times_by_name_and_by_address_and_then_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(logins, "time", SimpleNamespace(monotonic=lambda: now[0]))
    statuses = [service.log_in("anna", "guess", peer=f"10.0.0.{number}").status for number in range(7)]
    assert statuses == [401] * 5 + [429] * 2, "by name"
    refused = service.log_in("anna", PASSWORD, peer="10.0.0.99")
    assert (refused.status, refused.headers["retry-after"]) == (429, "12")
    assert service.log_in("anna\u0301"[:4] + "", PASSWORD, peer="10.0.0.98").status == 429
    statuses = [service.log_in(f"name{number}", "guess", peer="10.9.9.9").status for number in range(7)]
    assert statuses == [401] * 5 + [429] * 2, "by address"
    keys = [service.send("POST", "/v1/session", {"key": "gck_x"}, peer="10.8.8.8").status for _ in range(6)]
    assert keys == [401] * 5 + [429]
    now[0] += 12.1
    assert service.log_in("anna", PASSWORD, peer="10.0.0.97").status == 200


def test_two_passwords_are_computed_at_a_time_some_wait_and_more_are_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most, real = [0], [0], hashlib.scrypt

    def counted(text: bytes, **options: Any) -> bytes:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        try:
            return real(text, **options)
        finally:
            at_once[0] -= 1

    monkeypatch.setattr(hashlib, "scrypt", counted)

    async def all_at_once() -> list[int]:
        data = [json.dumps({"user": f"n{number}", "password": "x"}).encode() for number in range(25)]
        asked = (
            service.asked("POST", "/v1/session", one, peer=f"10.0.1.{number}", content_type="application/json")
            for number, one in enumerate(data)
        )
        return [one.status for one in await asyncio.gather(*asked)]

    statuses = asyncio.run(all_at_once())
    assert statuses.count(503) == 25 - logins.AT_ONCE - logins.MOST_WAITING
    assert set(statuses) == {401, 503}
    assert most[0] == logins.AT_ONCE
    assert not service.door.logins.at_work


def test_a_login_is_counted_and_logged_without_a_secret_and_as_it_may_be_shown(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    token = cookie_of(service.log_in("anna", PASSWORD)).partition("=")[2]
    service.log_in("ev\x1b[31mil\nanna has logged in", "s3cret-guess")
    service.get("/v1/cameras", cookie=f"{COOKIE}={token}")
    assert "anna has logged in from 127.0.0.1" in caplog.text
    assert r"ev\x1b[31mil\nanna has logged in cannot log in from 127.0.0.1" in caplog.text
    metrics = service.door.metrics.registry
    assert metrics.get_sample_value("groundcam_http_logins_total", {"result": "ok"}) == 1
    assert metrics.get_sample_value("groundcam_http_logins_total", {"result": "wrong-login"}) == 1
    for text in (caplog.text, generate_latest(metrics).decode()):
        for secret in (PASSWORD, "s3cret-guess", token, KEPT, "5e5e5e"):
            assert secret not in text
    assert "anna" not in generate_latest(metrics).decode()


def test_a_key_logs_in_where_there_are_keys_and_its_session_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_file, "LOOK_S", 0.0)
    path, (secret, key) = tmp_path / "keys.yaml", new_key("wall", ("read", "cameras"))
    path.write_text(json.dumps({"keys": [key.model_dump(mode="json", exclude_none=True)]}))
    service = Service(keys_file=path)
    assert service.get("/v1/session").json["login"] == "keys"
    found = service.send("POST", "/v1/session", {"key": secret})
    assert (found.json["name"], found.json["role"], found.json["scopes"]) == ("wall", None, ["read", "cameras"])
    cookie = cookie_of(found)
    assert service.get("/v1/session", cookie=cookie).json["by"] == "session"
    assert service.get("/v1/session", x_api_key=secret).json["by"] == "key"
    assert service.get("/v1/cameras", cookie=cookie, x_api_key="gck_wrong").status == 401, "a key that is sent counts"
    assert service.send("POST", "/v1/session", {"key": secret[:-1]}).status == 401
    assert service.log_in("wall", secret).status == 401
    assert Service(keys_file=path).get("/v1/cameras", cookie=cookie).status == 401, "its own key signs, of this start"
    path.write_text(json.dumps({"keys": [new_key("wall", SCOPES)[1].model_dump(mode="json", exclude_none=True)]}))
    assert service.get("/v1/cameras", cookie=cookie).status == 401


def test_with_users_and_keys_both_log_in_and_a_header_beats_a_cookie(tmp_path: Path) -> None:
    path, (secret, key) = tmp_path / "keys.yaml", new_key("app", ("detect",))
    path.write_text(json.dumps({"keys": [key.model_dump(mode="json", exclude_none=True)]}))
    service = Service(keys_file=path, users_file=users_file(tmp_path, user("anna", "admin")))
    assert service.get("/v1/session").json["login"] == "both"
    cookie = logged_in(service, "anna")
    by_key = cookie_of(service.send("POST", "/v1/session", {"key": secret}))
    assert Service(keys_file=path, users_file=tmp_path / "users.yaml").get("/v1/session", cookie=by_key).status == 200
    assert service.get("/v1/session", cookie=cookie).json["name"] == "anna"
    assert service.get("/v1/session", cookie=cookie, authorization=f"Bearer {secret}").json["name"] == "app"
    for where in (service.app.openapi()["security"],):
        assert where == [{"bearer": []}, {"key": []}, {"session": []}]


def test_without_keys_and_users_everybody_is_everybody_and_nobody_logs_in() -> None:
    service = Service()
    assert service.get("/v1/session").json == {
        "name": "everybody", "role": None, "scopes": list(SCOPES), "cameras": None, "login": "none", "by": "nothing",
        "expires_s": None,
    }  # fmt: skip
    assert service.log_in("anna", PASSWORD).status == 501
    assert service.get("/v1/cameras", x_forwarded_user="anna", cookie=f"{COOKIE}=x").status == 200
