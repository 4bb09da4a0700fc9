"""Streams of server-sent events, as HTML's living standard has them: who may begin one, and their end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Partition
from groundcam_serve.door import Door
from groundcam_serve.following.feed import Feed
from groundcam_serve.following.stream import RecordStream, positions_of
from groundcam_serve.keys import Key
from groundcam_serve.problems import Problem

COME_AGAIN_S = 5.0
RIGHTS_S = 1.0
"""So often it is asked whether a client may read on."""
KIND = "text/event-stream"


def place_of(request: Request, topic: str) -> dict[Partition, int] | None:
    """Return where a client was that comes again; None for a new one. Raises Problem."""
    last = request.headers.get("last-event-id")
    try:
        return None if last is None else positions_of(last, topic)
    except ValueError as error:
        raise Problem(400, "bad-request", f"Last-Event-ID: {error}") from None


async def streamed(
    door: Door, request: Request, key: Key, begin: Callable[[], tuple[Reader, RecordStream]]
) -> StreamingResponse:
    """Return a stream whose reader and beginning are made on a thread. Raises Problem.

    It ends when whoever asked may read no more, or other cameras than with `key`: after a logout, for one.
    """
    if door.streams >= door.settings.max_streams:
        raise Problem(503, "overloaded", f"{door.streams} readers are there already", retry_after_s=COME_AGAIN_S)
    # At once: of those who come while a reader connects each is one more.
    door.streams += 1
    try:
        reader, stream = await asyncio.to_thread(begin)
    except BaseException as failed:
        door.streams -= 1
        if isinstance(failed, KafkaProblem):
            raise Problem(503, "kafka", str(failed), retry_after_s=COME_AGAIN_S) from None
        raise
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

    def may_go_on() -> bool:
        try:
            return door.require(request, "read").cameras == key.cameras
        except Problem:
            return False

    return _Counted(door, _events(Feed(reader, stream), may_go_on), media_type=KIND, headers=headers)


class _Counted(StreamingResponse):
    """One of the service's streams until its end, also where its client goes before it begins."""

    def __init__(self, door: Door, events: AsyncIterator[bytes], *, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(events, media_type=media_type, headers=headers)
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._door.streams -= 1


async def _events(feed: Feed, may_go_on: Callable[[], bool]) -> AsyncIterator[bytes]:
    asked_at = time.monotonic()
    async for event in feed.events():
        if time.monotonic() - asked_at > RIGHTS_S:
            if not may_go_on():
                return
            asked_at = time.monotonic()
        yield event
