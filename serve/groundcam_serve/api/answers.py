"""What routes answer, and how that stands in the API's description."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from groundcam_schemas import Detections, Model, Object, QuestionRef, TimingsNs, with_times
from groundcam_serve.problems import MEDIA_TYPE, ProblemDocument

JSON = "application/json"


class Found(BaseModel):
    """What was found in one picture: the fields of Detections, without a camera and a place on Kafka."""

    model_config = ConfigDict(frozen=True)

    id: str
    source_width: int
    source_height: int
    """Of the picture, upright; boxes are in these pixels."""
    question: QuestionRef
    model: Model
    objects: tuple[Object, ...]
    timings_ns: TimingsNs


class DetectResponse(BaseModel):
    """One result for each picture, in their order."""

    results: tuple[Found, ...] = Field(
        examples=[
            [
                {
                    "id": "0c2f", "source_width": 640, "source_height": 480,
                    "question": {"id": "frame", "version": "9f2d", "classes": ["person"]},
                    "model": {"name": "demo", "revision": ""},
                    "objects": [{"label": "person", "class_id": 0, "score": 0.92, "box": [10.0, 20.0, 110.0, 220.0]}],
                    "timings_ns": {
                        "captured": 1, "published_to_kafka": 2, "consumed": 3, "batched": 4, "inferred": 5,
                        "published": 6,
                    },
                }
            ]
        ]
    )  # fmt: skip


def found(answers: Sequence[Detections]) -> Response:
    """Return the results as JSON."""
    results = tuple(
        Found.model_construct(
            id=one.id, source_width=one.source_width, source_height=one.source_height, question=one.question,
            model=one.model, objects=one.objects, timings_ns=one.timings_ns,
        )
        for one in answers
    )  # fmt: skip
    return answered(DetectResponse.model_construct(results=results))


def answered(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a model as JSON, each time also as text."""
    content = with_times(model.model_dump(mode="json"))
    return Response(json.dumps(content, separators=(",", ":"), ensure_ascii=False), status, headers, JSON)


PROBLEM: dict[str, Any] = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of these statuses, with those that any route may have."""
    texts = {
        400: "It cannot be read", 404: "There is no such thing", 406: "There is no such form", 408: "Too slow",
        409: "Something else holds", 412: "Changed meanwhile", 413: "Too large", 415: "Of no known type",
        422: "A field or a picture is wrong", 429: "The key's rate is used up", 500: "The detector fails on it",
        501: "Not here", 503: "Too much waits, or nobody is ready", 504: "No answer in time",
    }  # fmt: skip
    always = {401: "The key is missing or not known", 403: "Not for this key, or for another site's page",
              405: "No such method", 421: "No such host here"}  # fmt: skip
    chosen = {status: texts[status] for status in statuses} | always
    found: dict[int | str, dict[str, Any]] = {
        status: {"description": text, **PROBLEM} for status, text in chosen.items()
    }
    for status in (429, 503):
        if status in found:
            found[status]["headers"] = {
                "Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}
            }
    for status, what in ((414, "address is"), (431, "headers are")):
        found[status] = {"description": f"The {what} too long; the server's own answer, without a body"}
    found[401]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return found


__all__ = ["DetectResponse", "Found", "ProblemDocument", "answered", "found", "problems"]
