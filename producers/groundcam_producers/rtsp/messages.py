"""Split what comes over an RTSP connection (RFC 2326): messages, and frames of media between them. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

MOST_HEADER_BYTES = 64 * 1024
MOST_BODY_BYTES = 256 * 1024
"""Of a session description; real ones have a few thousand bytes."""
MARK = ord("$")
MARK_BYTES = 4
_REQUEST_OR_RESPONSE = re.compile(rb"(?:RTSP/\d\.\d \d{3}\b|[A-Z_]{3,20} \S+ RTSP/\d\.\d)")
_MESSAGE_MAY_BEGIN = re.compile(rb"[A-Z$]")
LONGEST_START = 8 * 1024
"""Bytes after which a line that began like a message is none."""


class ProtocolError(ValueError):
    """What the other side sends is over a bound; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Media:
    """Whole interleaved frames (RFC 2326, 10.12), as they came."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response. Header names are lower case in `headers`; `lines` are as they came."""

    start: str
    lines: tuple[str, ...]
    body: bytes

    @property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return self.start.startswith("RTSP/")

    @property
    def status(self) -> int:
        """The status code of a response."""
        return int(self.start.split()[1])

    @property
    def method(self) -> str:
        """The method of a request."""
        return self.start.split()[0]

    @property
    def uri(self) -> str:
        """The address of a request."""
        return self.start.split()[1]

    def all(self, name: str) -> list[str]:
        """The values of a header, in their order."""
        pairs = (line.partition(":") for line in self.lines)
        return [value.strip() for key, _, value in pairs if key.strip().lower() == name]

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next(iter(self.all(name)), None)

    def with_header(self, name: str, value: str) -> "Message":
        """Return it with one header set anew."""
        return replace(self, lines=(*self.without(name).lines, f"{name}: {value}"))

    def without(self, name: str) -> "Message":
        """Return it without a header."""
        kept = (line for line in self.lines if line.partition(":")[0].strip().lower() != name.lower())
        return replace(self, lines=tuple(kept))

    def with_uri(self, uri: str) -> "Message":
        """Return a request for another address."""
        method, _, version = self.start.split()
        return replace(self, start=f"{method} {uri} {version}")

    def encode(self) -> bytes:
        """Return the bytes to send."""
        return "\r\n".join([self.start, *self.lines, "", ""]).encode("latin-1") + self.body


class Splitter:
    """Takes bytes as they come, of one direction of a connection."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def split(self, data: bytes) -> Iterator[Media | Message]:
        """Yield what is complete. What is neither a message nor media is passed over. Raises ProtocolError."""
        waiting = self._waiting
        waiting += data
        done = 0
        try:
            while done < len(waiting):
                if waiting[done] == MARK:
                    end = _end_of_media(waiting, done)
                    if end == done:
                        return
                    yield Media(bytes(waiting[done:end]))
                    done = end
                    continue
                found, done = _message(waiting, done)
                if found is None:
                    return
                yield found
        finally:
            del waiting[:done]


def _end_of_media(data: bytearray, start: int) -> int:
    """Return where the whole frames end that begin at `start`, one behind the other."""
    end = start
    while len(data) >= end + MARK_BYTES and data[end] == MARK:
        after = end + MARK_BYTES + int.from_bytes(data[end + 2 : end + 4])
        if after > len(data):
            break
        end = after
    return end


def _message(data: bytearray, start: int) -> tuple[Message | None, int]:
    """Return the message at `start`, if it is whole, and where to go on. Raises ProtocolError."""
    while True:
        begin = _MESSAGE_MAY_BEGIN.search(data, start)
        if begin is None:
            return None, len(data)
        start = begin.start()
        if data[start] == MARK:
            return None, start
        line_end = data.find(b"\n", start, start + LONGEST_START)
        if line_end < 0 and len(data) - start < LONGEST_START:
            return None, start
        if line_end >= 0 and _REQUEST_OR_RESPONSE.match(data, start, line_end):
            break
        start += 1
    head_end, body_start = _end_of_header(data, start)
    if head_end < 0:
        if len(data) - start > MOST_HEADER_BYTES:
            raise ProtocolError(f"a header of more than {MOST_HEADER_BYTES // 1024} KiB")
        return None, start
    first, *lines = bytes(data[start:head_end]).decode("latin-1").splitlines()
    message = Message(first, tuple(lines), b"")
    end = body_start + _body_bytes(message)
    if end > len(data):
        return None, start
    return replace(message, body=bytes(data[body_start:end])), end


def _end_of_header(data: bytearray, start: int) -> tuple[int, int]:
    """Return where the header ends and the body begins; -1 where it has not ended."""
    ends = [
        (at, at + len(mark))
        for mark in (b"\r\n\r\n", b"\n\n")
        if (at := data.find(mark, start, start + MOST_HEADER_BYTES)) >= 0
    ]
    return min(ends, default=(-1, -1))


def _body_bytes(message: Message) -> int:
    text = message.header("content-length") or "0"
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ProtocolError("a length of its answer that is no number")
    if int(text) > MOST_BODY_BYTES:
        raise ProtocolError(f"an answer of {int(text)} bytes, more than {MOST_BODY_BYTES // 1024} KiB")
    return int(text)
