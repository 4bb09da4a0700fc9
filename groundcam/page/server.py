"""Serve the page: one file of HTML, pictures, and a stream of events that says what is new."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from groundcam.page.view import View
from groundcam_runtime.settings import SettingError

KEEP_ALIVE_S = 10.0
CLIENT_TIMEOUT_S = 30.0
"""A browser that takes nothing for so long is let go."""
LEAST_PAUSE_S = 0.1
"""Nobody sees more than ten pictures a second."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
    " img-src 'self' data:"
)


class PageServer:
    """An HTTP server on a thread of its own; use it as a context manager."""

    def __init__(self, host: str, port: int, view: View) -> None:
        """Listen; `port` 0 takes a free one. Raises SettingError."""
        try:
            self._server = _QuietServer((host, port), _handler(view))
        except OSError as error:
            raise SettingError(f"--html: {host}:{port} cannot be listened on: {error.strerror}") from None
        self._view = view
        self.url = f"http://{host}:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="page", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._view.close()
        self._server.shutdown()
        self._server.server_close()


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that is closed, or falls asleep, is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _content(view: View, page: bytes, path: str) -> tuple[int, bytes, str]:
    """Return what lies at a path: status, body and content type."""
    if path == "/":
        return 200, page, "text/html; charset=utf-8"
    if path.startswith("/camera/") and (picture := view.picture(unquote(path.removeprefix("/camera/")))):
        return 200, picture, "image/jpeg"
    return 404, b"there is nothing here\n", "text/plain; charset=utf-8"


def _handler(view: View) -> type[BaseHTTPRequestHandler]:
    page = files("groundcam.page").joinpath("page.html").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_TIMEOUT_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/events":
                self._events()
            else:
                self._answer(*_content(view, page, path))

        def _events(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.close_connection = True
            version, pause = 0, threading.Event()
            while not view.is_closed:
                news = view.wait(version, KEEP_ALIVE_S)
                if news is None:
                    self.wfile.write(b": still here\n\n")
                else:
                    version, cards = news
                    self.wfile.write(b"data: " + json.dumps(cards).encode() + b"\n\n")
                self.wfile.flush()
                pause.wait(LEAST_PAUSE_S)

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """A line for each picture would bury the rest."""

    return Handler
