"""GET /v1/detections: what is found, as it comes (server-sent events, as HTML's living standard has them)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from groundcam_runtime.kafka.reader import Reader
from groundcam_serve.api.answers import problems
from groundcam_serve.api.streaming import place_of, streamed
from groundcam_serve.door import door_of
from groundcam_serve.following.stream import EventStream

router = APIRouter(tags=["detections"])

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
    place = place_of(request, topic)
    labels = set(label or []) or None
    return await streamed(
        door,
        request,
        key,
        lambda: (
            Reader(door.kafka, [topic], start=start if place is None else place),
            EventStream(cameras, labels),
        ),
    )
