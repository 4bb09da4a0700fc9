"""Callers of the HTTP service who wait for too short, too long, or not at all; and a service without a worker."""

import http.client
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from conftest import Start, Wait
from footage import jpeg
from groundcam_runtime.settings import KafkaSettings
from serve_client import Client, serve

pytestmark = pytest.mark.broker

JPEG = jpeg(1, 320, 180)


def test_a_request_ends_at_its_deadline_and_a_late_reply_is_dropped(door: Callable[..., Client], wait: Wait) -> None:
    free = _free_port()
    client = door("fake:1500ms", "--http-port", free)
    began = time.monotonic()
    answer = client.detect(JPEG, "person", timeout_s=0.5)
    assert answer.status == 504
    assert answer.json["type"] == "urn:groundcam:deadline"
    assert 0.4 < time.monotonic() - began < 1.4
    wait(lambda: b"groundcam_http_late_replies 1.0" in Client(free).get("/metrics").body, 30, "the late reply")
    assert client.detect(JPEG, "person", timeout_s=20).status == 200


def test_with_no_worker_a_request_is_refused_at_once_with_why(start: Start, wait: Wait, kafka: KafkaSettings) -> None:
    _, client = serve(start, kafka)
    wait(lambda: _answers(client), 30, "the service")
    answer = client.detect(JPEG, "person")
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert "no worker has told of itself" in answer.json["detail"]
    assert client.get("/readyz").status == 503
    assert client.get("/v1/models").json == {"models": []}


def test_a_client_that_has_gone_holds_no_place(door: Callable[..., Client], wait: Wait) -> None:
    port = _free_port()
    client = door("fake:2000ms", "--http-port", port)

    def waiting(number: int) -> bool:
        return f"groundcam_http_waiting_pictures {number}.0".encode() in Client(port).get("/metrics").body

    wait(lambda: waiting(0), 30, "quiet")
    connection = http.client.HTTPConnection("127.0.0.1", client.port)
    connection.request("POST", "/v1/detect?question=person", JPEG)
    wait(lambda: waiting(1), 10, "the request")
    connection.close()
    wait(lambda: waiting(0), 1.5, "its place")


def test_slow_headers_and_slow_bodies_are_cut(door: Callable[..., Client], tmp_path: Any) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("serve: {body_timeout_s: 1}")
    client = door("fake", "--config", config)

    def drip(first: bytes, each: bytes, seconds: float) -> tuple[float, bytes]:
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            connection.sendall(first)
            began = time.monotonic()
            connection.settimeout(0.1)
            while time.monotonic() - began < seconds:
                try:
                    if (data := connection.recv(4096)) or data == b"":
                        return time.monotonic() - began, data
                except TimeoutError:
                    pass
                try:
                    connection.sendall(each)
                except OSError:
                    return time.monotonic() - began, b""
        pytest.fail(f"still open after {seconds} s")

    took_s, _ = drip(b"GET /v1/workers HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n", 12)
    assert took_s < 8
    head = b"POST /v1/detect?question=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    took_s, data = drip(head, b"x", 8)
    assert took_s < 4
    assert b" 408 " in data.split(b"\r\n")[0]
    assert client.detect(JPEG, "person").status == 200


def _answers(client: Client) -> bool:
    try:
        return client.get("/healthz").status == 200
    except OSError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
