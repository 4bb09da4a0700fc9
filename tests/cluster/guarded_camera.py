"""A camera behind a login: an RTSP server that plays files, and in front of it one that asks for a password."""

import hashlib
import re
import secrets
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

END = b"\r\n\r\n"
REALM = "camera"


class GuardedCamera:
    """Lets in who knows the password (digest, RFC 2617), and passes all else on; use it as a context manager."""

    def __init__(self, host: str, target: int, film: str, user: str, password: str) -> None:
        """`target` is the port of the server behind it, on loopback, and `film` what it plays."""
        self._target, self._user, self._password = target, user, password
        self._nonce = secrets.token_hex(8)
        self._listener = socket.create_server((host, 0))
        self.refused_logins = 0
        """Requests that came with a wrong login; those without one are only asked for it."""
        self.url = f"rtsp://{user}@{host}:{self._listener.getsockname()[1]}/{film}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, name="guarded-camera", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                viewer, _ = self._listener.accept()
                threading.Thread(target=self._welcome, args=(viewer,), daemon=True).start()

    def _welcome(self, viewer: socket.socket) -> None:
        """Ask until a request has the right login; then be a pipe."""
        received = b""
        with suppress(OSError):
            while END not in received or not self._is_right(received):
                while END not in received:
                    if not (data := viewer.recv(4096)):
                        viewer.close()
                        return
                    received += data
                if self._is_right(received):
                    break
                request, _, received = received.partition(END)
                self.refused_logins += b"authorization:" in request.lower()
                viewer.sendall(self._challenge(request))
            with socket.create_connection(("127.0.0.1", self._target)) as camera:
                camera.sendall(received)
                threading.Thread(target=_pump, args=(camera, viewer), daemon=True).start()
                _pump(viewer, camera)

    def _challenge(self, request: bytes) -> bytes:
        number = re.search(rb"cseq: *(\d+)", request, re.IGNORECASE)
        return (
            f"RTSP/1.0 401 Unauthorized\r\nCSeq: {int(number[1]) if number else 0}\r\n"
            f'WWW-Authenticate: Digest realm="{REALM}", nonce="{self._nonce}"\r\n\r\n'
        ).encode()

    def _is_right(self, request: bytes) -> bool:
        head = request.partition(END)[0].decode("latin-1")
        given = dict(re.findall(r'(\w+)="([^"]*)"', head))
        one = _md5(f"{self._user}:{REALM}:{self._password}")
        other = _md5(f"{head.partition(' ')[0]}:{given.get('uri')}")
        return given.get("response") == _md5(f"{one}:{self._nonce}:{other}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
