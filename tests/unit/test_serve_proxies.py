"""What proxies in front of the HTTP service may say, and WebSockets, which come with the same headers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from asgi_service import PASSWORD, Service, cheaper, cookie_of, logged_in, three, user, users_file
from groundcam_serve.entrance import Entrance
from groundcam_serve.problems import Problem


@pytest.fixture(autouse=True)
def _cheaper(monkeypatch: pytest.MonkeyPatch) -> None:
    cheaper(monkeypatch)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return three(tmp_path)


PROXIED = {"trusted_proxies": ("10.0.0.0/8",)}


def test_a_proxys_word_counts_from_a_trusted_peer_alone() -> None:
    service = Service(**PROXIED)
    said = service.get("/v1/session", peer="10.1.2.3", x_forwarded_user="j\u00fcrgen@example.org")
    assert (said.json["name"], said.json["role"], said.json["by"]) == ("j\u00fcrgen@example.org", "viewer", "proxy")
    assert said.json["login"] == "proxy"
    spoofed: list[dict[str, str]] = [
        {}, {"x_forwarded_for": "10.1.2.3"}, {"x_real_ip": "10.1.2.3"}, {"forwarded": "for=10.1.2.3"},
        {"x_forwarded_proto": "https"}, {"remote_user": "anna"},
    ]  # fmt: skip
    for headers in spoofed:
        for peer in ("127.0.0.1", "11.0.0.1", "::1", ""):
            found = service.get("/v1/cameras", peer=peer, x_forwarded_user="anna", **headers)
            assert (found.status, found.json["login"]) == (401, "proxy"), (peer, headers)
    assert service.get("/v1/cameras", peer="10.1.2.3").status == 401, "it says no name"
    assert service.get("/v1/cameras", peer="10.1.2.3", x_forwarded_user="").status == 401
    assert service.log_in("anna", PASSWORD).status == 501


def test_a_role_that_a_proxy_says_counts_and_one_that_there_is_not_opens_nothing() -> None:
    service = Service(**PROXIED, proxy_user_header="X-Email", proxy_role_header="X-Role", proxy_role="operator")
    for said, role in (("admin", "admin"), ("viewer", "viewer"), ("", "operator"), (None, "operator")):
        headers = {} if said is None else {"x_role": said}
        assert service.get("/v1/session", peer="10.0.0.1", x_email="a@b", **headers).json["role"] == role
    for said in ("boss", "admin, viewer", "superadmin"):
        assert service.get("/v1/cameras", peer="10.0.0.1", x_email="a@b", x_role=said).status == 403
    assert service.get("/v1/cameras", peer="10.0.0.1", x_forwarded_user="a@b").status == 401, "that is not the header"
    for name in ("a\tb", "x" * 101, " a"):
        assert service.get("/v1/cameras", peer="10.0.0.1", x_email=name).status == 403
    twice = [("x-role", "viewer"), ("x-role", "admin")]
    found = asyncio.run(service.asked("GET", "/v1/cameras", peer="10.0.0.1", x_email="a@b", more=twice))
    assert (found.status, "twice" in found.json["detail"]) == (403, True)


def test_a_proxy_that_names_nobody_is_believed_of_addresses_and_https_alone(tmp_path: Path) -> None:
    path = users_file(tmp_path, user("anna", "admin"))
    service = Service(**PROXIED, users_file=path, proxy_user_header=None)
    assert service.get("/v1/cameras", peer="10.0.0.1", x_forwarded_user="anna").status == 401
    found = service.log_in("anna", PASSWORD, peer="10.0.0.1", x_forwarded_proto="https")
    assert "Secure" in found.headers["set-cookie"]
    for peer, proto in (("10.0.0.1", "http"), ("11.0.0.1", "https")):
        assert (
            "Secure" not in service.log_in("anna", PASSWORD, peer=peer, x_forwarded_proto=proto).headers["set-cookie"]
        )


def test_attempts_are_counted_by_the_client_behind_a_proxy_and_nobody_chooses_that_address(tmp_path: Path) -> None:
    service = Service(**PROXIED, users_file=users_file(tmp_path))
    found = [
        service.log_in(f"n{number}", "x", peer="10.0.0.1", x_forwarded_for=f"6.6.6.{number}, 1.2.3.4").status
        for number in range(6)
    ]
    assert found == [401] * 5 + [429]
    assert service.log_in("other", "x", peer="10.0.0.1", x_forwarded_for="1.2.3.5").status == 401
    direct = [
        service.log_in(f"d{number}", "x", peer="7.7.7.7", x_forwarded_for=f"6.6.6.{number}").status
        for number in range(6)
    ]
    assert direct == [401] * 5 + [429]


def test_a_users_own_login_beats_what_a_proxy_says(tmp_path: Path) -> None:
    service = Service(**PROXIED, users_file=users_file(tmp_path, user("anna", "admin")))
    cookie = cookie_of(service.log_in("anna", PASSWORD, peer="10.0.0.1"))
    said = service.get("/v1/session", peer="10.0.0.1", cookie=cookie, x_forwarded_user="vera")
    assert (said.json["name"], said.json["login"]) == ("anna", "users")
    assert service.get("/v1/session", peer="10.0.0.1", x_forwarded_user="vera").json["name"] == "vera"


def test_with_a_certificate_of_its_own_the_cookie_is_for_https_alone(tmp_path: Path) -> None:
    path = users_file(tmp_path, user("anna", "admin"))
    service = Service(users_file=path, tls_cert_file="a.pem", tls_key_file="b.pem")
    assert "Secure" in service.log_in("anna", PASSWORD).headers["set-cookie"]


def websocket(headers: dict[str, str]) -> dict[str, Any]:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "websocket", "path": "/v1/wall", "headers": pairs, "client": ("127.0.0.1", 1), "query_string": b""}


@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({"host": "localhost:8000"}, True),
        ({"host": "localhost:8000", "origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}, True),
        ({"host": "localhost:8000", "origin": "http://evil.example"}, False),
        ({"host": "localhost:8000", "origin": "http://localhost:9000"}, False),
        ({"host": "localhost:8000", "origin": "null"}, False),
        ({"host": "localhost:8000", "origin": "http://["}, False),
        ({"host": "localhost:8000", "sec-fetch-site": "cross-site"}, False),
        ({"host": "localhost:8000", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, False),
        ({"host": "evil.example", "origin": "http://evil.example"}, False),
    ],
)
def test_a_websocket_of_another_sites_page_or_another_host_is_refused_before_it_is_accepted(
    service: Service, headers: dict[str, str], *, is_let_in: bool
) -> None:
    let_in, sent = list[str](), list[Any]()

    async def inner(scope: Any, _receive: Any, _send: Any) -> None:
        let_in.append(scope["path"])

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        pytest.fail("nothing is read")

    asyncio.run(Entrance(inner, service.door)(websocket(headers), receive, send))
    assert bool(let_in) == is_let_in
    assert [(one["type"], one["code"]) for one in sent] == ([] if is_let_in else [("websocket.close", 1008)])


def test_a_websocket_is_known_by_its_cookie_or_its_key(service: Service) -> None:
    cookie = logged_in(service, "vera")
    connection = HTTPConnection(websocket({"cookie": cookie}))
    assert service.door.require(connection, "cameras", "gate").name == "vera"
    for scope, camera in (("ask", None), ("cameras", "yard")):
        with pytest.raises(Problem) as refused:
            service.door.require(connection, scope, camera)  # type: ignore[arg-type]
        assert refused.value.status == 403
    with pytest.raises(Problem) as unknown:
        service.door.key_of(HTTPConnection(websocket({})))
    assert (unknown.value.status, unknown.value.document["login"]) == (401, "users")
