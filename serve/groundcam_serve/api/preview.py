"""POST /v1/cameras/{camera}/preview: what a question would find in a camera's last minute; nothing is changed."""

import asyncio
import base64
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.pictures.decoding import smaller_jpeg
from groundcam_runtime.pictures.errors import PictureError
from groundcam_serve import body
from groundcam_serve.api.answers import Found, answered, problems
from groundcam_serve.asking import Asked, question_of
from groundcam_serve.door import COME_AGAIN_S, Door, door_of
from groundcam_serve.pictures import Picture, picture_of
from groundcam_serve.problems import Problem
from groundcam_serve.wall.minutes import MINUTE_NS, Place

router = APIRouter(tags=["cameras"])

MOST = 12
MOST_BYTES = 256 * 1024
WIDTH, QUALITY = 640, 75
CameraPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$", examples=["gate"])]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Asked"}}},
    }
}


class PreviewPicture(BaseModel):
    """A picture, and what the question finds in it."""

    captured_at_ns: int
    picture: str = Field(json_schema_extra={"contentEncoding": "base64"})
    """A JPEG of at most 640 pixels' width."""
    result: Found


class Preview(BaseModel):
    """The last minute's pictures, oldest first; none where none lie on Kafka any more, or yet."""

    pictures: list[PreviewPicture]


@router.post(
    "/v1/cameras/{camera}/preview",
    response_model=Preview,
    responses=problems(400, 404, 408, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=BODY,
)
async def preview(
    request: Request, camera: CameraPath, *, limit: Annotated[int, Query(ge=1, le=MOST)] = MOST
) -> Response:
    """Try a question on up to 12 pictures of a camera's last minute."""
    door = door_of(request)
    door.require(request, "cameras", camera)
    key = door.require(request, "detect", camera)
    body.require_json(request)
    asked = body.json_of(await body.read(request, MOST_BYTES, door.settings.body_timeout_s), Asked)
    question = question_of(asked)
    if camera not in door.boards.cameras and door.sightings.seen.newest(camera) is None:
        raise Problem(404, "not-found", f"there is no camera {camera}")
    found = await asyncio.to_thread(_pictures, door, camera, limit)
    results = await door.answer(request, key, [one for one, _ in found], question, None) if found else []
    shown = [
        PreviewPicture(captured_at_ns=at_ns, picture=await _shown(one.data), result=Found.model_validate(dict(result)))
        for (one, at_ns), result in zip(found, results, strict=True)
    ]
    return answered(Preview(pictures=shown))


def spread(places: list[Place], most: int) -> list[Place]:
    """Return at most so many, from the first to the last in even steps. Pure."""
    if len(places) <= most:
        return places
    return [places[round(index * (len(places) - 1) / max(1, most - 1))] for index in range(most)]


def _pictures(door: Door, camera: str, most: int) -> list[tuple[Picture, int]]:
    """Return pictures of the last minute and when they were captured; what is gone is left out. Raises Problem."""
    now_ns = time.time_ns()
    seen = door.sightings.seen.between(camera, now_ns - MINUTE_NS, now_ns, MOST_BYTES)
    places = {(one.place, one.offset): Place(one.place, one.offset, one.captured_at_ns) for one in seen}
    if door.wall is not None:
        places.update({(one.partition, one.offset): one for one in door.wall.minute(camera)})
    found: list[tuple[Picture, int]] = []
    for one in spread(sorted(places.values(), key=lambda place: place.captured_at_ns), most):
        try:
            data = door.sightings.picture(one.partition, one.offset)
        except KafkaProblem as problem:
            raise Problem(503, "kafka", str(problem), retry_after_s=COME_AGAIN_S) from None
        if data is None:
            continue
        try:
            picture = picture_of(data, len(found), door.settings.max_pixels, door.max_picture_bytes)
        except Problem:  # a damaged one, or one that is too large: it is skipped, as the worker does
            continue
        found.append((picture, one.captured_at_ns))
    return found


async def _shown(data: bytes) -> str:
    try:
        data = await asyncio.to_thread(smaller_jpeg, data, WIDTH, QUALITY)
    except PictureError as error:
        raise Problem(422, "unprocessable", f"a picture of the camera cannot be shown: {error}") from None
    return base64.b64encode(data).decode()
