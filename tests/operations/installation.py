"""Producers and workers with topics and a namespace of their own, on one Kafka, before one Prometheus."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import Program, environment, make_topics
from groundcam.devkafka.broker import free_port
from groundcam_runtime.settings import KafkaSettings
from prometheus_server import Prometheus

TESTS = Path(__file__).parents[1]
PATIENCE_S = 150.0
"""Long: cores are shared with other tests, and most of what is waited for takes seconds."""


def until(condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Wait until something is true. Raises AssertionError; threads may call it, which pytest.fail is not made for."""
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        pause.wait(0.2)


class Installation:
    """One namespace. Belongs to one thread."""

    def __init__(self, namespace: str, bootstrap_servers: str, prometheus: Prometheus, folder: Path) -> None:
        self.namespace = namespace
        self.prometheus = prometheus
        self.kafka = make_topics(KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{namespace}."))
        self._folder = folder
        self.programs: list[Program] = []

    def start(
        self, *arguments: object, port: int | None = None, module: str = "groundcam", **variables: str
    ) -> Program:
        """Start `groundcam ARGUMENTS...`, and scrape it at this port."""
        if port is not None:
            arguments = (*arguments, "--http-port", port)
            self.prometheus.scrape(f"127.0.0.1:{port}", self.namespace)
        words = tuple(map(str, arguments))
        name = f"{self.namespace}-{len(self.programs)}-{words[0]}"
        output, errors = self._folder / f"{name}.out", self._folder / f"{name}.log"
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words], stdout=out, stderr=err,
                env=environment(self.kafka) | {"PYTHONPATH": str(TESTS)} | variables,
            )  # fmt: skip
        self.programs.append(Program(process, output, errors, words))
        return self.programs[-1]

    def work(self, model: str, *arguments: object, port: int, **variables: str) -> Program:
        # A group of its own: that of all others would share out the partitions of all topics.
        return self.start("work", "--model", model, "--group", self.namespace, *arguments, port=port, **variables)

    def produce(self, *arguments: object, **variables: str) -> Program:
        return self.start("produce", *arguments, port=free_port(), **variables)

    def value(self, expression: str) -> float | None:
        """What Prometheus says of this namespace: NAMESPACE in the expression is its matcher."""
        found = self.prometheus.query(expression.replace("NAMESPACE", f'namespace="{self.namespace}"'))
        return float(found[0]["value"][1]) if found else None

    def until_answering(self) -> None:
        """Wait until the workers answer what comes."""
        until(
            lambda: self.value("sum(rate(groundcam_frames_answered_total{NAMESPACE}[5s]))"), f"{self.namespace} answers"
        )

    def end(self) -> None:
        """End everything at once; a worker that hangs is not asked twice."""
        for program in self.programs:
            if program.process.poll() is None:
                program.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        for program in self.programs:
            try:
                program.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.process.kill()
                program.process.wait()

    def tracebacks(self) -> list[str]:
        return [f"{one.arguments}:\n{one.log[-2000:]}" for one in self.programs if "Traceback" in one.log]
