"""`groundcam probe --url`: one picture to the HTTP service, over a real socket."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner

from groundcam.command_line import app
from groundcam.http_probe import NotServedError, Service, probe_service
from groundcam_runtime.settings import SettingError

RESULT = {"objects": [{"label": "red circle"}], "model": {"name": "demo"}}
GOOD = (200, json.dumps({"results": [RESULT]}))
NOT_YET = (503, json.dumps({"detail": "no worker is ready: none is there"}))


@dataclass
class Served:
    """A server that gives these answers, the last of them again and again."""

    answers: list[tuple[int, str]]
    url: str = ""
    seen: list[tuple[str, str | None, bytes]] = field(default_factory=list)


@contextmanager
def serving(*answers: tuple[int, str], context: ssl.SSLContext | None = None) -> Iterator[Served]:
    served = Served(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            served.seen.append((self.path, self.headers["Authorization"], body))
            status, text = served.answers.pop(0) if len(served.answers) > 1 else served.answers[0]
            self.send_response(status)
            self.send_header("Location", "http://192.0.2.1/elsewhere")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        served.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def at_once(_: float) -> bool:
    return False


def test_a_picture_is_sent_with_the_question_and_the_key() -> None:
    with serving(GOOD) as served:
        answer = probe_service(Service(f"{served.url}/", key="gck_1"), "red circle", 5, wait=at_once)
    assert str(answer).endswith("by demo: red circle")
    ((path, authorization, body),) = served.seen
    assert path == "/v1/detect?question=red%20circle"
    assert authorization == "Bearer gck_1"
    assert body.startswith(b"\xff\xd8\xff")


def test_it_is_asked_again_until_a_worker_is_ready() -> None:
    with serving(NOT_YET, NOT_YET, GOOD) as served:
        probe_service(Service(served.url), "x", 60, wait=at_once)
        assert len(served.seen) == 3
    with pytest.raises(NotServedError, match=r"does not answer within 60 s: .*efused"):
        probe_service(Service(served.url), "x", 60, wait=lambda _: True)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((401, json.dumps({"detail": "a key is needed"})), "it answers 401: a key is needed; --key FILE gives one"),
        ((307, ""), "it answers 307: without a word"),
        ((500, "<html>\x1b[2J"), "it answers 500: <html>"),
        ((200, "hello"), "is it groundcam"),
        ((200, '{"results": []}'), "is it groundcam"),
        ((200, '{"results": [{"objects": [{}], "model": {"name": "m"}}]}'), "is it groundcam"),
    ],
)
def test_what_is_no_answer_is_told_at_once(answer: tuple[int, str], why: str) -> None:
    with serving(answer) as served, pytest.raises(NotServedError) as told:
        probe_service(Service(served.url), "x", 60, wait=at_once)
    assert why in str(told.value)
    assert "\x1b" not in str(told.value)
    assert len(served.seen) == 1


def test_no_answer_in_time_is_told_with_what_was_answered_last() -> None:
    with serving(NOT_YET) as served, pytest.raises(NotServedError, match="within 1 s: it answers 503: no worker"):
        probe_service(Service(served.url), "x", 1, wait=at_once)


def test_what_a_server_says_reaches_no_terminal_as_it_is() -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(b"\x1b]0;owned\x07\x1b[2Jhello\r\n\r\n")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            with pytest.raises(NotServedError, match="hello") as told:
                probe_service(Service(f"http://127.0.0.1:{server.server_port}"), "person", 5, wait=lambda _s: True)
        finally:
            server.shutdown()
    assert str(told.value).isprintable()


@pytest.fixture(scope="module")
def certificates() -> tuple[trustme.LeafCert, trustme.LeafCert]:
    authority = trustme.CA()
    return authority.issue_cert("elsewhere.example"), authority.issue_cert("elsewhere.example")


def test_only_the_certificate_that_is_named_gets_the_key(
    certificates: tuple[trustme.LeafCert, trustme.LeafCert], tmp_path: Path
) -> None:
    ours, other = certificates
    for name, one in (("ours", ours), ("other", other)):
        (tmp_path / name).write_bytes(b"".join(part.bytes() for part in one.cert_chain_pems))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.configure_cert(context)
    with serving(GOOD, context=context) as served:
        probe_service(Service(served.url, "gck_1", tmp_path / "ours"), "x", 5, wait=at_once)
        assert len(served.seen) == 1
        with pytest.raises(NotServedError, match="another certificate"):
            probe_service(Service(served.url, "gck_1", tmp_path / "other"), "x", 5, wait=at_once)
        with pytest.raises(NotServedError, match="is not trusted"):
            probe_service(Service(served.url, "gck_1"), "x", 5, wait=at_once)
        assert len(served.seen) == 1


@pytest.mark.parametrize(
    "url", ["", "groundcam:8000", "ftp://h/", "http://", "http://u:p@h/", "http://h/?a=b", "http://[x/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match=r"^--url: "):
        probe_service(Service(url), "x", 1, wait=at_once)


@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
def test_a_file_that_holds_no_certificate_is_refused(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "c.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingError, match=r"^--certificate: "):
        probe_service(Service("https://127.0.0.1:1", None, path), "x", 1, wait=at_once)


@pytest.fixture
def run() -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["probe", *arguments])
        return done.exit_code, done.output, str(done.exception or "")

    return run


def test_the_command_ends_with_1_where_nobody_answers(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("gck_1\n")
    with serving(GOOD) as served:
        code, said, _ = run("--url", served.url, "--key", str(key))
        assert (code, served.seen[0][1]) == (0, "Bearer gck_1")
        assert "by demo: red circle" in said
    with serving((401, '{"detail": "the key is not known"}')) as served:
        code, said, _ = run("--url", served.url, "--key", str(key))
        assert (code, said) == (1, "it answers 401: the key is not known\n")


@pytest.mark.parametrize("content", [None, "", "two words", "ein Schlüssel", "a\nb"])
def test_a_file_without_a_key_is_refused_and_not_shown(
    content: str | None, run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    _, said, why = run("--url", "http://127.0.0.1:1", "--key", str(path))
    assert why.startswith(f"--key: {path}")
    assert not content or content not in why + said


def test_a_key_without_an_address_is_refused(run: Callable[..., tuple[int, str, str]]) -> None:
    assert "of use with --url only" in run("--key", "/k")[2]
