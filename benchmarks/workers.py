"""A real worker process with a detector that only waits, or another program that does the same job."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from groundcam.devkafka.broker import BrokerError, EmbeddedBroker
from groundcam_runtime.settings import KafkaSettings

HERE = Path(__file__).parent


def options(wait_ms: float, batch: int) -> list[str]:
    """Return the arguments of a worker that looks at every frame with a detector that waits so long for each."""
    return [
        "work", "--model", f"fake:{wait_ms:g}ms", "--question", "person", "--batch-size", str(batch),
        "--max-age-s", "0", "--log-level", "error",
    ]  # fmt: skip


def group_of(settings: KafkaSettings) -> str:
    """Return the consumer group of one run."""
    return f"{settings.topic_prefix}worker"


@contextmanager
def running(
    settings: KafkaSettings, command: Sequence[str], variables: Mapping[str, str] | None = None
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a program that finds Kafka by the same variables as a worker does."""
    environment = {
        **os.environ,
        "GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "GROUNDCAM_KAFKA__TOPIC_PREFIX": settings.topic_prefix,
        "GROUNDCAM_WORK__GROUP": group_of(settings),
        **(variables or {}),
    }
    process = subprocess.Popen(list(command), env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def worker_command(wait_ms: float, batch: int) -> list[str]:
    """Return the command of a worker."""
    return [sys.executable, "-m", "groundcam", *options(wait_ms, batch)]


def require_running(process: "subprocess.Popen[bytes]") -> None:
    """End with a sentence if it has ended."""
    if process.poll() is not None:
        sys.exit(f"{process.args!r} ended with code {process.returncode}")


@contextmanager
def own_broker() -> Iterator[EmbeddedBroker]:
    """Start an Apache Kafka; exit with the reason where there can be none."""
    try:
        broker = EmbeddedBroker(say=print).__enter__()
    except BrokerError as error:
        sys.exit(str(error))
    try:
        yield broker
    finally:
        broker.__exit__(None, None, None)
