"""What becomes of single objects: as it comes, as it lies on Kafka, and what is there now."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.history import ObjectLife
from groundcam_runtime.kafka.open_objects import lately, open_now
from groundcam_runtime.kafka.reader import Reader, Start
from groundcam_runtime.printable import printable
from groundcam_schemas import Cause, Event, ObjectsNow, Severity
from groundcam_schemas.identity import is_errand
from groundcam_serve.api.answers import answered, problems
from groundcam_serve.api.moments import Moment, ns_of
from groundcam_serve.api.streaming import KIND, place_of, streamed
from groundcam_serve.door import COME_AGAIN_S, Door, door_of
from groundcam_serve.following.history import MOST_FOR_A_LIFE, Wanted, life_of, page, picture_of
from groundcam_serve.following.lives import LifeStream
from groundcam_serve.following.stream import RecordStream, id_of, positions_of
from groundcam_serve.keys import Key, Scope
from groundcam_serve.problems import Problem

router = APIRouter(tags=["events"])

T = TypeVar("T")
NS_PER_MS = 1_000_000
MOST, MOST_SEARCHES = 1000, 3
PLACE = "^[0-9]{1,6}:[0-9]{1,18}(,[0-9]{1,6}:[0-9]{1,18})*$"
READY_S = 5.0
JPEG = b"\xff\xd8\xff"
Names = Annotated[list[str] | None, Query(max_length=200)]
EventPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=["0123456789abcdef0123456789abcdef"])]
STREAM: dict[str, Any] = {
    "description": "A page; or, asked with `Accept: text/event-stream`, events `open`, `new`, `update` and `end`, and"
    " `lost` where Kafka has deleted some before they were read",
    "content": {KIND: {"schema": {"type": "string"}}},
}
PICTURE_HEADERS = ("Camera", "Event", "Label", "Run", "Seq")
PICTURE: dict[str, Any] = {
    "description": "The picture",
    "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    "headers": {f"X-Groundcam-{name}": {"schema": {"type": "string"}} for name in PICTURE_HEADERS},
}


class EventPage(BaseModel):
    """Events by when they came to Kafka, the newest first."""

    events: list[Event]
    before: str | None = Field(default=None, examples=["0:12,1:34"])
    """With it as `before` the next page, of older ones, is asked for; null at the end."""


class ObjectEvents(BaseModel):
    """What lies on Kafka of one object, in order."""

    id: str
    camera_id: str
    is_whole: bool
    """Whether its beginning is there, too."""
    events: list[Event]


class ObjectsInFront(BaseModel):
    """What is in front of each camera now."""

    cameras: list[ObjectsNow]


@router.get("/v1/events", response_model=EventPage, responses={**problems(400, 422, 503), 200: STREAM})
async def events(
    request: Request,
    *,
    camera: Names = None,
    label: Names = None,
    zone: Names = None,
    cause: Annotated[list[Cause] | None, Query(max_length=50)] = None,
    severity: Severity = Severity.INFO,
    begin: Annotated[Moment | None, Query(alias="from")] = None,
    to: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    before: Annotated[str | None, Query(max_length=20_000, pattern=PLACE)] = None,
    start: Literal["open", "beginning", "end"] = "open",
    stream: Annotated[bool, Query(include_in_schema=False)] = False,
) -> Response:
    """Read events of objects: the newest ones that lie on Kafka, or, as server-sent events, what comes.

    `camera`, `label`, `zone` (of a zone or a line) and `cause` may be there several times; `severity` is the least.
    A page has what came to Kafka from `from` on and before `to`. A stream is asked for with
    `Accept: text/event-stream`, or `stream=true` in the address; it begins with what is open, or as `start` says. The
    id of each event says where on Kafka it was; sent back as `Last-Event-ID`, as `EventSource` does by itself, the
    stream goes on behind it.
    """
    door = door_of(request)
    key = door.require(request, "read")
    wanted = _Shown.of(_cameras(door, request, key, camera), label or None, zone or None, cause or None, severity)
    topic = door.kafka.topics.events
    if stream or KIND in request.headers.get("accept", ""):
        place = place_of(request, topic)
        return await streamed(door, request, key, lambda: _begun(door, wanted, start if place is None else place))
    try:
        behind = None if before is None else positions_of(before, topic)
    except ValueError as error:
        raise Problem(422, "unprocessable", f"before: {error}", field="before") from None
    from_ms = None if begin is None else ns_of(begin, 0) // NS_PER_MS
    to_ms = None if to is None else ns_of(to, 0) // NS_PER_MS
    asked = Wanted(wanted, limit, from_ms, to_ms, behind)
    found, rest = await _searched(door, lambda: page(door.kafka, asked))
    return answered(EventPage(events=found, before=None if rest is None else id_of(rest)))


@router.get("/v1/events/{event}", response_model=ObjectEvents, responses=problems(404, 422, 503))
async def one(request: Request, event: EventPath) -> Response:
    """Return all events of an object that lie on Kafka."""
    life = await _life(request, "read", event)
    of = life.in_order
    return answered(ObjectEvents(id=event, camera_id=of[0].camera_id, is_whole=life.is_whole, events=list(of)))


@router.get("/v1/events/{event}/picture", response_class=Response, responses={**problems(404, 422, 503), 200: PICTURE})
async def picture(request: Request, event: EventPath) -> Response:
    """Return an object's best picture.

    `X-Groundcam-Run` and `X-Groundcam-Seq` name the frame that it is cut from. A better look gets its picture some
    seconds after the event that tells of it, at most about half a minute: until then they are not those of the event's
    `best.frame`.
    """
    door = door_of(request)
    kept_here = door.best.get(event) if door.best else None
    if kept_here is not None and door.require(request, "cameras").may_see(kept_here.camera_id):
        return _picture(event, kept_here.camera_id, kept_here.data, kept_here.frame)
    life = await _life(request, "cameras", event)
    last = life.in_order[-1]
    kept = await _searched(door, lambda: picture_of(door.kafka, event, life))
    if not kept.data.startswith(JPEG):
        reason = "what lies there is no JPEG" if kept.data else printable(kept.reason)
        raise Problem(404, "not-found", f"there is no picture of {event}: {reason}")
    return _picture(event, last.camera_id, kept.data, kept.frame, last.label.encode("ascii", "replace").decode())


@router.get("/v1/objects", response_model=ObjectsInFront, responses=problems(422, 503))
async def objects(request: Request, *, camera: Names = None, label: Names = None) -> Response:
    """Say what is in front of each camera now: the newest event of each object that is open, without its path."""
    door = door_of(request)
    key = door.require(request, "read")
    chosen = _Shown.of(_cameras(door, request, key, camera), label or None)
    await require_board(door)
    found = [
        one.model_copy(update={"objects": tuple(each for each in one.objects if chosen.fits(each))})
        for name, one in door.objects.objects.items()
        if key.may_see(name) and (chosen.cameras is None or name in chosen.cameras)
    ]
    return answered(ObjectsInFront(cameras=found))


def _picture(event: str, camera_id: str, data: bytes, frame: str, label: str = "") -> Response:
    headers = {"X-Groundcam-Camera": camera_id, "X-Groundcam-Event": event, "Cache-Control": "no-store"}
    run_id, _, seq = frame.rpartition("/")
    if run_id:
        headers |= {"X-Groundcam-Run": run_id, "X-Groundcam-Seq": seq}
    if label.isprintable() and label:
        headers["X-Groundcam-Label"] = label
    return Response(data, media_type="image/jpeg", headers=headers)


class _Shown(EventFilter):
    """Of cameras; the films of jobs are none."""

    def fits(self, event: Event) -> bool:
        """Whether an event is wanted, and of a camera."""
        return not is_errand(event.camera_id) and super().fits(event)


async def require_board(door: Door) -> None:
    """Return once it is known what is open and which zones there are. Raises Problem."""
    if not await door.objects.until(lambda: door.objects.trouble is None, READY_S):
        raise Problem(503, "kafka", door.objects.trouble or "", retry_after_s=COME_AGAIN_S)


def _cameras(door: Door, request: Request, key: Key, given: list[str] | None) -> frozenset[str] | None:
    """Return the cameras that are asked for and allowed; None for all. Raises Problem."""
    for one in given or []:
        door.require(request, "read", one)
    if given:
        return frozenset(given)
    return None if key.cameras is None else frozenset(key.cameras)


def _begun(door: Door, wanted: EventFilter, start: Start | Literal["open"]) -> tuple[Reader, RecordStream]:
    reader = Reader(door.kafka, [door.kafka.topics.events], start="end" if start == "open" else start)
    try:
        newest = open_now(door.kafka, reader).newest() if start == "open" else ()
        told = [event for event, _ in lately(reader)] if isinstance(start, Mapping) else ()
    except BaseException:
        reader.__exit__(None, None, None)
        raise
    return reader, LifeStream(wanted, newest, told)


async def _life(request: Request, scope: Scope, event: str) -> ObjectLife:
    """Return an object that the key may see; of others it is not told that they are there. Raises Problem."""
    door = door_of(request)
    key = door.require(request, scope)
    life = await _searched(door, lambda: life_of(door.kafka, event))
    if life is None or not key.may_see(life.in_order[0].camera_id):
        among = f"among the newest {MOST_FOR_A_LIFE} that lie on Kafka"
        raise Problem(404, "not-found", f"there is no event of {event} {among}")
    return life


async def _searched(door: Door, search: Callable[[], T]) -> T:
    """Search on a thread; only a few at a time, since each takes a connection and a while. Raises Problem."""
    if door.searches >= MOST_SEARCHES:
        raise Problem(503, "overloaded", f"{door.searches} searches are at work already", retry_after_s=COME_AGAIN_S)
    door.searches += 1
    try:
        return await asyncio.to_thread(search)
    except KafkaProblem as problem:
        raise Problem(503, "kafka", str(problem), retry_after_s=COME_AGAIN_S) from None
    finally:
        door.searches -= 1
