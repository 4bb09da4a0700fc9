"""Metrics, probes and a status for people on one port. What is live and what is ready, its owner decides."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import yaml

from groundcam_runtime.metrics import Metrics
from groundcam_runtime.redaction import redact
from groundcam_runtime.settings import SettingError

Check = Callable[[], str | None]
"""Returns None when all is well, else the reason why not, in words."""


@dataclass(frozen=True, slots=True)
class Probes:
    """The state of a process. Called on the server's threads."""

    live: Check
    """/healthz: false when only a restart helps. A broker that is away is no such reason."""
    ready: Check
    """/readyz: whether it could do its work now."""
    started: Check
    """/startupz: whether it has got through its start."""
    report: Callable[[], Mapping[str, Any]]
    """/status: for people; nothing in it may be secret."""


class HealthServer:
    """A small HTTP server on a thread of its own; use it as a context manager."""

    def __init__(self, host: str, port: int | None, metrics: Metrics, probes: Probes) -> None:
        """Listen. `port` None serves nothing, 0 takes a free one. Raises SettingError."""
        self._server: ThreadingHTTPServer | None = None
        if port is not None:
            handler = _handler(metrics, probes)
            try:
                self._server = ThreadingHTTPServer((host, port), handler)
            except OSError as error:
                raise SettingError(f"http.port: {host}:{port} cannot be listened on: {error.strerror}") from None
            self._server.daemon_threads = True

    @property
    def port(self) -> int | None:
        """The port that is listened on."""
        return self._server.server_address[1] if self._server else None

    def __enter__(self) -> Self:
        if self._server:
            threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()


def _handler(metrics: Metrics, probes: Probes) -> type[BaseHTTPRequestHandler]:
    checks = {"/healthz": probes.live, "/readyz": probes.ready, "/startupz": probes.started}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                body, content_type = metrics.render(self.headers.get("Accept", ""))
                self._answer(200, body, content_type)
            elif path in checks:
                reason = checks[path]()
                self._answer(503 if reason else 200, f"{reason or 'ok'}\n".encode())
            elif path == "/status":
                page = yaml.safe_dump(dict(probes.report()), sort_keys=False, allow_unicode=True)
                self._answer(200, redact(page).encode())
            else:
                self._answer(404, b"see /status, /metrics, /healthz, /readyz and /startupz\n")

        def _answer(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """A line for each probe would bury the rest."""

    return Handler
