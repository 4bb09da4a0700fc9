"""Stands between a camera and its viewer, and makes trouble."""

import socket
import threading
from contextlib import suppress


class Relay:
    """Stands between a camera and its viewer, and can hang up."""

    def __init__(self) -> None:
        self.target = 0
        self._open: list[socket.socket] = []
        self._refusing = False
        self._starving = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def hang_up(self) -> None:
        self._refusing = True
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def starve(self) -> None:
        """Pass on nothing more, but an RTCP receiver report now and then, and keep every connection."""
        self._starving = True

    def accept_again(self) -> None:
        self._refusing = False

    def close(self) -> None:
        self.hang_up()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                viewer, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                viewer.close()
                continue
            try:
                camera = socket.create_connection(("127.0.0.1", self.target))
            except OSError:  # the camera is gone, and its viewer tries again
                viewer.close()
                continue
            self._open += [viewer, camera]
            for one, other in ((viewer, camera), (camera, viewer)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self._starving:
                    sink.sendall(data)
                elif source in self._open[1::2]:  # from the camera
                    sink.sendall(RTCP)
        _shut(source, sink)


# An interleaved, empty RTCP sender report (RFC 3550, section 6.4.1) on channel 1.
RTCP = b"$\x01\x00\x1c" + b"\x80\xc8\x00\x06" + b"\x00" * 24


def _shut(source: socket.socket, sink: socket.socket) -> None:
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
