"""A camera of the tests' own, which speaks RTSP over TCP and does what a well-behaved one never does."""

import hashlib
import io
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache

import av
import numpy as np

FPS = 25
PAYLOAD = 96
NONCE = "b5f1"
USER, PASSWORD = "viewer", "S3cret-Passw0rd"
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
)


@dataclass
class Camera:
    """What it does, and what it has heard. One connection at a time is enough."""

    pictures: int | None = None
    """How many it sends before it falls silent; None goes on."""
    hangs_up: bool = False
    """Whether it then ends the connection."""
    size: tuple[int, int] = (160, 96)
    login: str | None = None
    """`basic` or `digest`; None asks for none."""
    answers: dict[str, Callable[[str], bytes]] = field(default_factory=dict)
    """What is answered to a method, by its CSeq, in place of the usual."""
    tls: ssl.SSLContext | None = None
    over: str = "tcp"
    """How it sends, and no other way: `tcp` within the connection, or `udp`."""
    keeps_reporting: bool = False
    """Whether bytes that are no picture (RTCP) go on for ever."""
    heard: list[str] = field(default_factory=list)
    """Whole requests."""
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        """With user and password in it."""
        return f"rtsp{'s' if self.tls else ''}://{USER}:{PASSWORD}@127.0.0.1:{self.port}/live"


@contextmanager
def running(camera: Camera, host: str = "127.0.0.1") -> Iterator[Camera]:
    """Serve a camera until the block ends."""
    with socket.create_server((host, 0)) as listener:
        camera.port = listener.getsockname()[1]
        threading.Thread(target=_accept, args=(camera, listener), daemon=True).start()
        yield camera
        listener.shutdown(socket.SHUT_RDWR)


def _accept(camera: Camera, listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            camera.connections += 1
            threading.Thread(target=_serve, args=(camera, connection), daemon=True).start()


def _serve(camera: Camera, connection: socket.socket) -> None:
    with suppress(OSError, ssl.SSLError, ConnectionError):
        if camera.tls:
            connection = camera.tls.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb") as incoming:
            while request := _request(incoming):
                camera.heard.append(request)
                _answer(camera, connection, request)
                if request.startswith("PLAY"):
                    _play(camera, connection)
                    if camera.hangs_up:
                        return


def _request(incoming: io.BufferedReader) -> str:
    lines = []
    while line := incoming.readline():
        if line[:1] == b"$":
            incoming.read(max(0, struct.unpack(">H", line[2:4])[0] + 4 - len(line)))
            continue
        if line == b"\r\n":
            break
        lines.append(line.decode("latin-1"))
    return "".join(lines)


def _answer(camera: Camera, connection: socket.socket, request: str) -> None:
    method = request.split(" ", 1)[0]
    number = request.partition("CSeq: ")[2].partition("\r")[0]
    if method in camera.answers:
        connection.sendall(camera.answers[method](number))
        return
    if camera.login and method != "OPTIONS" and not _is_welcome(camera, request):
        asked = f'Digest realm="r", nonce="{NONCE}"' if camera.login == "digest" else 'Basic realm="r"'
        connection.sendall(reply(number, "401 Unauthorized", f"WWW-Authenticate: {asked}\r\n"))
        return
    if method == "DESCRIBE":
        connection.sendall(reply(number, "200 OK", "Content-Type: application/sdp\r\n", SDP))
    elif method == "SETUP" and ("TCP" in request) != (camera.over == "tcp"):
        connection.sendall(reply(number, "461 Unsupported Transport"))
    elif method == "SETUP" and camera.over == "udp":
        ports = request.partition("client_port=")[2].partition("\r")[0]
        transport = f"Transport: RTP/AVP;unicast;client_port={ports};server_port=5000-5001\r\n"
        connection.sendall(reply(number, "200 OK", f"{transport}Session: 1\r\n"))
    elif method == "SETUP":
        connection.sendall(reply(number, "200 OK", "Transport: RTP/AVP/TCP;interleaved=0-1\r\nSession: 1\r\n"))
    else:
        connection.sendall(reply(number, "200 OK", "Session: 1\r\n"))


def _is_welcome(camera: Camera, request: str) -> bool:
    said = request.partition("Authorization: ")[2].partition("\r")[0]
    method, uri = request.split(" ")[:2]

    def digest(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - as RFC 2617 has it

    if camera.login == "basic":
        return said == "Basic dmlld2VyOlMzY3JldC1QYXNzdzByZA=="
    wanted = digest(f"{digest(f'{USER}:r:{PASSWORD}')}:{NONCE}:{digest(f'{method}:{uri}')}")
    return f'response="{wanted}"' in said and f'uri="{uri}"' in said


def reply(number: str, status: str, headers: str = "", body: str = "") -> bytes:
    """A whole response."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{headers}{length}\r\n{body}".encode()


def _play(camera: Camera, connection: socket.socket) -> None:
    pause, sequence = threading.Event(), 0
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port = int(camera.heard[-2].partition("client_port=")[2].partition("-")[0] or 0)
    clip = _clip(camera.size)
    for index in range(camera.pictures if camera.pictures is not None else 10**9):
        for is_last, payload in _payloads(clip[index % len(clip)]):
            header = struct.pack(
                ">BBHII", 0x80, (0x80 if is_last else 0) | PAYLOAD, sequence & 0xFFFF, index * 90000 // FPS, 7
            )
            if camera.over == "udp":
                datagrams.sendto(header + payload, ("127.0.0.1", port))
            else:
                connection.sendall(struct.pack(">cBH", b"$", 0, len(header) + len(payload)) + header + payload)
            sequence += 1
        pause.wait(1 / FPS)
    while camera.keeps_reporting:
        report = struct.pack(">BBHI", 0x80, 201, 1, 7)
        connection.sendall(struct.pack(">cBH", b"$", 1, len(report)) + report)
        pause.wait(0.2)


@cache
def _clip(size: tuple[int, int]) -> list[list[bytes]]:
    """Two seconds of H.264: for each picture its units, parameters before each key picture."""
    with av.open(io.BytesIO(), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": f"repeat-headers=1:sliced-threads=0:threads=1:keyint={FPS}",
        }
        packets = []
        for number in range(2 * FPS):
            picture = np.full((size[1], size[0], 3), 40 + number, np.uint8)
            packets += stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24"))
    return [[unit for unit in bytes(one).replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit] for one in packets]


def _payloads(units: list[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Units as they are, larger ones in fragments (RFC 6184, FU-A); whether each is a picture's last."""
    for unit in units:
        is_last_unit = unit is units[-1]
        if len(unit) <= 1300:
            yield is_last_unit, unit
            continue
        parts = [unit[at : at + 1300] for at in range(1, len(unit), 1300)]
        for index, part in enumerate(parts):
            begins, ends = index == 0, index == len(parts) - 1
            mark = (0x80 if begins else 0) | (0x40 if ends else 0) | (unit[0] & 0x1F)
            yield is_last_unit and ends, bytes([(unit[0] & 0xE0) | 28, mark]) + part


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait; raises AssertionError."""
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.01)
