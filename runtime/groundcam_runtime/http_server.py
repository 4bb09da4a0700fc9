"""A small HTTP server for health, metrics and the page: GET alone, everything bounded, on one thread of its own.

Whoever connects and says nothing, or drips, costs a place among few, and gives it up to who comes later. Answers are
made by a few other threads, so that one that takes long delays no probe.
"""

import asyncio
import io
import ipaddress
import logging
import resource
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from types import TracebackType
from typing import Self

from groundcam_runtime.settings import SettingError

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 128
MOST_STREAMS = 32
"""Answers without an end, at a time, each on a thread of its own."""
ANSWERING_THREADS = 4
MOST_HEADER_BYTES = 16 * 1024
REQUEST_S = 5.0
"""For a whole request, however slowly it drips."""
ANSWER_S = 10.0
"""For an answer to be made, and again for the client to take it."""
STREAM_S = 30.0
"""A reader of a stream that takes nothing for so long is let go."""
ACCEPT_AGAIN_S = 1.0
LINGER_BYTES, LINGER_S = 1 << 20, 1.0
"""Read and thrown away after an error, so that its text arrives before the connection is reset."""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered: `body`, or a `stream` of chunks until it ends or nobody listens."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    stream: Iterator[bytes] | None = None


Answer = Callable[[str, str], Response]
"""Called with a path and the Accept header, on other threads."""


