"""Cameras' pictures: the newest one, and those of a time, as they are or with what was found in them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.pictures.decoding import MAX_PIXELS
from groundcam_schemas import Detections, decode
from groundcam_serve.api.answers import problems
from groundcam_serve.api.detect import annotated as draw_in
from groundcam_serve.api.moments import LAST_NS, Moment, ns_of
from groundcam_serve.door import COME_AGAIN_S, Door, door_of
from groundcam_serve.following.seen import SeenFrame
from groundcam_serve.pictures import encoding_of
from groundcam_serve.problems import Problem

router = APIRouter(tags=["cameras"])

MOST = 100
BOUNDARY = "groundcam-frame"
CameraPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$", examples=["gate"])]
Drawn = Annotated[bool, Query(description="With what was found drawn in")]
IDENTITY = {
    f"X-Groundcam-{name}": {"schema": {"type": "string"}}
    for name in ("Camera", "Run", "Seq", "Captured-At-Ns", "Detections")
}
PICTURE = {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}, "headers": IDENTITY}


@router.get(
    "/v1/cameras/{camera}/latest.jpg",
    response_class=Response,
    responses={**problems(404, 422, 503), 200: {"description": "The picture", **PICTURE}},
)
async def latest(request: Request, camera: CameraPath, *, annotated: Drawn = False) -> Response:
    """Return the newest picture of a camera that was looked at."""
    door = door_of(request)
    door.require(request, "cameras", camera)
    _require_camera(door, camera)
    newest = door.sightings.seen.newest(camera)
    if newest is None:
        raise Problem(404, "not-found", f"no picture of the camera {camera} was looked at lately")
    picture = await _picture(door, newest, drawn=annotated)
    if picture is None:
        raise Problem(404, "not-found", f"the newest picture of the camera {camera} is not on Kafka any more")
    data, kind, headers = picture
    return Response(data, media_type=kind, headers={**headers, "Cache-Control": "no-store"})


@router.get(
    "/v1/cameras/{camera}/frames",
    response_class=Response,
    responses={
        **problems(404, 422),
        200: {
            "description": "A part for each picture, oldest first, with its identity in the part's headers",
            "content": {"multipart/mixed": {"schema": {"type": "string", "format": "binary"}}},
        },
    },
)
async def frames(
    request: Request,
    camera: CameraPath,
    *,
    begin: Annotated[Moment | None, Query(alias="from")] = None,
    to: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
    annotated: Drawn = False,
) -> Response:
    """Return a camera's pictures that were captured between two times and looked at, the newest `limit` of them.

    Frames are on Kafka for minutes; what is gone is left out.
    """
    door = door_of(request)
    door.require(request, "cameras", camera)
    _require_camera(door, camera)
    from_ns, to_ns = ns_of(begin, 0), ns_of(to, LAST_NS)
    chosen = door.sightings.seen.between(camera, from_ns, to_ns, limit)
    return StreamingResponse(
        _parts(door, chosen, drawn=annotated), media_type=f"multipart/mixed; boundary={BOUNDARY}"
    )  # fmt: skip


async def _parts(door: Door, chosen: list[SeenFrame], *, drawn: bool) -> AsyncIterator[bytes]:
    for one in chosen:
        try:
            picture = await _picture(door, one, drawn=drawn)
        except Problem:
            break  # the client sees that the last boundary is missing
        if picture is not None:
            data, kind, headers = picture
            lines = [f"--{BOUNDARY}", f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            yield "\r\n".join([*lines, "", ""]).encode() + data + b"\r\n"
    else:
        yield f"--{BOUNDARY}--\r\n".encode()


async def _picture(door: Door, one: SeenFrame, *, drawn: bool) -> tuple[bytes, str, dict[str, str]] | None:
    """Return a picture, its type, and who it is; None where it is gone. Raises Problem."""
    try:
        data = await asyncio.to_thread(door.sightings.frame, one)
    except KafkaProblem as problem:
        raise Problem(503, "kafka", str(problem), retry_after_s=COME_AGAIN_S) from None
    if data is None:
        return None
    answer = decode(Detections, one.answer)
    headers = {
        "X-Groundcam-Camera": answer.camera_id, "X-Groundcam-Run": answer.frame.run_id,
        "X-Groundcam-Seq": str(answer.frame.seq), "X-Groundcam-Captured-At-Ns": str(answer.captured_at_ns),
        "X-Groundcam-Detections": answer.id,
    }  # fmt: skip
    if drawn:
        return await asyncio.to_thread(draw_in, data, answer, MAX_PIXELS), "image/jpeg", headers
    return data, f"image/{encoding_of(data) or 'jpeg'}", headers


def _require_camera(door: Door, camera: str) -> None:
    if camera not in door.boards.cameras and door.sightings.seen.newest(camera) is None:
        raise Problem(404, "not-found", f"there is no camera {camera}")
