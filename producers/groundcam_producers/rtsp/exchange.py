"""What FFmpeg and a camera say to each other over one pair of connections, and what of it is passed on changed."""

import select
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

from groundcam_producers.rtsp.messages import Media, Message, Splitter

if TYPE_CHECKING:
    from groundcam_producers.rtsp.relay import RtspRelay

CHUNK = 64 * 1024
MOST_UNANSWERED = 64


class Exchange:
    """One connection of FFmpeg's and one to the camera. Belongs to one thread."""

    def __init__(self, relay: "RtspRelay", client: socket.socket, upstream: socket.socket) -> None:
        self._relay, self._client, self._upstream = relay, client, upstream
        self._requests, self._answers = Splitter(), Splitter()
        self._unanswered: dict[str, tuple[Message, float]] = {}
        self._is_first = True
        self._plays = False
        self._leaves = False

    def run(self, closed: threading.Event) -> bool:
        """Pass on what comes until one side ends; return whether FFmpeg will come back for a redirect.

        Raises SourceError, ProtocolError, TimeoutError, OSError.
        """
        timeout_s = self._relay.timeout_s
        relay = self._relay
        relay.heard_at = time.monotonic()
        while not closed.is_set() and not self._leaves:
            pending = isinstance(self._upstream, ssl.SSLSocket) and self._upstream.pending()
            if self._plays and relay.transport == "udp":
                relay.heard_at = time.monotonic()
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
            is_silent = now - relay.heard_at >= timeout_s and not (self._plays and relay.transport == "udp")
            if is_silent or (not self._plays and now - self._oldest(now) >= timeout_s):
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
            self._relay.understood(request, one)
            # FFmpeg would try the same again, and cameras lock out who does.
            one = one.without("www-authenticate")
            if 300 <= one.status < 400:
                one, self._leaves = self._relay.redirected(one), True
            if request is not None and request.method == "PLAY":
                self._plays = True
        elif one.method == "REDIRECT":
            self._relay.redirected(one)
        self._client.sendall(one.encode())
