"""Serve the page: one file of HTML, pictures, and a stream of events that says what is new."""

import json
import threading
from collections.abc import Iterator
from importlib.resources import files
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from groundcam.page.view import View
from groundcam_runtime.http_server import HttpServer, Response

KEEP_ALIVE_S = 10.0
LEAST_PAUSE_S = 0.1
"""Nobody sees more than ten pictures a second."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
    " img-src 'self' data:"
)

HEADERS = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}


class PageServer:
    """An HTTP server on a thread of its own; use it as a context manager."""

    def __init__(self, host: str, port: int, view: View) -> None:
        """Listen; `port` 0 takes a free one. Raises SettingError."""
        self._view = view
        self._page = files("groundcam.page").joinpath("page.html").read_bytes()
        self._server = HttpServer(host, port, self._answer, "--html")
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.port}/"

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._view.close()
        self._server.__exit__(kind, error, trace)

    def _answer(self, path: str, _accept: str) -> Response:
        if path == "/":
            return Response(200, self._page, "text/html; charset=utf-8", HEADERS)
        if path == "/events":
            return Response(200, b"", "text/event-stream", HEADERS, self._events())
        if path.startswith("/camera/") and (picture := self._view.picture(unquote(path.removeprefix("/camera/")))):
            return Response(200, picture, "image/jpeg", HEADERS)
        return Response(404, b"there is nothing here\n")

    def _events(self) -> Iterator[bytes]:
        """Yield what is new, in the form of server-sent events."""
        version, pause = 0, threading.Event()
        while not self._view.is_closed:
            news = self._view.wait(version, KEEP_ALIVE_S)
            if news is None:
                yield b": still here\n\n"
            else:
                version, cards = news
                yield b"data: " + json.dumps(cards).encode() + b"\n\n"
            pause.wait(LEAST_PAUSE_S)
