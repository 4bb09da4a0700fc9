"""POST /v1/detect: pictures and a question, in JSON, as a form, or as the picture itself."""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.datastructures import UploadFile
from starlette.responses import Response

from groundcam_runtime.pictures.decoding import decode_picture
from groundcam_runtime.pictures.drawing import draw, jpeg
from groundcam_runtime.pictures.errors import PictureError
from groundcam_schemas import Detections, Question
from groundcam_serve import body
from groundcam_serve.api.answers import DetectResponse, found, problems
from groundcam_serve.asking import Asked, asked_in, question_of
from groundcam_serve.door import Door, door_of
from groundcam_serve.fetching import fetch
from groundcam_serve.pictures import Picture, encoding_of, picture_of
from groundcam_serve.problems import Problem

router = APIRouter(tags=["pictures"])

JSON, FORM = "application/json", "multipart/form-data"
RAW = ("image/jpeg", "image/png", "image/webp", "application/octet-stream", "application/x-www-form-urlencoded", "")
"""curl --data-binary says the second last where it is told nothing."""
MOST_IN_FORM = 256
FIELDS = tuple(name for name in Asked.model_fields if name != "regions")


ONE_OF: list[Any] = [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("data", "url")]


class PictureIn(BaseModel):
    """One picture, inline or by its address."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, json_schema_extra={"oneOf": ONE_OF})

    data: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})] | None = None
    """A JPEG, PNG or WebP in base64."""
    url: Annotated[str, Field(max_length=2048)] | None = None
    """https, on a host that serve.url_hosts allows."""

    @model_validator(mode="after")
    def _is_one(self) -> "PictureIn":
        if (self.data is None) == (self.url is None):
            raise ValueError("a picture has data or a url")
        return self


class DetectRequest(Asked):
    """Pictures, and what to look for in them."""

    images: Annotated[list[PictureIn], Field(min_length=1, max_length=256)]
    timeout_s: Annotated[float, Field(gt=0, le=600)] | None = None
    """How long to wait for the answer."""


SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/DetectRequest"}},
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {
                        "image": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}},
                        "request": {"$ref": "#/components/schemas/Asked"},
                        **{name: {"type": "string"} for name in FIELDS},
                    },
                },
                "encoding": {"request": {"contentType": JSON}, "image": {"contentType": ", ".join(RAW[:3])}},
            },
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in RAW[:4]},
        },
    }
}
RESPONSES = problems(400, 408, 413, 415, 422, 429, 500, 503, 504)
RESPONSES[200] = {
    "description": "What was found; or, asked with `Accept: image/jpeg`, the picture with it",
    "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
}

Part = Annotated[float | None, Query(ge=0, le=1)]


@router.post("/v1/detect", response_model=DetectResponse, responses=RESPONSES, openapi_extra=SCHEMA)
async def detect(
    request: Request,
    *,
    question: Annotated[str | None, Query(max_length=8_000, examples=["person, forklift:0.4"])] = None,
    box_threshold: Part = None,
    text_threshold: Part = None,
    nms_iou: Part = None,
    nms_across: bool | None = None,
    decoys: Annotated[str | None, Query(max_length=8_000)] = None,
    max_objects: Annotated[int | None, Query(ge=1, le=1000)] = None,
    class_scores: bool | None = None,
    timeout_s: Annotated[float | None, Query(gt=0, le=600)] = None,
) -> Response:
    """Look for what a question names in one or more pictures.

    The picture itself may be the body, with the question in the address; or a form with parts `image`; or JSON. With
    `Accept: image/jpeg` a single picture comes back with its boxes drawn in.
    """
    door = door_of(request)
    key = door.require(request, "detect")
    in_address = {
        "question": question, "box_threshold": box_threshold, "text_threshold": text_threshold, "nms_iou": nms_iou,
        "nms_across": nms_across, "decoys": decoys, "max_objects": max_objects, "class_scores": class_scores,
    }  # fmt: skip
    texts = {name: str(value) for name, value in in_address.items() if value is not None}
    async with door.memory.hold(body.announced(request, door.settings.max_body_bytes)):
        datas, asked, own_timeout_s = await _taken(request, door, texts)
        pictures = look_at(door, datas)
        timeout_s = own_timeout_s or timeout_s
        wants_picture = _prefers_jpeg(request.headers.get("accept", ""))
        if wants_picture and len(pictures) != 1:
            raise Problem(422, "unprocessable", "images: one picture at a time is drawn on")
        answers = await door.answer(request, key, pictures, asked, timeout_s)
        if wants_picture:
            drawn = await asyncio.to_thread(annotated, pictures[0].data, answers[0], door.settings.max_pixels)
            return Response(drawn, media_type="image/jpeg")
    return found(answers)


def look_at(door: Door, datas: Sequence[bytes]) -> list[Picture]:
    """Return pictures that may be sent. Raises Problem."""
    if not datas:
        raise Problem(422, "unprocessable", "images: there is none", field="images")
    if len(datas) > door.settings.max_pictures:
        why = f"images: there are {len(datas)}, more than {door.settings.max_pictures}"
        raise Problem(413, "too-large", why, field="images")
    return [
        picture_of(data, index, door.settings.max_pixels, door.max_picture_bytes) for index, data in enumerate(datas)
    ]


async def from_base64(text: str, index: int) -> bytes:
    """Return a picture's bytes; `data:` addresses are read, too. Raises Problem."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return await asyncio.to_thread(base64.b64decode, text, validate=True)
    except (binascii.Error, ValueError):
        raise Problem(422, "unprocessable", f"picture {index} is not in base64", picture=index) from None


