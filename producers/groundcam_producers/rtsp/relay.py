"""The only connection to a camera. FFmpeg speaks with this relay on the loopback device, the relay with the camera.

FFmpeg follows a camera's redirect to any host and logs in there; it verifies no certificate, takes a session
description of any length, and notices silence late. Here none of that is left to it: it knows neither the camera's
address nor its password.
"""

import contextlib
import logging
import secrets
import select
import socket
import ssl
import threading
import time
from urllib.parse import SplitResult, unquote, urlsplit

from groundcam_producers.errors import SourceError, SourceRefusedError
from groundcam_producers.rtsp.login import Login
from groundcam_producers.rtsp.messages import Media, Message, ProtocolError, Splitter
from groundcam_producers.rtsp.tls import Trust, secured
from groundcam_runtime.redaction import public_url

log = logging.getLogger(__name__)

PORTS = {"rtsp": 554, "rtsps": 322}
"""Usual ports, as FFmpeg has them."""
CHUNK = 64 * 1024
MOST_REDIRECTS = 3
"""Within the camera itself, such as to another path."""
MOST_UNANSWERED = 64
UNAUTHORIZED = 401


class RtspRelay:
    """One opening of a camera. `open` and what FFmpeg reads may raise; `failure` then says why, if the relay knows."""

    def __init__(self, url: str, trust: Trust, timeout_s: float) -> None:
        """`url` is rtsp:// or rtsps:// with user and password; `timeout_s` bounds connecting, and each silence."""
        self._camera = urlsplit(url)
        self._host = self._camera.hostname or ""
        self._port = self._camera.port or PORTS[self._camera.scheme]
        self._trust = trust
        self._timeout_s = timeout_s
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
            upstream: socket.socket = socket.create_connection((self._host, self._port), self._timeout_s)
            if self._camera.scheme == "rtsps":
                upstream = secured(upstream, self._host, self._trust)
        except TimeoutError:
            raise SourceError(f"it cannot be reached in {self._timeout_s:g} s", "TimeoutError") from None
        except OSError as error:
            raise SourceError(error.strerror or str(error), type(error).__name__) from None
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upstream = upstream
        if self._closed.is_set():
            self.close()

    def _serve(self) -> None:
        """Serve FFmpeg's connection, and the next one after a redirect within the camera."""
        try:
            self._listener.settimeout(self._timeout_s)
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
            return _Talk(self, client, upstream).run(self._closed)
        except SourceError as error:
            self._fail(error)
        except ProtocolError as error:
            self._fail(SourceError(f"it sends {error}", "ProtocolError"))
        except TimeoutError:
            self._fail(SourceError(f"it has sent nothing for {self._timeout_s:g} s", "TimeoutError"))
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


class _Talk:
    """One connection of FFmpeg's and one to the camera. Belongs to one thread."""

    def __init__(self, relay: RtspRelay, client: socket.socket, upstream: socket.socket) -> None:
        self._relay, self._client, self._upstream = relay, client, upstream
        self._requests, self._answers = Splitter(), Splitter()
        self._unanswered: dict[str, tuple[Message, float]] = {}
        self._is_first = True
        self._plays = False
        self._leaves = False

    def run(self, closed: threading.Event) -> bool:
        timeout_s = self._relay._timeout_s  # noqa: SLF001 - one thing in two classes
        relay = self._relay
        relay.heard_at = time.monotonic()
        while not closed.is_set() and not self._leaves:
            pending = isinstance(self._upstream, ssl.SSLSocket) and self._upstream.pending()
            wait_s = 0.0 if pending else max(0.0, relay.heard_at + timeout_s - time.monotonic())
            ready = select.select([self._client, self._upstream], [], [], wait_s)[0]
            if self._client in ready:
                data = self._client.recv(CHUNK)
                if not data:
                    return False
                for one in self._requests.split(data):
                    self._to_camera(one)
            if self._upstream in ready or pending:
                heard = self._read()
                if heard == b"":
                    return False
                for one in self._answers.split(heard or b""):
                    self._to_ffmpeg(one)
                # Not before: FFmpeg may be slow to take it, and that is no silence of the camera's.
                relay.heard_at = time.monotonic()
            now = time.monotonic()
            # While pictures come, a camera may leave a question after its health unanswered.
            if now - relay.heard_at >= timeout_s or (not self._plays and now - self._oldest(now) >= timeout_s):
                raise TimeoutError
        return self._leaves

    def _read(self) -> bytes | None:
        """Return what has come, b"" at the end, None where TLS has talked of itself alone, such as of a new session."""
        if not isinstance(self._upstream, ssl.SSLSocket):
            return self._upstream.recv(CHUNK)
        waits_s = self._upstream.gettimeout()
        self._upstream.settimeout(0)
        try:
            return self._upstream.recv(CHUNK)
        except ssl.SSLWantReadError:
            return None
        finally:
            self._upstream.settimeout(waits_s)

    def _oldest(self, now: float) -> float:
        return min((since for _, since in self._unanswered.values()), default=now)

    def _answered(self, number: str) -> Message | None:
        """Return the request that is answered; where a camera does not say which, the oldest."""
        if number not in self._unanswered and not number:
            number = next(iter(self._unanswered), "")
        return self._unanswered.pop(number, (None, 0.0))[0]

    def _to_camera(self, one: Media | Message) -> None:
        if isinstance(one, Media):
            self._upstream.sendall(one.raw)
            return
        if not one.is_response:
            one = self._relay.outgoing(one, is_first=self._is_first)
            self._is_first = False
            if len(self._unanswered) >= MOST_UNANSWERED:
                del self._unanswered[next(iter(self._unanswered))]
            self._unanswered[one.header("cseq") or ""] = one, time.monotonic()
            one = self._relay.authorized(one)
        self._upstream.sendall(one.encode())

    def _to_ffmpeg(self, one: Media | Message) -> None:
        """Raises SourceRefusedError for a redirect to elsewhere."""
        if isinstance(one, Media):
            self._client.sendall(one.raw)
            return
        if one.is_response:
            request = self._answered(one.header("cseq") or "")
            if request is not None and self._relay.may_try_again(one):
                self._unanswered[request.header("cseq") or ""] = request, time.monotonic()
                self._upstream.sendall(self._relay.authorized(request).encode())
                return
            # FFmpeg would try the same again, and cameras lock out who does.
            one = one.without("www-authenticate")
            if 300 <= one.status < 400:
                one, self._leaves = self._relay.redirected(one), True
            if request is not None and request.method == "PLAY":
                self._plays = True
        elif one.method == "REDIRECT":
            self._relay.redirected(one)
        self._client.sendall(one.encode())


def _login(camera: SplitResult) -> Login | None:
    if camera.username is None:
        return None
    return Login(unquote(camera.username), unquote(camera.password or ""), lambda: secrets.token_hex(8))


def _shut(one: socket.socket) -> None:
    """Wake whoever waits for it."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
