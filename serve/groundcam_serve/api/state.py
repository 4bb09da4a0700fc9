"""Workers, models and cameras, as they are now."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from groundcam_runtime.settings import SettingError
from groundcam_schemas import CameraStatus, WorkerStatus
from groundcam_serve import body
from groundcam_serve.api.answers import answered, problems
from groundcam_serve.api.questions import is_about
from groundcam_serve.door import Door, door_of
from groundcam_serve.keys import Key
from groundcam_serve.problems import Problem

router = APIRouter(tags=["workers and models"])

MOST_BYTES = 64 * 1024


class Workers(BaseModel):
    """Every worker that has told of itself lately."""

    workers: list[WorkerStatus]


class ModelHere(BaseModel):
    """A model that workers have, or are about to have."""

    asked_for: str = Field(examples=["demo"])
    """As a worker was told: a short name, a folder, or an id of the Hub."""
    name: str | None
    revision: str | None
    is_ready: bool
    state: str = Field(examples=["fetching", "ready"])
    """Of the worker that is furthest."""
    progress: float | None = None
    workers: int
    reason: str | None = None
    """Why there is none although one was asked for."""


class Models(BaseModel):
    """What answers."""

    models: list[ModelHere]


class ChosenModel(BaseModel):
    """Which model this service's own worker shall have."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    model: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]+$")] = Field(examples=["tiny"])
    """tiny, base, demo, a folder, an id of the Hub (owner/name@revision), or fake:5ms."""


ORDER = ("stopping", "starting", "fetching", "loading", "warming_up", "ready")


@router.get("/v1/workers", response_model=Workers, responses=problems())
async def workers(request: Request) -> Response:
    """Say what each worker is: its model, state, progress, precision and device, and its verdicts on questions."""
    door = door_of(request)
    key = door.require(request, "read")
    return answered(Workers(workers=[_within(key, one) for one in door.boards.workers]))


def _within(key: Key, worker: WorkerStatus) -> WorkerStatus:
    """Return it without its verdicts on cameras that whoever asks may not see."""
    verdicts = tuple(one for one in worker.verdicts if is_about(key, one.camera_id))
    return worker.model_copy(update={"verdicts": verdicts})


@router.get("/v1/models", response_model=Models, responses=problems())
async def models(request: Request) -> Response:
    """Say which models answer, or how far they are."""
    door = door_of(request)
    door.require(request, "read")
    return answered(Models(models=models_of(door)))


@router.post(
    "/v1/models", status_code=202, response_model=Models, responses=problems(400, 408, 413, 415, 422, 501),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ChosenModel"}}},
        }
    },
)  # fmt: skip
async def choose(request: Request) -> Response:
    """Start this service's own worker with a model, in the place of the one that it has. `GET` shows how far it is."""
    door = door_of(request)
    door.require(request, "models")
    worker = door.worker
    body.require_json(request)
    chosen = body.json_of(await body.read(request, MOST_BYTES, door.settings.body_timeout_s), ChosenModel)
    if worker is None:
        raise Problem(501, "not-here", "the workers of this service run elsewhere")
    try:
        await worker.replace(chosen.model)
    except SettingError as error:
        raise Problem(422, "unprocessable", f"model: {error}", field="model") from None
    return answered(Models(models=models_of(door)), 202)


@router.delete("/v1/models", status_code=204, responses=problems(404, 501))
async def remove(request: Request) -> Response:
    """End this service's own worker."""
    door = door_of(request)
    door.require(request, "models")
    if door.worker is None:
        raise Problem(501, "not-here", "the workers of this service run elsewhere")
    if not await door.worker.remove():
        raise Problem(404, "not-found", "there is no worker")
    return Response(status_code=204)


class Cameras(BaseModel):
    """Every camera that has told of itself."""

    cameras: list[CameraStatus]


@router.get("/v1/cameras", response_model=Cameras, responses=problems(), tags=["cameras"])
async def cameras(request: Request) -> Response:
    """Say what each camera does, and since when."""
    door = door_of(request)
    key = door.require(request, "read")
    return answered(Cameras(cameras=[one for name, one in door.boards.cameras.items() if key.may_see(name)]))


def models_of(door: Door) -> list[ModelHere]:
    """Return the models that workers have told of, and the one that this service's own worker starts with."""
    by_model: dict[str, list[WorkerStatus]] = {}
    for one in door.boards.workers:
        by_model.setdefault(one.asked_for, []).append(one)
    here = []
    for asked_for, some in sorted(by_model.items()):
        best = max(some, key=lambda one: ORDER.index(one.state.value))
        here.append(
            ModelHere(
                asked_for=asked_for, name=best.model.name if best.model else None,
                revision=best.model.revision if best.model else None, is_ready=best.state.value == "ready",
                state=best.state.value, progress=best.progress, workers=len(some), reason=best.reason,
            )
        )  # fmt: skip
    own = door.worker
    if own and own.model and own.model not in by_model:
        reason = own.died()
        state = "starting" if reason is None else "ended"
        here.append(
            ModelHere(
                asked_for=own.model, name=None, revision=None, is_ready=False, state=state, workers=0, reason=reason
            )
        )
    return here