class _BadRequestError(Exception):
    """A request that gets no answer but a status."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class HttpServer:
    """Serves until it is left; a context manager."""

    def __init__(self, host: str, port: int, answer: Answer, setting: str, names: Collection[str] = ()) -> None:
        """Listen; `port` 0 takes a free one, and `::` takes IPv4 too. Raises SettingError, which names `setting`.

        A Host header must be an address, `localhost` or one of `names`: a page of somebody else's, whose name was
        pointed here (DNS rebinding), reads nothing. Off the loopback device any name will do if there are no `names`.
        """
        self._answer, self._names = answer, {name.lower() for name in names}
        try:
            self._listener = _listen(host, port)
        except OSError as error:
            raise SettingError(f"{setting}: {host}:{port} cannot be listened on: {error.strerror or error}") from None
        self._any_name = not (names or _is_loopback(self._listener.getsockname()[0]))
        self._loop = asyncio.new_event_loop()
        self._answering = ThreadPoolExecutor(ANSWERING_THREADS, "http")
        self._streaming = ThreadPoolExecutor(MOST_STREAMS, "http stream")
        self._streams = 0
        # Each takes a descriptor, of which the process needs most for itself.
        self._most = min(MOST_CONNECTIONS, max(8, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))
        self._connections: dict[asyncio.Task[None], bool] = {}
        """Oldest first; whether each is being answered."""
        self._accepting: asyncio.Task[None] | None = None
        self._is_full = False
        self._started = threading.Event()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="http", daemon=True).start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(lambda: self._accepting and self._accepting.cancel())

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._accept())
        finally:
            # Not before: a connection that is still open would ask a pool that takes nothing more.
            for pool in (self._answering, self._streaming):
                pool.shutdown(wait=False, cancel_futures=True)

    async def _accept(self) -> None:
        self._accepting = asyncio.current_task()
        self._started.set()
        self._listener.setblocking(False)
        with suppress(asyncio.CancelledError):
            while True:
                await self._make_room()
                try:
                    connection, _ = await self._loop.sock_accept(self._listener)
                except OSError as error:
                    # The process has no descriptor left; what waits at the door is let in when it has.
                    if not self._is_full:
                        log.warning("http: no connection can be taken: %s", error.strerror)
                    self._is_full = True
                    await asyncio.sleep(ACCEPT_AGAIN_S)
                    continue
                self._is_full = False
                task = self._loop.create_task(self._connected(connection))
                self._connections[task] = False
                task.add_done_callback(self._connections.pop)
        self._listener.close()

    async def _make_room(self) -> None:
        """Let the oldest connection go that has asked nothing yet, else the oldest."""
        while len(self._connections) >= self._most:
            silent = next((one for one, is_answered in self._connections.items() if not is_answered), None)
            leaving = silent or next(iter(self._connections))
            leaving.cancel()
            await asyncio.wait([leaving])

    async def _connected(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=MOST_HEADER_BYTES)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # who hangs up, or is too slow, is no news
        except Exception:
            log.exception("a request cannot be answered")
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                method, path, accept = self._parsed(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            error = _BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the header is too large")
            await self._refuse(error, reader, writer)
            return
        except _BadRequestError as error:
            await self._refuse(error, reader, writer)
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        self._connections[task] = True
        async with asyncio.timeout(ANSWER_S):
            response = await self._loop.run_in_executor(self._answering, self._made, path, accept)
        with_body = method == "GET"
        if response.stream is None:
            await self._send(writer, _head(response) + (response.body if with_body else b""))
        elif self._streams >= MOST_STREAMS:
            await self._send(writer, _head(_text(HTTPStatus.SERVICE_UNAVAILABLE, "too many are reading")))
        else:
            await self._send(writer, _head(response))
            if with_body:
                await self._stream(response.stream, writer)
        await _close(writer)

    async def _stream(self, chunks: Iterator[bytes], writer: asyncio.StreamWriter) -> None:
        self._streams += 1
        try:
            while chunk := await self._loop.run_in_executor(self._streaming, next, chunks, b""):
                await self._send(writer, chunk, STREAM_S)
        finally:
            self._streams -= 1

    def _made(self, path: str, accept: str) -> Response:
        try:
            return self._answer(path, accept)
        except Exception:
            log.exception("%s cannot be answered", ascii(path)[:200])
            return _text(HTTPStatus.INTERNAL_SERVER_ERROR, "it cannot be answered; the log says why")

    async def _send(self, writer: asyncio.StreamWriter, data: bytes, timeout_s: float = ANSWER_S) -> None:
        writer.write(data)
        async with asyncio.timeout(timeout_s):
            await writer.drain()

    async def _refuse(
        self, error: _BadRequestError, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        response = _text(error.status, str(error))
        await self._send(writer, _head(response) + response.body)
        await _close(writer)
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                left = LINGER_BYTES
                while left > 0 and (data := await reader.read(MOST_HEADER_BYTES)):
                    left -= len(data)

    def _parsed(self, header: bytes) -> tuple[str, str, str]:
        """Return method, path and the Accept header. Raises _BadRequestError."""
        first, _, rest = header.partition(b"\r\n")
        words = first.decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise _BadRequestError(HTTPStatus.BAD_REQUEST, "this is no request of HTTP/1.1")
        if words[0] not in {"GET", "HEAD"}:
            raise _BadRequestError(HTTPStatus.METHOD_NOT_ALLOWED, "GET is all there is")
        try:
            headers = parse_headers(io.BytesIO(rest))
        except HTTPException:
            raise _BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers") from None
        if headers.get("transfer-encoding") or headers.get("content-length", "0").strip() != "0":
            raise _BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a request has no body here")
        hosts = headers.get_all("host", [])
        if len(hosts) > 1 or not self._is_ours(hosts[0] if hosts else ""):
            raise _BadRequestError(HTTPStatus.MISDIRECTED_REQUEST, "there is no such host here")
        return words[0], words[1].partition("?")[0], headers.get("accept", "")

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header may be answered; without one it was no browser that asked."""
        name = _without_port(host.strip().lower())
        return self._any_name or not name or name == "localhost" or name in self._names or _is_address(name)


def _listen(host: str, port: int) -> socket.socket:
    """Raises OSError. `::` is every address there is, also where the machine has no IPv6."""
    if host == "::" and not socket.has_dualstack_ipv6():
        host = "0.0.0.0"  # noqa: S104 - what was asked for
    family, _, _, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    takes_both = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
    return socket.create_server(address[:2], family=family, backlog=MOST_CONNECTIONS, dualstack_ipv6=takes_both)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _text(status: HTTPStatus, text: str) -> Response:
    return Response(status, f"{text}\n".encode())


def _head(response: Response) -> bytes:
    headers = {"Content-Type": response.content_type, "Connection": "close", **response.headers}
    if response.stream is None:
        headers["Content-Length"] = str(len(response.body))
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _close(writer: asyncio.StreamWriter) -> None:
    """End our half, so that the client sees the end after the last byte."""
    if writer.can_write_eof():
        writer.write_eof()
    async with asyncio.timeout(ANSWER_S):
        await writer.drain()
