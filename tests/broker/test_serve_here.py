"""`groundcam serve` by itself: a Kafka, a worker and the service on one machine, from the first second to the last."""

import os
import signal
import time

import psutil
import pytest

from conftest import Start, Wait
from footage import jpeg
from groundcam.devkafka.broker import free_port
from serve_client import Client

pytestmark = pytest.mark.broker


def test_one_command_serves_and_ctrl_c_takes_all_of_it_down(start: Start, wait: Wait) -> None:
    """The model's state can be seen meanwhile, and another model be chosen in its place."""
    port = free_port()
    program = start(None, "serve", "--model", "fake:1ms", "--port", port)
    client = Client(port)

    def said(address: str) -> object:
        try:
            return client.get(address).json
        except (OSError, ValueError):
            return None

    wait(lambda: said("/v1/models"), 60, "the service")
    wait(lambda: client.is_ready, 60, "the worker")
    wait(lambda: client.detect(jpeg(), "person", timeout_s=2).status == 200, 30, "an answer")
    wait(lambda: "fake:1ms: ready" in program.log, 10, "what the terminal says")
    (model,) = client.get("/v1/models").json["models"]
    assert (model["asked_for"], model["is_ready"], model["state"]) == ("fake:1ms", True, "ready")
    refused = client.send("POST", "/v1/models", {"model": "fake:fast"})
    assert (refused.status, refused.json["field"]) == (422, "model")
    unknown = client.send("POST", "/v1/models", {"model": "tinny"})
    assert (unknown.status, "tiny" in unknown.json["detail"]) == (422, True), unknown.body
    assert client.detect(jpeg(), "person").status == 200, "the one before goes on"
    chosen = client.send("POST", "/v1/models", {"model": "demo"})
    assert chosen.status == 202
    states = set()

    def demo_is_ready() -> bool:
        found = {one["asked_for"]: one["state"] for one in client.get("/v1/models").json["models"]}
        states.add(found.get("demo"))
        return found == {"demo": "ready"}

    wait(demo_is_ready, 90, "the other model")
    assert states & {"starting", "loading", "warming_up"}
    wait(lambda: client.detect(jpeg(), "red circle", timeout_s=5).status == 200, 30, "its answer")
    assert client.ask("DELETE", "/v1/models").status == 204
    assert client.ask("DELETE", "/v1/models").status == 404
    wait(lambda: client.detect(jpeg(), "person").status == 503, 30, "no worker")
    below = psutil.Process(program.process.pid).children(recursive=True)
    began = time.monotonic()
    os.kill(program.process.pid, signal.SIGINT)
    assert program.process.wait(30) == 0
    assert time.monotonic() - began < 25
    wait(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below), 10, "all to end")


def test_an_address_that_others_reach_is_refused_without_keys(start: Start) -> None:
    program = start(None, "serve", "--host", "0.0.0.0", "--model", "fake")  # noqa: S104
    assert program.process.wait(30) == 2
    assert program.log.strip().endswith("or open: true to serve everybody")
