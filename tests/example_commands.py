"""Run what the examples' README says, as it says it, in a copy of the folder."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conftest import environment
from groundcam_runtime.settings import KafkaSettings
from npm import has, kept_folder

EXAMPLES = Path(__file__).parents[1] / "examples"
COMMANDS = re.findall(r"\| `([^`]+)` \|$", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
LINES = re.findall(r"(?:^    .*\n)+", (EXAMPLES / "kcat.md").read_text(), re.MULTILINE)
KAFKA = "4.3.1"
"""The newest whose file sink is on Maven Central."""
PARTS = ("kafka-clients", "kafka-streams", "connect-runtime", "connect-file")


def command(words: str) -> str:
    """The one command of the README that contains these words."""
    (one,) = [each for each in COMMANDS if words in each]
    return str(one)


@dataclass
class Shell:
    """A copy of the examples, which may write into it; what they need is installed at its first use."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, line: str, kafka: KafkaSettings, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a line of the shell to its end, which comes soon."""
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], cwd=self.folder, env=self._environment(kafka, variables),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def read(self, line: str, kafka: KafkaSettings, **variables: str) -> list[str]:
        """Run a line of the shell that has to succeed, and return the lines that it prints."""
        done = self.run(line, kafka, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    @contextmanager
    def beside(self, line: str, kafka: KafkaSettings) -> Iterator[Path]:
        """Run a line of the shell beside the test; yields the file that it prints to, and ends it as Ctrl-C does."""
        printed, errors = self.folder / "printed.txt", self.folder / "errors.txt"
        with printed.open("wb") as out, errors.open("wb") as err:
            # Whoever runs the tests behind its back has Ctrl-C ignored, and programs begin with what they inherit.
            process = subprocess.Popen(
                ["env", "--default-signal=INT", "bash", "-c", line], cwd=self.folder, env=self._environment(kafka, {}), stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield printed
        except BaseException:
            print(f"{line} said:\n{errors.read_text()[-3000:]}")
            raise
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                pytest.fail(f"{line} did not end:\n{errors.read_text()[-3000:]}")

    def _environment(self, kafka: KafkaSettings, variables: dict[str, str]) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return environment(kafka) | {"PATH": path} | self.variables | variables


def fetch_kafka_libs() -> str:
    """Fetch the jars of Apache Kafka's client, Streams and Connect once; what `java -cp` takes.

    jgo builds what has nothing but modules anew each time, beneath the programs that read it: it is asked once.
    """
    import jgo

    wanted = [f"org.apache.kafka:{part}:{KAFKA}" for part in PARTS]
    with kept_folder(f"examples-kafka-{KAFKA}") as folder:
        if not (folder / "complete").exists():
            try:
                jgo.build("+".join([*wanted, "org.slf4j:slf4j-simple:1.7.36"]), cache_dir=folder)
            except Exception as failed:  # noqa: BLE001 - whatever is in the way, there are none
                pytest.skip(f"the jars of Apache Kafka {KAFKA} could not be fetched: {failed}")
            (folder / "complete").touch()
        return os.pathsep.join(map(str, sorted(folder.glob("envs/**/*.jar"))))


def has_java_compiler() -> None:
    """Skip, and say so, where `java` runs no source files."""
    has("java")
    listed = subprocess.run(["java", "--list-modules"], capture_output=True, text=True, check=True)
    if "jdk.compiler@" not in listed.stdout:
        pytest.skip("java is a runtime without a compiler: it runs no source files")
