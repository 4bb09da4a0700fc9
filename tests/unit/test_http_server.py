"""The small HTTP server: bounded in everything, whoever connects."""

import http.client
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from random import Random

import pytest

from groundcam_runtime import http_server
from groundcam_runtime.http_server import HttpServer, Response


def answer(path: str, _accept: str) -> Response:
    if path == "/boom":
        raise RuntimeError("boom")
    if path == "/stream":
        return Response(200, stream=iter([b"one ", b"two"]))
    if path == "/endless":
        return Response(200, stream=endless())
    return Response(200, b"ok\n")


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 10_000


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer("127.0.0.1", 0, answer, "http.port") as running:
        yield running


def ask(port: int, request: bytes, host: str = "127.0.0.1") -> bytes:
    with socket.create_connection((host, port), 10) as connection:
        connection.sendall(request)
        found = b""
        while data := connection.recv(65536):
            found += data
        return found


def get(port: int, path: str = "/", host: str = "localhost") -> bytes:
    return ask(port, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())


def status(found: bytes) -> int:
    return int(found.split(b" ", 2)[1])


def test_a_path_is_answered_and_head_gives_no_body(server: HttpServer) -> None:
    assert get(server.port).endswith(b"Content-Length: 3\r\n\r\nok\n")
    assert ask(server.port, b"HEAD / HTTP/1.1\r\n\r\n").endswith(b"Content-Length: 3\r\n\r\n")
    assert get(server.port, "/stream").endswith(b"\r\n\r\none two")


@pytest.mark.parametrize("says", [b"", b"GET /healthz HTT"])
def test_hundreds_that_say_nothing_or_little_delay_no_answer_and_take_no_thread(
    server: HttpServer, says: bytes
) -> None:
    threads = threading.active_count()
    with ExitStack() as held:
        for _ in range(300):
            held.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)).sendall(says)
        begun = time.monotonic()
        assert status(get(server.port)) == 200
        assert time.monotonic() - begun < http_server.REQUEST_S / 2
        assert len(server._connections) <= http_server.MOST_CONNECTIONS
        assert threading.active_count() <= threads + http_server.ANSWERING_THREADS


def test_who_drips_is_let_go_when_the_time_for_a_request_is_over(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "REQUEST_S", 0.3)
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as connection,
        pytest.raises(OSError, match=r"reset|[Bb]roken pipe"),
    ):
        for _ in range(10_000):
            connection.sendall(b"G")
            time.sleep(0.005)  # it drips: this is what is tested


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", 421),
        (b"GET /boom HTTP/1.1\r\n\r\n", 500),
    ],
)
def test_what_is_no_small_get_is_refused_with_a_status(server: HttpServer, request_bytes: bytes, code: int) -> None:
    try:
        found = ask(server.port, request_bytes)
    except OSError:
        assert len(request_bytes) > http_server.LINGER_BYTES, "only what never ends is cut off"
        return
    assert status(found) == code


@pytest.mark.parametrize(
    ("host", "code"),
    [("evil.example", 421), ("localhost.evil.example:80", 421), ("LOCALHOST:9", 200), ("127.0.0.1:9", 200),
     ("[::1]:9", 200), ("10.0.0.7", 200), ("", 200)],
)  # fmt: skip
def test_on_the_loopback_device_a_foreign_name_reads_nothing(server: HttpServer, host: str, code: int) -> None:
    assert status(get(server.port, host=host)) == code


def test_elsewhere_any_name_will_do_unless_there_are_names() -> None:
    with HttpServer("0.0.0.0", 0, answer, "http.port") as server:  # noqa: S104
        assert status(get(server.port, host="groundcam.cameras.svc:9102")) == 200
    with HttpServer("0.0.0.0", 0, answer, "http.port", ["Groundcam.Example"]) as server:  # noqa: S104
        assert status(get(server.port, host="groundcam.example:80")) == 200
        assert status(get(server.port, host="evil.example")) == 421


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6: listening on :: is not tested")
def test_every_address_of_both_kinds_is_listened_on() -> None:
    with HttpServer("::", 0, answer, "http.port") as server:
        assert {status(ask(server.port, b"GET / HTTP/1.0\r\n\r\n", host)) for host in ("127.0.0.1", "::1")} == {200}


def test_who_resets_the_connection_leaves_no_line(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    for path in (b"/", b"/stream", b"/endless"):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                connection.sendall(b"GET " + path + b" HTTP/1.1\r\n\r\n")
    assert status(get(server.port)) == 200
    assert not caplog.records


def test_an_error_of_ours_is_in_the_log(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    assert status(get(server.port, "/boom")) == 500
    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [
        (logging.ERROR, "'/boom' cannot be answered")
    ]


def test_a_reader_of_a_stream_when_the_server_ends_leaves_no_line(caplog: pytest.LogCaptureFixture) -> None:
    with HttpServer("127.0.0.1", 0, answer, "http.port") as running:
        connection = socket.create_connection(("127.0.0.1", running.port), 10)
        connection.sendall(b"GET /endless HTTP/1.1\r\n\r\n")
        assert connection.recv(12)
    with connection, suppress(ConnectionError):
        while connection.recv(65536):
            pass
    assert not caplog.records


def test_of_readers_without_an_end_there_are_few_and_others_are_answered(server: HttpServer) -> None:
    with ExitStack() as held:
        codes = []
        for _ in range(http_server.MOST_STREAMS + 20):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
            connection.sendall(b"GET /endless HTTP/1.1\r\n\r\n")
            codes.append(int(connection.recv(12).split(b" ")[1]))
        assert codes.count(200) == http_server.MOST_STREAMS
        assert set(codes) == {200, 503}
        assert status(get(server.port)) == 200


def test_no_request_of_any_form_ends_the_server_or_keeps_a_descriptor(server: HttpServer) -> None:
    draw = Random(os.environ.get("GROUNDCAM_TEST_SEED"))
    whole = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
    assert status(ask(server.port, whole)) == 200
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(500):
        broken = bytearray(whole)
        for _ in range(draw.randrange(1, 6)):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            connection.sendall(bytes(broken[: draw.randrange(len(broken) + 1)]))
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.request("GET", "/")
    assert client.getresponse().read() == b"ok\n"
    client.close()
    assert status(get(server.port)) == 200
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208
