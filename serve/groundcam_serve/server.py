"""The HTTP server: granian, whose core (hyper) bounds the time and the bytes of a header.

The only file that imports it. It runs in our own event loop and installs no signal handler.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from starlette.types import ASGIApp

from groundcam_runtime.settings import SettingError
from groundcam_serve.settings import ServeSettings

HEADER_MS = 5_000
"""For a request's header, however slowly it drips."""
MAX_HEADER_BYTES = 64 * 1024
MOST_CONNECTIONS = 1024
END_S = 5.0


async def serve(app: ASGIApp, settings: ServeSettings, stop: asyncio.Event) -> None:
    """Serve until `stop`, then let what runs finish for a while; `require_free` has said that it can."""
    server: Any = Server(
        app, address=_address(settings.host), port=settings.port, interface=Interfaces.ASGINL, http=HTTPModes.http1,
        websockets=True, backpressure=MOST_CONNECTIONS, log_enabled=False,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS, max_buffer_size=MAX_HEADER_BYTES),
        ssl_cert=settings.tls_cert_file, ssl_key=settings.tls_key_file,
    )  # fmt: skip
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
    finally:
        server.stop()
        stopping.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(serving), END_S)


def _address(host: str) -> str:
    if host == "::" and not socket.has_dualstack_ipv6():
        return "0.0.0.0"  # noqa: S104 - all that there is of what was asked for
    return "127.0.0.1" if host == "localhost" else host


def require_free(settings: ServeSettings) -> None:
    """Raise SettingError where the port is taken: the server itself would say so on another thread."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            _address(settings.host), settings.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise SettingError(f"serve.port: {where} cannot be listened on: {error.strerror or error}") from None
