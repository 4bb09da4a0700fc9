"""Metrics, probes and a status for people on one port. What is live and what is ready, its owner decides."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import yaml

from groundcam_runtime.http_server import HttpServer, Response
from groundcam_runtime.metrics import Metrics
from groundcam_runtime.redaction import redact

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
    ready_text: Callable[[], str] = lambda: "ok"
    """What /readyz says where nothing keeps it from its work."""


class HealthServer:
    """Metrics, probes and the status over HTTP; use it as a context manager."""

    def __init__(
        self, host: str, port: int | None, metrics: Metrics, probes: Probes, names: Collection[str] = ()
    ) -> None:
        """Listen. `port` None serves nothing, 0 takes a free one; for `names` see HttpServer. Raises SettingError."""
        self._metrics, self._probes = metrics, probes
        self._checks = {"/healthz": probes.live, "/readyz": probes.ready, "/startupz": probes.started}
        self._server = HttpServer(host, port, self._answer, "http.port", names) if port is not None else None

    @property
    def port(self) -> int | None:
        """The port that is listened on."""
        return self._server.port if self._server else None

    def __enter__(self) -> Self:
        if self._server:
            self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.__exit__(kind, error, trace)

    def _answer(self, path: str, accept: str) -> Response:
        if path == "/metrics":
            body, content_type = self._metrics.render(accept)
            return Response(200, body, content_type)
        if path in self._checks:
            reason = self._checks[path]()
            well = self._probes.ready_text() if path == "/readyz" and not reason else "ok"
            return Response(503 if reason else 200, f"{reason or well}\n".encode())
        if path == "/status":
            page = yaml.safe_dump(dict(self._probes.report()), sort_keys=False, allow_unicode=True)
            return Response(200, redact(page).encode())
        return Response(404, b"see /status, /metrics, /healthz, /readyz and /startupz\n")