def annotated(data: bytes, answer: Detections, max_pixels: int) -> bytes:
    """Return a JPEG of the picture with its objects drawn in. Raises Problem."""
    try:
        image = decode_picture(data, max_pixels)
    except PictureError as error:
        raise Problem(422, "unprocessable", f"picture 0: {error}", picture=0) from None
    return jpeg(draw(image, answer.objects, (answer.source_width, answer.source_height)))


async def _taken(request: Request, door: Door, texts: dict[str, str]) -> tuple[list[bytes], Question, float | None]:
    """Return the pictures' bytes, the question, and how long to wait."""
    limits = door.settings
    kind = request.headers.get("content-type", "")
    bare = kind.partition(";")[0].strip().lower()
    if bare not in (JSON, FORM, *RAW):
        raise Problem(415, "media-type", f"the body is {bare[:60]!r}, and no picture, form or JSON")
    if bare not in (JSON, FORM):
        question = question_of(asked_in(texts))
    data = await body.read(request, limits.max_body_bytes, limits.body_timeout_s)
    if bare == JSON:
        asked = body.json_of(data, DetectRequest)
        question = question_of(asked)
        return [await _data_of(one, index, door) for index, one in enumerate(asked.images)], question, asked.timeout_s
    if bare == FORM:
        return await _form(data, kind, texts)
    if encoding_of(data) is None:
        raise Problem(415, "media-type", "the body is no JPEG, PNG or WebP")
    return [data], question, None


async def _form(data: bytes, kind: str, texts: dict[str, str]) -> tuple[list[bytes], Question, float | None]:
    form = await body.form_of(data, kind, MOST_IN_FORM)
    given = [(name, one) for name, one in form.multi_items() if isinstance(one, UploadFile)]
    files = [await one.read() for name, one in given if name != "request"]
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    for name, one in given:
        if name == "request":  # browsers give a part with a type of its own a file's name
            fields[name] = (await one.read()).decode("utf-8", "replace")
    await form.close()
    if unknown := sorted(set(fields) - {*FIELDS, "request", "timeout_s"}):
        raise Problem(422, "unprocessable", f"{unknown[0][:60]}: there is no such field", field=unknown[0][:60])
    timeout_s = None
    if "timeout_s" in fields:
        try:
            timeout_s = float(fields.pop("timeout_s"))
        except ValueError:
            raise Problem(422, "unprocessable", "timeout_s: it is no number", field="timeout_s") from None
        if not 0 < timeout_s <= 600:
            raise Problem(422, "unprocessable", "timeout_s: it is from 0 to 600", field="timeout_s")
    if "request" in fields:
        return files, question_of(body.json_of(fields["request"].encode(), Asked)), timeout_s
    return files, question_of(asked_in({**texts, **fields})), timeout_s


async def _data_of(one: PictureIn, index: int, door: Door) -> bytes:
    if one.data is not None:
        return await from_base64(one.data, index)
    return await fetch(one.url or "", index, door.settings.url_hosts, door.max_picture_bytes)


def _prefers_jpeg(accept: str) -> bool:
    """Whether a JPEG is named, and JSON is not, or after it."""
    kinds = [one.partition(";")[0].strip().lower() for one in accept.split(",")]
    if "image/jpeg" not in kinds:
        return False
    return JSON not in kinds or kinds.index("image/jpeg") < kinds.index(JSON)
