"""How a webhook is asked: signature, body, address and files, and the request itself."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from groundcam_events.notify.credentials import Credentials, read_credentials
from groundcam_events.notify.made_up import made_up
from groundcam_events.notify.policy.address import address_of
from groundcam_events.notify.policy.answers import Answer, Failure
from groundcam_events.notify.policy.body import Picture, body, headers
from groundcam_events.notify.policy.signature import sign, verify
from groundcam_events.notify.post import MOST_BODY_BYTES, post
from groundcam_events.notify.settings import HookSettings
from groundcam_runtime.redaction import redact
from groundcam_runtime.settings import SettingError
from groundcam_schemas import Event, decode_json
from receiver import Receiver, receiving

NS = 1_000_000_000
NOW_S = 1_700_000_000.0
EVENT = made_up(int(NOW_S * NS))


def hook(**settings: Any) -> HookSettings:
    return HookSettings(url="https://example.com/", **settings)


# The signature


def test_a_signature_is_that_of_the_scheme_and_fits_its_body_secret_and_time_alone() -> None:
    header = sign("secret", b"{}", NOW_S)
    digest = hmac.new(b"secret", b"1700000000.{}", hashlib.sha256).hexdigest()
    assert header == f"t=1700000000,v1={digest}"
    assert verify("secret", header, b"{}", NOW_S + 299)
    assert not verify("secret", header, b"{ }", NOW_S)
    assert not verify("Secret", header, b"{}", NOW_S)
    assert not verify("secret", header, b"{}", NOW_S + 301)
    assert not verify("secret", header, b"{}", NOW_S - 301)
    assert not verify("secret", header.replace("t=17", "t=18"), b"{}", NOW_S + 1e8)


def test_of_several_signatures_one_must_fit_as_while_a_secret_is_replaced() -> None:
    header = sign("new", b"x", NOW_S)
    assert verify("new", header.replace("v1=", "v1=00ff,v1="), b"x", NOW_S)
    assert verify("new", f"{header},v0=abc, v1=é", b"x", NOW_S)


@pytest.mark.parametrize(
    "header", ["", "t=,v1=", "v1=abc", "t=1,t=2,v1=x", "t=1e9,v1=x", "t=²,v1=x", "t=" + "9" * 5000, ","]
)
def test_what_is_no_signature_is_refused(header: str) -> None:
    assert not verify("secret", header, b"", NOW_S)


# The body


def test_the_body_is_the_event_and_is_read_as_one() -> None:
    content = body(EVENT, "phone", hook(), None)
    assert decode_json(Event, content) == EVENT
    more = json.loads(content)
    assert (more["hook"], more["text"], more["zones_now"]) == ("phone", "person at test in test", ["test"])
    assert (more["first_seen_at"], more["is_test"]) == ("2023-11-14T22:13:20.000Z", False)
    assert more["picture"] is None
    assert "picture_reason" not in more


def test_a_picture_is_attached_or_linked_or_its_absence_is_explained() -> None:
    attached = json.loads(body(EVENT, "p", hook(picture="attach"), Picture(b"\xff\xd8jpeg")))
    assert base64.b64decode(attached["picture"]["base64"]) == b"\xff\xd8jpeg"
    assert attached["picture"]["content_type"] == "image/jpeg"
    absent = json.loads(body(EVENT, "p", hook(picture="attach"), Picture(None, "it is late")))
    assert (absent["picture"], absent["picture_reason"]) == (None, "it is late")
    link = hook(picture="link", picture_url="https://g.example/{camera}/{id}.jpg")
    odd = EVENT.model_copy(update={"id": "a/../b?"})
    assert json.loads(body(odd, "p", link, None))["picture"] == {"url": "https://g.example/test/a%2F..%2Fb%3F.jpg"}


def test_the_headers_name_the_event_and_sign_the_body_only_with_a_secret() -> None:
    assert headers(EVENT, b"x", None, NOW_S)["X-Groundcam-Event"] == f"{EVENT.id}/0"
    assert "X-Groundcam-Signature" not in headers(EVENT, b"x", None, NOW_S)
    assert verify("s", headers(EVENT, b"x", "s", NOW_S)["X-Groundcam-Signature"], b"x", NOW_S)


def test_a_camera_whose_clock_is_at_the_end_of_time_has_a_body_too() -> None:
    look = EVENT.last.model_copy(update={"captured_at_ns": 2**63 - 1})
    assert json.loads(body(EVENT.model_copy(update={"last": look}), "p", hook(), None))["last_seen_at"] > "2200"


# Addresses and files


def test_of_an_address_only_scheme_host_and_port_are_shown() -> None:
    assert address_of("https://hooks.example.com/services/T0/B0/hunter2222?x=1").shown == "https://hooks.example.com"
    assert address_of("http://[::1]:8080/x").shown == "http://[::1]:8080"
    assert address_of("https://e.com?x=1").target == "/?x=1"
    assert hook().public_url == "https://example.com"


def test_files_give_the_address_the_secret_and_headers_and_none_of_it_is_logged(tmp_path: Path) -> None:
    for name, text in (("url", "https://e.com/hunter1111\n"), ("secret", "hunter2222\n"),
                       ("headers", "Authorization: Bearer hunter3333\n\nX-Team: a\n")):  # fmt: skip
        (tmp_path / name).write_text(text)
    files = {f"{name}_file": tmp_path / name for name in ("url", "secret", "headers")}
    found = read_credentials("phone", HookSettings(**files))
    assert found.address.target == "/hunter1111"
    assert found.secret == "hunter2222"
    assert found.headers == (("Authorization", "Bearer hunter3333"), ("X-Team", "a"))
    assert "hunter" not in redact("GET /hunter1111 hunter2222 Bearer hunter3333")


@pytest.mark.parametrize(
    ("setting", "text", "sentence"),
    [
        ("headers_file", "Authorization Bearer hunter2222", "headers_file: line 1 is not like"),
        ("headers_file", "A: b\nHost: hunter2222", "headers_file: line 2: Host is not yours to set"),
        ("headers_file", "X-Groundcam-Event: hunter2222", "is not yours to set"),
        ("headers_file", "A: é☃hunter2222", "line 1 is not like"),
        ("secret_file", "\n", "secret_file: it is empty"),
        ("ca", None, ""),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_its_text_is_not(
    tmp_path: Path, setting: str, text: str | None, sentence: str
) -> None:
    path = tmp_path / "file"
    if text is None:
        setting, sentence = "secret_file", "notify.hooks.phone.secret_file: No such file"
    else:
        path.write_text(text)
    with pytest.raises(SettingError, match=sentence) as told:
        read_credentials("phone", hook(**{setting: path}))
    assert "hunter2222" not in str(told.value)


# The request itself, against a real server


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def posted(url: str, timeout_s: float = 5.0, ca_file: Path | None = None) -> Answer:
    return post(Credentials(address_of(url), None, ()), b"{}", {"X-A": "b"}, timeout_s=timeout_s, ca_file=ca_file)


@pytest.mark.parametrize("path", ["/ok", "/garbage", "/endless", "/short", "/silent"])
def test_whoever_says_2xx_has_taken_it_whatever_else_he_says(server: Receiver, path: str) -> None:
    answered = posted(server.url(path))
    assert answered.failure is None
    assert len(answered.body) <= MOST_BODY_BYTES


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/redirect", Failure.REDIRECT), ("/gone", Failure.REFUSED), ("/busy", Failure.BUSY),
        ("/down", Failure.SERVER_ERROR), ("/noise", Failure.NOT_HTTP), ("/closes", Failure.NOT_HTTP),
    ],
)  # fmt: skip
def test_each_failure_is_told_apart(server: Receiver, path: str, failure: Failure) -> None:
    assert posted(server.url(path)).failure is failure


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_an_attempt_ends_in_time_although_the_receiver_hangs_or_drips(server: Receiver, path: str) -> None:
    begun_s = time.monotonic()
    assert posted(server.url(path), timeout_s=0.5).failure is Failure.TIMEOUT
    assert time.monotonic() - begun_s < 5.0


def test_a_redirect_is_not_followed_and_nothing_is_sent_there(server: Receiver) -> None:
    posted(server.url("/redirect"))
    assert server.asked("/stolen") == []


def test_where_nobody_listens_the_connection_fails() -> None:
    assert posted("http://127.0.0.1:1/").failure is Failure.CONNECTION


def test_certificates_are_verified_and_one_may_be_trusted_by_its_file(tmp_path: Path) -> None:
    import http.server
    import ssl

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.handle_error = lambda *_: None  # type: ignore[method-assign, assignment]
        served.socket = context.wrap_socket(served.socket, server_side=True)
        threading.Thread(target=served.serve_forever, daemon=True).start()
        port = served.server_address[1]
        trusted = posted(f"https://localhost:{port}/", ca_file=tmp_path / "ca.pem")
        strange = posted(f"https://localhost:{port}/")
        other_name = posted(f"https://127.0.0.1:{port}/", ca_file=tmp_path / "ca.pem")
        served.shutdown()
    assert trusted.failure is None
    assert (strange.failure, other_name.failure) == (Failure.TLS, Failure.TLS)
    assert "certificate is not trusted" in strange.text
