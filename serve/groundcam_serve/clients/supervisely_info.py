"""What Supervisely's clients ask of a model besides its answers."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from groundcam_schemas import WorkerState
from groundcam_serve import body
from groundcam_serve.api.state import models_of
from groundcam_serve.clients import supervisely_shapes as shapes
from groundcam_serve.door import COME_AGAIN_S, Door, door_of
from groundcam_serve.keys import Scope
from groundcam_serve.problems import Problem

router = APIRouter(include_in_schema=False)

MOST_STATE_BYTES = 1024 * 1024


async def asked_in(request: Request, scope: Scope = "read") -> tuple[Door, dict[str, Any]]:
    """Return the service and the state in a body. Raises Problem."""
    door = door_of(request)
    door.require(request, scope)
    data = await body.read(request, MOST_STATE_BYTES, door.settings.body_timeout_s)
    given = shapes.state_in(data.decode("utf-8", "replace"))
    state = given.get("state") or {}
    if not isinstance(state, dict):
        raise Problem(422, "unprocessable", "state: it is a map", field="state")
    return door, state


@router.api_route("/is_ready", methods=["GET", "POST"])
@router.api_route("/health", methods=["GET", "POST"])
async def is_ready(request: Request) -> Response:
    """Say whether somebody would answer; for probes, so without a key."""
    if reason := door_of(request).boards.not_ready():
        raise Problem(503, "no-worker", f"no worker is ready: {reason}", retry_after_s=COME_AGAIN_S)
    return JSONResponse({"status": "ready"})


@router.api_route("/livez", methods=["GET", "POST"])
@router.api_route("/is_alive", methods=["GET", "POST"])
@router.api_route("/is_running", methods=["GET", "POST"])
async def is_running() -> Response:
    """Say that the service runs."""
    return JSONResponse({"running": True, "mode": "production"})


@router.post("/get_session_info")
async def session_info(request: Request) -> Response:
    """Say what the service can do."""
    door, state = await asked_in(request)
    labels = len(shapes.wanted(state).labels)
    return JSONResponse(shapes.session_of(door.exchange.run_id, labels, door.settings.max_pictures))


@router.post("/get_deploy_info")
async def deploy_info(request: Request) -> Response:
    """Say which model answers."""
    door, _ = await asked_in(request)
    ready = [one for one in door.boards.workers if one.state is WorkerState.READY]
    if not ready:
        raise Problem(503, "no-worker", "no worker is ready", retry_after_s=COME_AGAIN_S)
    return JSONResponse(shapes.deployed_of(ready[0]))


@router.post("/get_custom_inference_settings")
async def inference_settings(request: Request) -> Response:
    """Say what may be set, and what holds where it is not."""
    await asked_in(request)
    return JSONResponse({"settings": shapes.DEFAULTS})


@router.post("/get_model_meta")
@router.post("/get_output_classes_and_tags")
async def model_meta(request: Request) -> Response:
    """Say which classes the settings of the request ask for: a part of each inference, and needs no other right."""
    _, state = await asked_in(request, "detect")
    return JSONResponse(shapes.meta_of(shapes.wanted(state).labels))


@router.post("/get_tracking_settings")
async def tracking_settings(request: Request) -> Response:
    """Say that a tracker has no settings here: nothing is tracked."""
    await asked_in(request)
    return JSONResponse({"botsort": {}})


@router.post("/is_deployed")
async def is_deployed(request: Request) -> Response:
    """Say whether somebody would answer."""
    door, _ = await asked_in(request)
    reason = door.boards.not_ready()
    return JSONResponse({"deployed": reason is None, "description:": reason or "Model is ready to receive requests"})


@router.post("/get_status")
async def status(request: Request) -> Response:
    """Say whether somebody would answer; how full their memories are, their metrics tell."""
    door, _ = await asked_in(request)
    reason, unknown = door.boards.not_ready(), {"allocated": None, "total": None}
    progress = {"message": reason or "Ready", "current": 0, "total": 1}
    return JSONResponse(
        {"is_deployed": reason is None, "progress": progress, "gpu_memory": unknown, "ram_memory": unknown}
    )


@router.post("/list_pretrained_models")
async def pretrained_models(request: Request) -> Response:
    """List the models that workers have."""
    door, _ = await asked_in(request)
    return JSONResponse([one.asked_for for one in models_of(door)])


@router.post("/list_pretrained_models_infos")
@router.post("/list_pretrained_model_infos")
async def pretrained_model_infos(request: Request) -> Response:
    """Say more of the models that workers have."""
    door, _ = await asked_in(request)
    found = [(one.asked_for, {"model_name": one.asked_for, "state": one.state}) for one in models_of(door)]
    return JSONResponse([{"model_name": name, "meta": meta} for name, meta in found])
