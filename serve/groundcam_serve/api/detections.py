"""GET /v1/detections: what is found, as it comes (server-sent events, as HTML's living standard has them)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_serve.api.answers import problems
from groundcam_serve.door import Door, door_of
from groundcam_serve.following.feed import Feed
from groundcam_serve.following.stream import EventStream, positions_of
from groundcam_serve.problems import Problem

router = APIRouter(tags=["detections"])

COME_AGAIN_S = 5.0
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `detections` and `gap`, whose data are those messages; `lost` where Kafka has deleted"
        " some before they were read",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
Ids = Annotated[list[str] | None, Query(max_length=200)]


@router.get("/v1/detections", response_class=StreamingResponse, responses=problems(400, 422, 503) | EVENTS)
async def detections(
    request: Request,
    *,
    camera: Ids = None,
    label: Ids = None,
    start: Annotated[Literal["beginning", "end"], Query(alias="from")] = "end",
) -> StreamingResponse:
    """Read what is found, as it comes. `camera` and `label` may be there several times, and choose.

    The id of each event says where on Kafka it was; sent back as `Last-Event-ID`, as `EventSource` does by itself, the
    stream goes on behind it, and nothing is lost or repeated.
    """
    door = door_of(request)
    key = door.require(request, "read")
    for one in camera or []:
        door.require(request, "read", one)
    cameras = set(camera or []) or (None if key.cameras is None else set(key.cameras))
    topic = door.kafka.topics.detections
    last = request.headers.get("last-event-id")
    try:
        begin = start if last is None else positions_of(last, topic)
    except ValueError as error:
        raise Problem(400, "bad-request", f"Last-Event-ID: {error}") from None
    if door.streams >= door.settings.max_streams:
        raise Problem(503, "overloaded", f"{door.streams} readers are there already", retry_after_s=COME_AGAIN_S)
    try:
        reader = await asyncio.to_thread(lambda: Reader(door.kafka, [topic], start=begin))
    except KafkaProblem as problem:
        raise Problem(503, "kafka", str(problem), retry_after_s=COME_AGAIN_S) from None
    feed = Feed(reader, EventStream(cameras, set(label or []) or None))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(door, feed), media_type="text/event-stream", headers=headers)


async def _events(door: Door, feed: Feed) -> AsyncIterator[bytes]:
    door.streams += 1
    try:
        async for event in feed.events():
            yield event
    finally:
        door.streams -= 1
