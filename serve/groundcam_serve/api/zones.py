"""Cameras' zones and lines: read, set, removed."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError
from starlette.responses import Response

from groundcam_runtime.events.zones import ZoneError, ZonesForm, form_of, message_of, sentence
from groundcam_runtime.kafka.camera_zones import send_zones
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_schemas import CameraZones
from groundcam_serve import body
from groundcam_serve.api.answers import answered, problems
from groundcam_serve.api.events import require_board
from groundcam_serve.api.versions import etag, require_version, tag, tags
from groundcam_serve.door import COME_AGAIN_S, Door, door_of
from groundcam_serve.problems import Problem

router = APIRouter(tags=["events"])

MOST_BYTES = 256 * 1024
CameraPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$", examples=["gate"])]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ZonesForm"}}},
    }
}
ETAG = etag("the zones and lines")


class ZonesInForce(ZonesForm):
    """A camera's zones and lines, and who set them."""

    camera_id: str
    version: str
    set_by: str
    set_at_ns: int


@router.get(
    "/v1/cameras/{camera}/zones",
    response_model=ZonesInForce,
    responses={**problems(404, 422, 503), 200: {"headers": ETAG}, 304: {"description": "They are those that you have"}},
)
async def one(request: Request, camera: CameraPath) -> Response:
    """Say which zones and lines a camera has."""
    door = door_of(request)
    door.require(request, "read", camera)
    await require_board(door)
    known = door.objects.zones.get(camera)
    if known is None:
        raise Problem(404, "not-found", f"the camera {camera} has no zones and lines")
    if tag(known.version) in tags(request, "if-none-match"):
        return Response(status_code=304, headers={"ETag": tag(known.version)})
    return _shown(known)


@router.put(
    "/v1/cameras/{camera}/zones",
    response_model=ZonesInForce,
    responses={**problems(400, 404, 408, 412, 413, 415, 422, 503), 200: {"headers": ETAG}},
    openapi_extra=BODY,
)
async def put(request: Request, camera: CameraPath, *, force: bool = False) -> Response:
    """Set a camera's zones and lines, in place of those that it has; they hold from the next frame that is followed.

    With `If-Match: "VERSION"` only where that one holds still. `force` sets those of a camera that nobody knows yet.
    """
    door = door_of(request)
    key = door.require(request, "ask", camera)
    body.require_json(request)
    form = _form(camera, await body.read(request, MOST_BYTES, door.settings.body_timeout_s))
    await require_board(door)
    if not force and camera not in door.boards.cameras and camera not in door.objects.zones:
        raise Problem(404, "not-found", f"there is no camera {camera} (force=true sets those of one that is to come)")
    try:
        message = message_of(camera, form, key.name, time.time_ns())
    except ZoneError as error:
        raise Problem(422, "unprocessable", str(error)) from None
    async with door.zoning:
        _require_version(door, request, camera)
        await _send(door, camera, message)
    return _shown(message)


@router.delete("/v1/cameras/{camera}/zones", status_code=204, responses=problems(404, 412, 422, 503))
async def remove(request: Request, camera: CameraPath) -> Response:
    """Remove a camera's zones and lines."""
    door = door_of(request)
    door.require(request, "ask", camera)
    await require_board(door)
    async with door.zoning:
        if _require_version(door, request, camera) is None:
            raise Problem(404, "not-found", f"the camera {camera} has no zones and lines")
        await _send(door, camera, None)
    return Response(status_code=204)


def _form(camera: str, data: bytes) -> ZonesForm:
    """Read a body. Raises Problem, whose sentence names the camera and the zone."""
    try:
        form = ZonesForm.model_validate_json(data)
    except ValidationError as invalid:
        problem = body.problem_of(invalid)
        if problem.status == 400:
            raise problem from None
        field = problem.document.get("field")
        raise Problem(422, "unprocessable", sentence(camera, invalid), field=field) from None
    if not (form.zones or form.lines):
        raise Problem(422, "unprocessable", f"{camera}: there is no zone and no line (DELETE removes them)")
    return form


def _require_version(door: Door, request: Request, camera: str) -> CameraZones | None:
    """Return what holds, if it is what the client says that it is. Raises Problem."""
    known = door.objects.zones.get(camera)
    require_version(request, known.version if known else None, f"the zones of the camera {camera} are")
    return known


async def _send(door: Door, camera: str, message: CameraZones | None) -> None:
    """Return once the zones are on Kafka, and on our own board. Raises Problem."""
    try:
        await asyncio.to_thread(send_zones, door.kafka, {camera: message})
    except KafkaProblem as problem:
        raise Problem(503, "kafka", str(problem), retry_after_s=COME_AGAIN_S) from None
    await door.objects.until(lambda: door.objects.zones.get(camera) == message, COME_AGAIN_S)


def _shown(zones: CameraZones) -> Response:
    form = form_of(zones)
    shown = ZonesInForce.model_construct(
        zones=form.zones, lines=form.lines, anchor=form.anchor, camera_id=zones.camera_id, version=zones.version,
        set_by=zones.set_by, set_at_ns=zones.set_at_ns,
    )  # fmt: skip
    return answered(shown, headers={"ETag": tag(zones.version)})
