"""The only connection to a camera. FFmpeg speaks with this relay on the loopback device, the relay with the camera.

FFmpeg follows a camera's redirect to any host and logs in there; it verifies no certificate, takes a session
description of any length, and notices silence late. Here none of that is left to it: it knows neither the camera's
address nor its password.
"""

import contextlib
import logging
import secrets
import socket
import threading
import time
from urllib.parse import SplitResult, unquote, urlsplit

from groundcam_producers.errors import SourceError, SourceRefusedError
from groundcam_producers.rtsp.exchange import Exchange
from groundcam_producers.rtsp.login import Login, unknown_kinds
from groundcam_producers.rtsp.messages import Message, ProtocolError
from groundcam_producers.rtsp.tls import Trust, secured
from groundcam_runtime.redaction import public_url

log = logging.getLogger(__name__)

PORTS = {"rtsp": 554, "rtsps": 322}
"""Usual ports, as FFmpeg has them."""
MOST_REDIRECTS = 3
"""Within the camera itself, such as to another path."""
UNAUTHORIZED = 401
UNSUPPORTED_TRANSPORT = 461
NO_TRANSPORT = "UnsupportedTransport"
"""The kind of the error where a camera does not send in the way that it is asked to."""


class RtspRelay:
    """One opening of a camera. `open` and what FFmpeg reads may raise; `failure` then says why, if the relay knows."""

    def __init__(self, url: str, trust: Trust, timeout_s: float, transport: str = "tcp") -> None:
        """`url` is rtsp:// or rtsps:// with user and password; `timeout_s` bounds connecting, and each silence.

        With `transport` udp the pictures themselves do not come through here, and their silence is not heard.
        """
        self.transport = transport
        self._camera = urlsplit(url)
        self._host = self._camera.hostname or ""
        self._port = self._camera.port or PORTS[self._camera.scheme]
        self._trust = trust
        self.timeout_s = timeout_s
        self._token = secrets.token_urlsafe(16)
        self._login = _login(self._camera)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._upstream: socket.socket | None = None
        self._closed = threading.Event()
        self.failure: SourceError | None = None
        """Why the camera gives nothing any more."""
        self.heard_at = time.monotonic()
        self.silent_s: float | None = None
        """How long the camera had sent nothing when the stream ended; None while it has not ended."""

    def open(self) -> str:
        """Connect to the camera and return the URL for FFmpeg. Raises SourceError."""
        self._connect()
        threading.Thread(target=self._serve, name="rtsp relay", daemon=True).start()
        return self._local + self._path()

    def close(self) -> None:
        """End both connections, from any thread; FFmpeg sees the end of the stream."""
        self._closed.set()
        for one in (self._upstream, self._listener):
            if one is not None:
                _shut(one)

    @property
    def _local(self) -> str:
        return f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/{self._token}"

    @property
    def _origin(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._camera.scheme}://{host}:{self._port}"

    def _path(self) -> str:
        return (self._camera.path or "/") + (f"?{self._camera.query}" if self._camera.query else "")

    def _connect(self) -> None:
        try:
            upstream: socket.socket = socket.create_connection((self._host, self._port), self.timeout_s)
            if self._camera.scheme == "rtsps":
                upstream = secured(upstream, self._host, self._trust)
        except TimeoutError:
            raise SourceError(f"it cannot be reached in {self.timeout_s:g} s", "TimeoutError") from None
        except OSError as error:
            raise SourceError(error.strerror or str(error), type(error).__name__) from None
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upstream = upstream
        if self._closed.is_set():
            self.close()

    def _serve(self) -> None:
        """Serve FFmpeg's connection, and the next one after a redirect within the camera."""
        try:
            self._listener.settimeout(self.timeout_s)
            for _ in range(1 + MOST_REDIRECTS):
                client, _ = self._listener.accept()
                if self._upstream is None:
                    self._connect()
                if not self._exchange(client):
                    break
        except SourceError as error:
            self._fail(error)
        except OSError:
            pass  # nobody came
        finally:
            self.close()
            self._listener.close()
            if self._upstream is not None:
                self._upstream.close()

    def _exchange(self, client: socket.socket) -> bool:
        """Relay until one side ends; return whether FFmpeg will come back for a redirect."""
        upstream = self._upstream
        assert upstream is not None  # noqa: S101 - for the type checker
        try:
            return Exchange(self, client, upstream).run(self._closed)
        except SourceError as error:
            self._fail(error)
        except ProtocolError as error:
            self._fail(SourceError(f"it sends {error}", "ProtocolError"))
        except TimeoutError:
            self._fail(SourceError(f"it has sent nothing for {self.timeout_s:g} s", "TimeoutError"))
        except OSError:
            pass  # closed, by the camera, by us or by FFmpeg
        except Exception as error:
            log.exception("a camera's answers cannot be relayed")
            self._fail(SourceError("its answers cannot be relayed", type(error).__name__))
        finally:
            # All that is to be known stands before FFmpeg sees the end.
            self.silent_s = time.monotonic() - self.heard_at
            self._upstream = None
            _shut(client)
            client.close()
            _shut(upstream)
            upstream.close()
        return False

    def _fail(self, error: SourceError) -> None:
        if not self._closed.is_set():
            self.failure = error

    def outgoing(self, request: Message, *, is_first: bool) -> Message:
        """Return FFmpeg's request as the camera is to see it. Raises OSError for a client that is not FFmpeg."""
        if request.uri.startswith(self._local):
            return request.with_uri(self._origin + request.uri[len(self._local) :])
        if is_first:
            raise ConnectionAbortedError
        return request

    def authorized(self, request: Message) -> Message:
        """Return a request with what the camera asked for."""
        answer = self._login.authorization(request.method, request.uri) if self._login else None
        return request.with_header("Authorization", answer) if answer else request

    def may_try_again(self, response: Message) -> bool:
        """Whether the request of this response is worth being sent again with a login."""
        if self._login is None:
            return False
        if response.status == UNAUTHORIZED:
            return self._login.challenged(response.all("www-authenticate"))
        self._login.accepted()
        return False

    def understood(self, request: Message | None, response: Message) -> None:
        """Raise SourceError for a refusal of which more can be said than FFmpeg does."""
        if response.status == UNSUPPORTED_TRANSPORT and request is not None and request.method == "SETUP":
            other = "udp" if self.transport == "tcp" else "tcp"
            raise SourceError(
                f"it does not send over {self.transport.upper()}: set transport: {other} for this camera", NO_TRANSPORT
            )
        if response.status == UNAUTHORIZED and self._login is not None:
            kinds = unknown_kinds(response.all("www-authenticate"))
            if kinds:
                raise SourceRefusedError(f"it asks for a login that is not known here ({kinds})", "Unauthorized")

    def redirected(self, response: Message) -> Message:
        """Return a redirect within the camera as FFmpeg can follow it. Raises SourceRefusedError for any other."""
        location = response.header("location") or ""
        try:
            there = urlsplit(location)
            host, port = there.hostname or self._host, there.port
        except ValueError:
            there, host, port = SplitResult("invalid", "", "", "", ""), "", None
        scheme = there.scheme.lower() or self._camera.scheme
        port = port or (PORTS.get(scheme) if there.hostname else self._port)
        if (scheme, host.lower(), port) != (self._camera.scheme, self._host.lower(), self._port):
            shown = ascii(public_url(location))[1:-1][:200]
            raise SourceRefusedError(f"it redirects to {shown}, which is not followed", "Redirect")
        query = f"?{there.query}" if there.query else ""
        return response.with_header("Location", self._local + (there.path or "/") + query)


def _login(camera: SplitResult) -> Login | None:
    if camera.username is None:
        return None
    return Login(unquote(camera.username), unquote(camera.password or ""), lambda: secrets.token_hex(8))


def _shut(one: socket.socket) -> None:
    """Wake whoever waits for it."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
