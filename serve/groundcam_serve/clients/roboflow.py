"""POST /grounding_dino/infer as Roboflow Inference has it, so that its clients and `supervision` work unchanged.

The key may stand in the body (`api_key`), as theirs does, where no header has one; so such a body is read before it is
known who sends it, within a memory of its own. Numpy arrays are refused: they would have to be unpickled.
"""

import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator
from starlette.responses import Response

from groundcam_schemas import Detections, Question
from groundcam_schemas.limits import Fraction
from groundcam_serve import body
from groundcam_serve.api.answers import JSON, problems
from groundcam_serve.api.detect import from_base64, look_at
from groundcam_serve.asking import Asked, Classes, question_of
from groundcam_serve.door import Door, door_of
from groundcam_serve.fetching import fetch

router = APIRouter(tags=["clients of other systems"])

THRESHOLD = 0.5
"""Theirs, where a request names none."""

T = TypeVar("T")


class ImageIn(BaseModel):
    """One picture, inline or by its address."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    type: Literal["base64", "url"]
    value: str
    """base64, also behind `data:image/jpeg;base64,`; or an https address on a host that serve.url_hosts allows."""

    @field_validator("type", mode="before")
    @classmethod
    def _is_no_pickle(cls, given: object) -> object:
        if given in ("numpy", "numpy_object"):
            raise ValueError("arrays would have to be unpickled, which can run anything: send base64")
        return given


def _one_or_more(one: T | list[T]) -> str:
    return "several" if isinstance(one, list) else "one"


class InferRequest(BaseModel):
    """Pictures, and the classes to look for; other fields of theirs (id, source, model versions) change nothing."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    image: Annotated[
        Annotated[ImageIn, Tag("one")]
        | Annotated[Annotated[list[ImageIn], Field(min_length=1, max_length=256)], Tag("several")],
        Discriminator(_one_or_more),
    ]
    text: Annotated[Classes, Field(min_length=1, examples=[["person", "forklift"]])]
    box_threshold: Fraction = THRESHOLD
    text_threshold: Fraction = THRESHOLD
    class_agnostic_nms: bool | None = None
    """Whether overlapping boxes of different classes are merged, too."""
    api_key: str | None = None
    """The key, where no header has one."""


class Prediction(BaseModel):
    """One object; x and y are of its centre."""

    x: float
    y: float
    width: float
    height: float
    confidence: float
    name: str = Field(serialization_alias="class")
    class_id: int
    detection_id: str


class ImageSize(BaseModel):
    """In pixels, upright."""

    width: int
    height: int


class InferResponse(BaseModel):
    """What was found in one picture."""

    inference_id: str
    time: float
    """Seconds from the request to its answer."""
    image: ImageSize
    predictions: list[Prediction]


SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/InferRequest"}}},
    }
}


@router.post(
    "/grounding_dino/infer", response_model=InferResponse | list[InferResponse],
    responses=problems(400, 408, 413, 415, 422, 429, 500, 503, 504), openapi_extra=SCHEMA,
)  # fmt: skip
async def infer(request: Request) -> Response:
    """Look for classes in a picture, or in a list of them, as Roboflow Inference is asked. A list answers a list."""
    door, began_s = door_of(request), time.monotonic()
    body.require_json(request)
    async with AsyncExitStack() as held:
        size = body.announced(request, door.settings.max_body_bytes)
        if door.may_be_read(request):
            door.require(request, "detect")
        else:
            await held.enter_async_context(door.strangers.hold(size))
        await held.enter_async_context(door.memory.hold(size))
        data = await body.read(request, door.settings.max_body_bytes, door.settings.body_timeout_s)
        asked = body.json_of(data, InferRequest)
        key = door.require(request, "detect", own_key=asked.api_key or "")
        question = wanted(asked)
        images = asked.image if isinstance(asked.image, list) else [asked.image]
        pictures = look_at(door, [await _data_of(one, index, door) for index, one in enumerate(images)])
        answers = await door.answer(request, key, pictures, question, None)
    names = names_of(asked.text, question.labels)
    found = [response_of(one, names, time.monotonic() - began_s) for one in answers]
    texts = [one.model_dump_json(by_alias=True) for one in found]
    return Response(f"[{','.join(texts)}]" if isinstance(asked.image, list) else texts[0], media_type=JSON)


def wanted(asked: InferRequest) -> Question:
    """Return what is asked. Raises Problem."""
    return question_of(
        Asked(
            question=asked.text, box_threshold=asked.box_threshold, text_threshold=asked.text_threshold,
            nms_across=bool(asked.class_agnostic_nms),
        )
    )  # fmt: skip


def names_of(texts: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """Return what classes are called in the answer: as the client wrote them, where that is plain."""
    if len(texts) != len(labels):
        return tuple(labels)
    pairs = zip(texts, labels, strict=True)
    return tuple(text if " ".join(text.lower().split()) == label else label for text, label in pairs)


def response_of(answer: Detections, names: Sequence[str], took_s: float) -> InferResponse:
    """Return an answer in their shape."""
    predictions = []
    for one in answer.objects:
        x1, y1, x2, y2 = one.box
        predictions.append(
            Prediction(
                x=(x1 + x2) / 2, y=(y1 + y2) / 2, width=x2 - x1, height=y2 - y1, confidence=one.score,
                name=names[one.class_id], class_id=one.class_id, detection_id=str(uuid.uuid4()),
            )
        )  # fmt: skip
    size = ImageSize(width=answer.source_width, height=answer.source_height)
    return InferResponse(inference_id=answer.id, time=took_s, image=size, predictions=predictions)


async def _data_of(one: ImageIn, index: int, door: Door) -> bytes:
    if one.type == "url":
        return await fetch(one.value, index, door.settings.url_hosts, door.max_picture_bytes)
    # Many tools break lines of base64.
    return await from_base64("".join(one.value.split()), index)
