"""WebSockets by hand (RFC 6455), for what no well-behaved client does."""

import json
import os
import socket


def upgrade(port: int, path: str = "/v1/wall", **headers: str) -> tuple[socket.socket, int]:
    """Ask for a WebSocket; return the connection and the status of the answer."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    given = {
        "Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", **{name.replace("_", "-"): text for name, text in headers.items()},
    }  # fmt: skip
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in given.items()), "", ""]
    connection.sendall("\r\n".join(lines).encode())
    head = b""
    while b"\r\n\r\n" not in head and (byte := connection.recv(1)):
        head += byte
    return connection, int(head.split(b" ", 2)[1]) if head else 0


def said(content: object) -> bytes:
    """A text frame of a client, masked as it has to be."""
    data = json.dumps(content).encode()
    mask = os.urandom(4)
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def frame_of(connection: socket.socket) -> tuple[int, bytes]:
    """The next frame of a server: its kind and its content."""
    kind, length = _exactly(connection, 2)
    if length == 126:
        length = int.from_bytes(_exactly(connection, 2), "big")
    elif length == 127:
        length = int.from_bytes(_exactly(connection, 8), "big")
    return kind & 15, _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data
