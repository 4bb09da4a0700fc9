"""A real Prometheus with data of its own, for as long as a test needs it."""

import json
import shutil
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from groundcam.devkafka.broker import free_port

MISSING = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
REASON = f"not on this machine: {', '.join(MISSING)} (Debian and Ubuntu: the package prometheus)"

CONFIGURATION = """
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: groundcam
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
"""

Series = dict[str, Any]


class Prometheus:
    """Scrapes and evaluates every second. Use it as a context manager."""

    def __init__(self, folder: Path, rules: str) -> None:
        self._folder = folder
        self._targets: dict[str, str] = {}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{free_port()}"
        (folder / "rules.yaml").write_text(rules)
        (folder / "prometheus.yaml").write_text(CONFIGURATION)
        (folder / "targets.json").write_text("[]")

    def __enter__(self) -> Self:
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={self._folder / 'prometheus.yaml'}",
                 f"--storage.tsdb.path={self._folder / 'data'}", "--log.level=warn",
                 f"--web.listen-address={self.url.removeprefix('http://')}"],
                stdout=log, stderr=log,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def is_ready(self) -> bool:
        log = self._folder / "prometheus.log"
        assert self._process is not None
        assert self._process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError):
            return False

    def scrape(self, address: str, namespace: str) -> None:
        """Scrape this from now on, with the label that the operator would give it."""
        with self._lock:
            self._targets[address] = namespace
            entries = [{"targets": [one], "labels": {"namespace": name}} for one, name in self._targets.items()]
            part = self._folder / "targets.json.part"
            part.write_text(json.dumps(entries))
            part.rename(self._folder / "targets.json")  # it is read while it is written

    def alerts(self) -> list[Series]:
        """Every alert that is pending or firing."""
        found: list[Series] = self._get("alerts")["alerts"]
        return found

    def query(self, expression: str) -> list[Series]:
        found: list[Series] = self._get("query", {"query": expression})["result"]
        return found

    def query_range(self, expression: str, start: float, end: float) -> list[Series]:
        """Raises ValueError for a query that Prometheus refuses."""
        parameters = {"query": expression, "start": f"{start:.0f}", "end": f"{end:.0f}", "step": "1s"}
        found: list[Series] = self._get("query_range", parameters)["result"]
        return found

    def _get(self, path: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters or {})}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                data: dict[str, Any] = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{parameters}: {error.read().decode()}") from None
        return data
