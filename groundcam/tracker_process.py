"""A tracker beside a worker: `groundcam track` as a process that ends with ours, and comes back if it dies."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

from pydantic import SecretStr

from groundcam_runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

PAUSE_S = 5.0
END_S = 20.0


class TrackerProcess:
    """Starts it, and watches it on a thread."""

    def __init__(self, kafka: KafkaSettings, config: Path | None) -> None:
        """It has the same settings, but no port of its own."""
        words = ["--config", str(config.resolve())] if config else []
        # The guard ends the program when we are gone, however that happens.
        self._command = [
            sys.executable, "-m", "groundcam.devkafka.guard", "", sys.executable, "-m", "groundcam", "track", *words,
        ]  # fmt: skip
        self._variables = kafka_variables(kafka) | {"GROUNDCAM_HTTP__PORT": "0"}
        self._stopping = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch, name="tracker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to keep its states and end, and wait for that."""
        self._stopping.set()
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._command, stdin=subprocess.PIPE, start_new_session=True, env={**os.environ, **self._variables}
        )

    def _watch(self) -> None:
        while True:
            code = self._process.wait()
            if self._stopping.is_set():
                return
            log.error("the tracker ended with exit code %d; another one starts in %g s", code, PAUSE_S)
            if self._stopping.wait(PAUSE_S):
                return
            self._process = self._start()


def kafka_variables(kafka: KafkaSettings) -> dict[str, str]:
    """Return the settings of Kafka as another process of ours reads them."""
    return {
        f"GROUNDCAM_KAFKA__{name.upper()}": one.get_secret_value() if isinstance(one, SecretStr) else str(one)
        for name, one in kafka.model_dump(exclude_unset=True).items()
        if one is not None
    }
