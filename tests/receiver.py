"""A receiver of webhooks over real HTTP that behaves by its path: it takes, fails, hangs, lies, or answers late."""

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

KEY = "x-groundcam-event"


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.headers.get(KEY, "")


@dataclass
class Receiver:
    """What came, and what may go on."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each event was taken, by path and key."""
    is_back: threading.Event = field(default_factory=threading.Event)
    """What /down answers changes with it, and /late waits for it."""
    busy: Counter[str] = field(default_factory=Counter)
    most_busy: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def keys(self, path: str) -> list[str]:
        """The keys that were taken at a path, each once."""
        return [key for at, key in self.taken if at == path]

    def asked(self, path: str) -> list[Request]:
        return [one for one in self.requests if one.path == path]

    def note(self, request: Request) -> int:
        """Return how often this event came here, this time included."""
        with self._lock:
            self.requests.append(request)
            self.busy[request.path] += 1
            self.most_busy[request.path] = max(self.most_busy[request.path], self.busy[request.path])
            return sum(one.path == request.path and one.key == request.key for one in self.requests)

    def take(self, request: Request) -> None:
        with self._lock:
            self.taken[request.path, request.key] += 1

    def done(self, request: Request) -> None:
        with self._lock:
            self.busy[request.path] -= 1


def reply(status: int, body: bytes = b"", **headers: object) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {headers.pop('length', len(body))}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Handler(socketserver.StreamRequestHandler):
    receiver: Receiver

    def handle(self) -> None:
        line = self.rfile.readline().decode()
        if not line:
            return
        headers: dict[str, str] = {}
        while header := self.rfile.readline().decode().strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            return  # whoever asked was killed in the middle of it
        request = Request(line.split()[1], headers, body)
        count = self.receiver.note(request)
        try:
            self._answer(request, count)
        except OSError:
            pass  # whoever asked has gone
        finally:
            self.receiver.done(request)

    def _answer(self, request: Request, count: int) -> None:
        receiver, name = self.receiver, request.path.split("?")[0].strip("/").split("/")[0]
        refused = self._refusal(name, count)
        if refused is not None:
            self.wfile.write(refused)
        elif name == "hang":
            self.connection.recv(1)
        elif name == "drip":
            while not threading.Event().wait(0.05):
                self.wfile.write(b"H")
        else:
            if name == "late":
                receiver.is_back.wait(60)
            receiver.take(request)
            self._take(name)

    def _refusal(self, name: str, count: int) -> bytes | None:
        """What is answered by those who do not take an event; None by the others."""
        receiver = self.receiver
        if (name == "down" and not receiver.is_back.is_set()) or (name == "fail" and count <= 2):
            return reply(503)
        if name == "busy" and count == 1:
            return reply(429, Retry_After=1)
        return {
            "redirect": reply(307, Location=receiver.url("/stolen")),
            "noise": b"\x00\xff\xfe no HTTP at all\r\n\r\n",
            "gone": reply(410, b"go away"),
            "closes": b"",
        }.get(name)

    def _take(self, name: str) -> None:
        if name == "endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                self.wfile.write(b"x" * 65536)
        elif name == "short":
            self.wfile.write(reply(200, b"abc", length=1000))
        elif name == "garbage":
            self.wfile.write(reply(200, bytes(range(256)) * 4))
        elif name == "silent":
            self.wfile.write(reply(200, b"", length=1000))
            self.connection.recv(1)
        else:
            self.wfile.write(reply(204))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Whoever hangs up is no news."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve on a free port of this machine."""
    receiver = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    with _Server(("127.0.0.1", 0), handler) as server:
        receiver.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        receiver.is_back.set()
        server.shutdown()
