"""The demo's programs, each a process of its own that ends with the demo, however the demo ends."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from groundcam.devkafka.broker import free_port
from groundcam.errors import PartError
from groundcam_runtime.settings import KafkaSettings

STOP_S = 30.0
START_S = 120.0
LOOK_S = 0.1
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback is never behind a proxy, whatever the environment says."""


class Part:
    """One program, with its log in a file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, **variables: str) -> None:
        self.name, self.log = name, log
        # The guard ends the program when we are gone; a Ctrl-C in the terminal reaches us alone.
        guarded = [sys.executable, "-m", "groundcam.devkafka.guard", "", *command]
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                guarded, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True,
                env={**_clean_environment(), **variables},
            )  # fmt: skip

    def require_alive(self) -> None:
        """Raise PartError when the program has ended."""
        code = self._process.poll()
        if code is not None:
            # The guard passes its program's code on, in which signal 9 is -9, and 247 when it arrives here.
            number = -code if code < 0 else 256 - code
            how = f"was ended by signal {number}" if 0 < number < 64 else f"ended with exit code {code}"
            raise PartError(f"the {self.name} {how}; its log is {self.log}{self._last_line()}")

    def wait(self) -> int:
        """Return its exit code once it has ended by itself."""
        return self._process.wait()

    def ask_to_stop(self) -> None:
        """Ask the program to finish; do not wait for it."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def stop(self) -> int:
        """Ask the program to finish and return its exit code."""
        self.ask_to_stop()
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f", which ends with: {lines[-1]}" if lines else ""


def stop_all(parts: Sequence[Part]) -> None:
    """End all of them at once."""
    for part in parts:
        part.ask_to_stop()
    for part in parts:
        part.stop()


def groundcam(name: str, kafka: KafkaSettings, log: Path, *arguments: str) -> Part:
    """Start a `groundcam` command."""
    command = [sys.executable, "-m", "groundcam", *arguments]
    return Part(name, command, log, GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS=kafka.bootstrap_servers)


def worker(kafka: KafkaSettings, questions: dict[str, str], model: str, log: Path) -> tuple[Part, str]:
    """Start a worker; return it and the address that says when it is ready."""
    port = free_port()
    asked = [word for camera, text in questions.items() for word in ("--question", f"{camera}={text}")]
    part = groundcam(
        "worker", kafka, log, "work", "--model", model, *asked, "--http-port", str(port), "--group", "groundcam-demo"
    )
    return part, f"http://127.0.0.1:{port}/readyz"


def tracker(kafka: KafkaSettings, log: Path) -> Part:
    """Start a tracker, which takes what is silent for some seconds for gone: the films end with the demo."""
    command = [sys.executable, "-m", "groundcam", "track", "--checkpoint-s", "1", "--group", "groundcam-demo-tracker"]
    variables = {"GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "GROUNDCAM_TRACK__SILENT_S": "3"}
    return Part("tracker", command, log, **variables)


def console(kafka: KafkaSettings, log: Path) -> tuple[Part, str, str]:
    """Start the console; return it, its address, and the one that says when it is there."""
    port = free_port()
    part = groundcam("console", kafka, log, "console", "--port", str(port))
    address = f"http://127.0.0.1:{port}"
    return part, f"{address}/console/", f"{address}/healthz"


def rtsp_server(folder: Path, log: Path) -> tuple[Part, str]:
    """Start an RTSP server that plays a folder's films again and again; return it and its address."""
    port, control = free_port(), free_port()
    program = str(Path(sys.executable).parent / "rtsp-server")
    command = [program, "-d", str(folder), "-H", "127.0.0.1", "-p", str(port), "-cp", str(control)]
    return Part("RTSP server", command, log), f"rtsp://127.0.0.1:{port}"


def wait_until(is_so: Callable[[], bool], require: Callable[[], None], what: str) -> None:
    """Return when something is so. Raises what `require` raises, and PartError when time runs out."""
    deadline = time.monotonic() + START_S
    while not is_so():
        require()
        if time.monotonic() > deadline:
            raise PartError(f"{what} took more than {START_S:.0f} s")
        time.sleep(LOOK_S)


def is_ready(url: str) -> bool:
    """Whether a readiness address answers yes."""
    try:
        with DIRECTLY.open(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _clean_environment() -> dict[str, str]:
    """Settings of the user's own installation are none of the demo's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GROUNDCAM_")}
