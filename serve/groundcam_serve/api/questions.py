"""What cameras are asked: read, set, taken back; and what workers say of it."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.send_now import send_now
from groundcam_runtime.printable import printable
from groundcam_runtime.verdicts import Outcome, outcome, verdict_on
from groundcam_schemas import CameraQuestion
from groundcam_schemas.questions import EVERY_CAMERA
from groundcam_serve import body
from groundcam_serve.api.answers import answered, problems
from groundcam_serve.api.versions import etag, require_version, tag
from groundcam_serve.asking import Asked, question_of
from groundcam_serve.door import COME_AGAIN_S, Door, door_of
from groundcam_serve.keys import Key
from groundcam_serve.problems import Problem

router = APIRouter(tags=["questions"])

MOST_BYTES = 256 * 1024
CameraPath = Annotated[str, Path(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,199})$", examples=["gate"])]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Asked"}}},
    }
}
ETAG = etag("the question")


class WorkerSays(BaseModel):
    """What a worker does with a question."""

    worker: str
    says: str = Field(examples=["takes it", "refuses it", "has not said"])
    reason: str | None = None


class QuestionInForce(BaseModel):
    """A question that was asked over Kafka."""

    camera_id: str
    """Or `*`, for every camera."""
    version: str
    set_by: str
    set_at_ns: int
    question: CameraQuestion
    workers: list[WorkerSays]


class QuestionsInForce(BaseModel):
    """Every one of them; where a camera has none, its workers' own holds."""

    questions: list[QuestionInForce]


class AskedOnce(BaseModel):
    """A question at the time at which it was asked."""

    set_by: str
    set_at_ns: int
    question: CameraQuestion | None
    """None where one was taken back."""


class QuestionsAsked(BaseModel):
    """What was asked, the newest first: as far as Kafka still had it when this service started, and since then."""

    questions: list[AskedOnce]


@router.get("/v1/questions", response_model=QuestionsInForce, responses=problems())
async def every(request: Request) -> Response:
    """Say what is asked, by whom and since when."""
    door = door_of(request)
    key = door.require(request, "read")
    shown = [_shown(door, one) for name, one in door.boards.questions.items() if is_about(key, name)]
    return answered(QuestionsInForce(questions=shown))


@router.get(
    "/v1/questions/{camera}",
    response_model=QuestionInForce,
    responses={**problems(404, 422), 200: {"headers": ETAG}},
)
async def one(request: Request, camera: CameraPath) -> Response:
    """Say what a camera, or `*`, is asked."""
    door = door_of(request)
    _require(door, request, "read", camera)
    known = door.boards.questions.get(camera)
    if known is None:
        raise Problem(404, "not-found", f"{_name(camera)} is asked nothing over Kafka: its workers' own question holds")
    # The tag is the question's, for If-Match; what workers say of it comes later, so that no answer stands for another.
    return answered(_shown(door, known), headers={"ETag": tag(known.version), "Cache-Control": "no-store"})


@router.get("/v1/questions/{camera}/history", response_model=QuestionsAsked, responses=problems(422))
async def history(request: Request, camera: CameraPath) -> Response:
    """Say what a camera, or `*`, was asked before, and by whom."""
    door = door_of(request)
    _require(door, request, "read", camera)
    asked = [
        AskedOnce(
            set_by=one.question.set_by if one.question else "",
            set_at_ns=one.question.set_at_ns if one.question else one.at_ns,
            question=one.question,
        )
        for one in door.boards.asked(camera)
    ]
    return answered(QuestionsAsked(questions=asked))


