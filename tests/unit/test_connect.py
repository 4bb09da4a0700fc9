"""Clients that connect at once, in one process."""

import io
import logging
import threading
import time
from collections.abc import Iterator

import kafka
import pytest

from groundcam.devkafka.broker import free_port
from groundcam_runtime import logs
from groundcam_runtime.kafka.connect import connect
from groundcam_runtime.kafka.errors import UnreachableError, chatter
from groundcam_runtime.settings import KafkaSettings


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root, stream = logging.getLogger(), io.StringIO()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    before = root.level
    logs.configure("human", "info", stream)
    yield stream
    root.setLevel(before)


def test_each_has_its_own_time_and_its_own_cause_and_silences_no_other(log: io.StringIO) -> None:
    """What a client says of itself while it connects would only repeat its error; others are heard."""
    ports = [free_port() for _ in range(3)]
    said: dict[int, str] = {}
    took: dict[int, float] = {}

    def try_to(port: int) -> None:
        began = time.monotonic()
        settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}", connect_timeout_s=1.5)
        with pytest.raises(UnreachableError) as error:
            connect(settings, kafka.KafkaProducer)
        said[port], took[port] = str(error.value), time.monotonic() - began

    threads = [threading.Thread(target=try_to, args=(port,)) for port in ports]
    for thread in threads:
        thread.start()
    chatter.warning("offsets were not committed (%s)", "NotCoordinatorError")
    for thread in threads:
        thread.join(30)
    assert sorted(said) == sorted(ports)
    for port, text in said.items():
        assert text.startswith(f"Kafka at 127.0.0.1:{port} does not answer (KafkaConnectionError")
        assert "ECONNREFUSED" in text
    assert max(took.values()) < 10
    # Threads that tests before this one have left, such as an exporter's, may speak of their own affairs.
    (line,) = [one for one in log.getvalue().splitlines() if "opentelemetry" not in one]
    assert line.endswith("trouble with the broker: offsets were not committed (NotCoordinatorError)")
    assert logging.getLogger("kafka").propagate


def test_a_client_whose_own_log_is_off_still_knows_why_it_cannot_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    client = logging.getLogger("kafka")
    monkeypatch.setattr(client, "disabled", True)
    before = client.level
    client.setLevel(logging.CRITICAL)
    try:
        settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", connect_timeout_s=0.5)
        with pytest.raises(UnreachableError, match="ECONNREFUSED"):
            connect(settings, kafka.KafkaProducer)
    finally:
        client.setLevel(before)
