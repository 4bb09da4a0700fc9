"""The HTTP service in front of a real worker."""

from collections.abc import Callable

import pytest

from conftest import Start, Wait
from footage import jpeg
from groundcam_runtime.settings import KafkaSettings
from serve_client import Client, serve, work

JPEG = jpeg(1, 320, 180)


@pytest.fixture
def door(start: Start, wait: Wait, kafka: KafkaSettings) -> Callable[..., Client]:
    """Start a service and a worker, and return once both are ready."""

    def begin(model: str = "fake", *options: object, key: str | None = None) -> Client:
        work(start, kafka, model)
        _, client = serve(start, kafka, *options, key=key)
        wait(lambda: client.is_ready and answers(client), 90, "an answer")
        return client

    def answers(client: Client) -> bool:
        return client.detect(JPEG, "red circle", timeout_s=8).status in {200, 401, 403}

    return begin
