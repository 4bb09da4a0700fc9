"""A request's body, within bounds of bytes, memory and time; kept in memory, and nowhere else."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from groundcam_serve.problems import Problem

MAX_FIELDS = 64
MAX_FIELD_BYTES = 1024 * 1024

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


class Memory:
    """Bytes that bodies take, of all requests together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.used = 0

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Count so many bytes for a while; a single request always may. Raises Problem."""
        if self.used and self.used + size > self._most:
            raise Problem(503, "overloaded", f"requests of {self.used} bytes are in memory already", retry_after_s=1)
        self.used += size
        try:
            yield
        finally:
            self.used -= size


def announced(request: Request, most: int) -> int:
    """Return how many bytes a body may have: as its header says, or the most there may be. Raises Problem."""
    text = request.headers.get("content-length")
    if text is None:
        return most
    size = int(text) if text.isascii() and text.isdigit() else most + 1
    if size > most:
        raise Problem(413, "too-large", f"the body is larger than {most} bytes")
    return size


async def read(request: Request, most: int, timeout_s: float) -> bytes:
    """Return a body. Raises Problem where it is too large or drips, and ClientGoneError."""
    chunks, size = [], 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > most:
                    raise Problem(413, "too-large", f"the body is larger than {most} bytes")
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        why = f"the body was not there after {timeout_s:g} s"
        raise Problem(408, "slow-body", why, headers={"Connection": "close"}) from None


def json_of(data: bytes, model: type[M]) -> M:
    """Read JSON. Raises Problem, which names the field."""
    try:
        return model.model_validate_json(data)
    except ValidationError as invalid:
        raise problem_of(invalid) from None


def problem_of(invalid: ValidationError) -> Problem:
    """Return what is wrong with fields, as one sentence."""
    first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return Problem(400, "bad-request", f"the body is no JSON: {first['msg'].removeprefix('Invalid JSON: ')}")
    field = ".".join(map(str, first["loc"])) or "body"
    message = first["msg"].removeprefix("Value error, ")
    return Problem(422, "unprocessable", f"{field}: {message[:1].lower()}{message[1:]}", field=field)


async def form_of(data: bytes, content_type: str, max_files: int) -> FormData:
    """Read a multipart form. Raises Problem."""

    async def once() -> AsyncGenerator[bytes, None]:
        yield data

    parser = MultiPartParser(
        Headers({"content-type": content_type}), once(),
        max_files=max_files, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES,
    )  # fmt: skip
    # It is in memory already, and goes to no file.
    parser.spool_max_size = len(data) + 1
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise Problem(400, "bad-request", f"the form cannot be read: {error.message}") from None
    except (KeyError, ValueError, UnicodeError, AssertionError):
        raise Problem(400, "bad-request", "the form cannot be read: a header of it is broken") from None


async def unless_gone(request: Request, work: Callable[[], Awaitable[T]]) -> T:
    """Do something for a client for as long as it waits. Raises ClientGoneError, and whatever the work raises."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working: asyncio.Task[Any] = asyncio.ensure_future(work())
    leaving = asyncio.create_task(gone())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGoneError
        result: T = working.result()
        return result
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def require_json(request: Request) -> None:
    """Raise Problem unless a body says that it is JSON: a page of another site could send any other without asking."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "media-type", f"the body is {kind[:60]!r}, and not application/json")
