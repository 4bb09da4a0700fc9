"""A real Apache Kafka for the tests that need one, processes that are ended whatever happens, and one seed for all."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import table
from groundcam.devkafka.broker import EmbeddedBroker
from groundcam_runtime.settings import KafkaSettings

pytest_terminal_summary = table.show
FULL = "GROUNDCAM_TEST_FAULTS"
SERVERS = "GROUNDCAM_TEST_BOOTSTRAP_SERVERS"
# Whoever runs files of tests in processes of their own hands it on to them.
SEED = os.environ.setdefault("GROUNDCAM_TEST_SEED", str(random.randrange(10**6)))
# Nor for the processes of a run that has another beginning than `make`: to compile what they import takes each of them
# as long as the import, and those with torch some ten seconds more.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads of torch's that find no core wait by counting: beside each other the detector's tests took twice as long.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
Wait = Callable[..., None]

# On a machine that others use, too, a test that takes long has found nothing. New examples each time, also where a
# variable named CI would have Hypothesis try the same ones for ever.
hypothesis.settings.register_profile("groundcam", deadline=None, print_blob=True, derandomize=False)
hypothesis.settings.load_profile("groundcam")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let one seed decide what Hypothesis tries, unless it is given one itself."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = SEED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, but for `make test-faults`, and say so."""
    if not os.environ.get(FULL):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason=f"takes minutes: {FULL} is not set (make test-faults)"))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say how to have the same examples and the same faults again, also in a quiet run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"GROUNDCAM_TEST_SEED={SEED}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a Kafka that lives as long as the test run."""
    if given := os.environ.get(SERVERS):
        yield given
        return
    # Topics that are removed leave the disk and the heap at once, and not after a minute.
    quick = {"log.initial.task.delay.ms": "500", "log.segment.delete.delay.ms": "1000"}
    with EmbeddedBroker(say=print, properties=quick) as broker:
        yield broker.bootstrap_servers


def make_topics(settings: KafkaSettings, partitions: int = 4) -> KafkaSettings:
    from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted

    admin = TopicAdmin(settings)
    admin.ensure(wanted(settings.topics, partitions, 4 * MIB), None)
    admin.close()
    return settings


def remove_topics(settings: KafkaSettings) -> None:
    """Remove every topic with this prefix."""
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    mine = [name for name in admin.list_topics() if name.startswith(settings.topic_prefix)]
    admin.delete_topics(mine)
    admin.close()


@pytest.fixture(scope="session")
def ended() -> list[KafkaSettings]:
    """Topics of tests that have ended, with all their programs."""
    return []


@pytest.fixture
def kafka(cluster: str, ended: list[KafkaSettings]) -> Iterator[KafkaSettings]:
    """Topics of this test's own.

    Those of the tests before are removed: with some thousands of partitions a small broker collects garbage all the
    time, and does not answer for half a minute.
    """
    while ended:
        remove_topics(ended.pop())
    settings = make_topics(KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}."))
    yield settings
    ended.append(settings)


@dataclass
class Program:
    """A `groundcam` command that runs beside the test."""

    process: "subprocess.Popen[bytes]"
    output: Path
    errors: Path
    arguments: tuple[str, ...] = field(default=())

    @property
    def log(self) -> str:
        return self.errors.read_text()

    @property
    def out(self) -> str:
        return self.output.read_text()

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout_s)


Start = Callable[..., Program]


def environment(settings: KafkaSettings | None) -> dict[str, str]:
    """The variables that give a process these settings."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GROUNDCAM_")}
    if settings is None:
        return variables
    for name, value in settings.model_dump(exclude_unset=True).items():
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        variables[f"GROUNDCAM_KAFKA__{name.upper()}"] = text
    return variables


@contextmanager
def running(folder: Path) -> Iterator[Start]:
    """Start `groundcam ARGUMENTS...`; every one is ended in the end, and none may have left a traceback.

    `module` is run in its place, one of the tests' own that causes a fault. Logs lie in the folder.
    """
    programs: list[Program] = []

    def begin(
        settings: KafkaSettings | None, *arguments: object, module: str = "groundcam", **variables: str
    ) -> Program:
        words = tuple(map(str, arguments))
        name = f"{len(programs)}-{words[0]}"
        output, errors = folder / f"{name}.out", folder / f"{name}.log"
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words], stdout=out, stderr=err,
                env=environment(settings) | {"PYTHONPATH": str(Path(__file__).parent)} | variables,
            )  # fmt: skip
        programs.append(Program(process, output, errors, words))
        return programs[-1]

    try:
        yield begin
    finally:
        for program in programs:
            if program.process.poll() is None:
                program.process.terminate()
        for program in programs:
            try:
                program.process.wait(20)
            except subprocess.TimeoutExpired:
                program.process.kill()
                program.process.wait()
    for program in programs:
        assert "Traceback" not in program.log, f"{program.arguments}:\n{program.log[-3000:]}"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Programs that end with the test."""
    with running(tmp_path) as begin:
        yield begin


def until(condition: Callable[[], Any], timeout_s: float = 60.0, what: str = "") -> None:
    """Wait until something is true; say what was not."""
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s:.0f} s: {what or condition}")
        pause.wait(0.05)


@pytest.fixture
def wait() -> Wait:
    """Wait until something is true; say what was not."""
    return until
