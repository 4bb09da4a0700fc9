"""What every request passes: whose host it is for, which site's page it comes from, and the count of them."""

import ipaddress
import logging
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundcam_serve.door import Door
from groundcam_serve.problems import MEDIA_TYPE, Problem

log = logging.getLogger(__name__)

NO_ROUTE = "(none)"
POLICY_VIOLATION = 1008
"""A code of RFC 6455."""


class Entrance:
    """An ASGI application around the others."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door
        settings = door.settings
        self._names = {name.lower() for name in settings.names}
        self._any_name = not (settings.names or settings.is_loopback)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it; a WebSocket before it is accepted, which its client sees as 403."""
        if scope["type"] == "websocket" and (problem := self._refusal(scope)):
            self._door.metrics.refused(problem.kind)
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": problem.detail})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._door.visitors.is_encrypted(HTTPConnection(scope)):
            scope["scheme"] = "https"  # a redirect to http:// would send a key in the clear
        began_s, status = time.monotonic(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if problem := self._refusal(scope):
                self._door.metrics.refused(problem.kind)
                answer = JSONResponse(problem.document, problem.status, problem.headers, MEDIA_TYPE)
                await answer(scope, receive, counted)
            else:
                await self._app(scope, receive, counted)
        except Exception:
            log.exception("%s cannot be answered", ascii(scope["path"])[:200])
            if not status:
                failed = Problem(500, "failed", "it cannot be answered; the log says why")
                await JSONResponse(failed.document, 500, media_type=MEDIA_TYPE)(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            self._door.metrics.request(route, status or 499, time.monotonic() - began_s)

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) > 1 or not self._is_ours(hosts[0] if hosts else ""):
            return Problem(421, "wrong-host", "there is no such host here (serve.names)")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "")
        is_foreign = origin is not None and _host_of(origin) != (hosts[0].lower() if hosts else "")
        navigates = scope.get("method") == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if is_foreign or (site in {"cross-site", "same-site"} and not navigates):
            return Problem(403, "cross-site", "a page of another site may not ask this service")
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header may be answered: a name that was pointed here (DNS rebinding) may not."""
        host = host.strip().lower()
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return self._any_name or not name or name == "localhost" or name in self._names or _is_address(name)


def _host_of(origin: str) -> str | None:
    """Return the host and port of an Origin header, None where it is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