@router.put(
    "/v1/questions/{camera}",
    response_model=QuestionInForce,
    responses={**problems(400, 404, 408, 412, 413, 415, 422, 503), 200: {"headers": ETAG}},
    openapi_extra=BODY,
)
async def put(
    request: Request,
    camera: CameraPath,
    *,
    wait_s: Annotated[float, Query(ge=0, le=30)] = 5.0,
    force: bool = False,
) -> Response:
    """Ask a camera, or every one (`*`), another question; the workers' verdict comes back.

    With `If-Match: "VERSION"` only where that one holds still. What all workers refuse is taken back again. `force`
    asks a camera that nobody knows yet.
    """
    door = door_of(request)
    key = _require(door, request, "ask", camera)
    body.require_json(request)
    asked = body.json_of(await body.read(request, MOST_BYTES, door.settings.body_timeout_s), Asked)
    question = question_of(asked)
    if not force and camera != EVERY_CAMERA and camera not in door.boards.cameras:
        raise Problem(404, "not-found", f"there is no camera {camera} (force=true asks one that is to come)")
    message = CameraQuestion(**dict(question), camera_id=camera, set_by=key.name, set_at_ns=time.time_ns())
    async with door.asking(camera):
        before = _require_version(door, request, camera)
        verdicts = {one.worker_id: verdict.at_ns for one in door.boards.workers if (verdict := verdict_on(one, camera))}
        await _send(door, camera, message)
        found = await _verdict(door, camera, message.version, verdicts, wait_s)
        if found.refuses and found.is_known and not found.takes:
            await _send(door, camera, before)
            why = f"question: the model refuses it, and the one before holds: {found.refuses[0][1]}"
            raise Problem(422, "unprocessable", why, field="question")
    return answered(_shown(door, message), headers={"ETag": tag(message.version)})


@router.delete("/v1/questions/{camera}", status_code=204, responses=problems(404, 412, 422, 503))
async def take_back(request: Request, camera: CameraPath) -> Response:
    """Take a question back: the workers' own holds again."""
    door = door_of(request)
    _require(door, request, "ask", camera)
    async with door.asking(camera):
        if _require_version(door, request, camera) is None:
            raise Problem(404, "not-found", f"{_name(camera)} is asked nothing over Kafka")
        await _send(door, camera, None)
    return Response(status_code=204)


async def _verdict(door: Door, camera: str, version: str, before: dict[str, int], wait_s: float) -> Outcome:
    """Return what workers say, once all have or the time is over."""

    def found() -> Outcome:
        return outcome(door.boards.workers, camera, version, before, time.time_ns())

    await door.boards.until(lambda: found().is_known, wait_s)
    return found()


async def _send(door: Door, camera: str, message: CameraQuestion | None) -> None:
    """Return once the question is on Kafka, and on our own board. Raises Problem."""
    record = Record.of(door.kafka.topics.prompts, message, camera)
    try:
        await asyncio.to_thread(send_now, door.kafka, [record], "the question")
    except KafkaProblem as problem:
        raise Problem(503, "kafka", str(problem), retry_after_s=COME_AGAIN_S) from None
    await door.boards.until(lambda: door.boards.questions.get(camera) == message, COME_AGAIN_S)


def _require_version(door: Door, request: Request, camera: str) -> CameraQuestion | None:
    """Return what holds, if it is what the client says that it is. Raises Problem."""
    known = door.boards.questions.get(camera)
    require_version(request, known.version if known else None, f"{_name(camera)} is asked")
    return known


def _require(door: Door, request: Request, scope: Any, camera: str) -> Key:
    key = door.require(request, scope, None if camera == EVERY_CAMERA else camera)
    if not is_about(key, camera):
        raise Problem(403, "not-allowed", f"{printable(key.name)} may see some cameras only")
    return key


def is_about(key: Key, camera: str) -> bool:
    """Whether a key may read what a camera, or `*`, is asked."""
    return key.cameras is None if camera == EVERY_CAMERA else key.may_see(camera)


def _shown(door: Door, question: CameraQuestion) -> QuestionInForce:
    says = []
    for worker in door.boards.workers:
        verdict = verdict_on(worker, question.camera_id)
        if verdict is None or verdict.version not in {question.version, ""}:
            says.append(WorkerSays(worker=worker.worker_id, says="has not said"))
        else:
            taken = "takes it" if verdict.refused is None else "refuses it"
            says.append(WorkerSays(worker=worker.worker_id, says=taken, reason=verdict.refused))
    return QuestionInForce(
        camera_id=question.camera_id, version=question.version, set_by=question.set_by, set_at_ns=question.set_at_ns,
        question=question, workers=says,
    )  # fmt: skip


def _name(camera: str) -> str:
    return "every camera" if camera == EVERY_CAMERA else f"the camera {camera}"
