"""The routes that Supervisely's clients call (`supervisely.nn.model.model_api.ModelAPI(url=...)`, and `Session`).

A client waits a second between two questions about an inference that has not begun, or has no results yet: so one is
said to run as soon as it is taken, and the answer with its results waits until there are some.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response
from starlette.types import Message

from groundcam_schemas import Detections
from groundcam_serve import body
from groundcam_serve.api.answers import JSON
from groundcam_serve.api.detect import FORM, look_at
from groundcam_serve.clients import supervisely_info as info
from groundcam_serve.clients import supervisely_shapes as shapes
from groundcam_serve.clients.background import Background
from groundcam_serve.clients.inferences import Inference
from groundcam_serve.clients.supervisely_info import asked_in
from groundcam_serve.clients.supervisely_shapes import Wanted
from groundcam_serve.door import Door, door_of
from groundcam_serve.fetching import fetch
from groundcam_serve.keys import Key
from groundcam_serve.pictures import Picture, picture_of
from groundcam_serve.problems import Problem

router = APIRouter(include_in_schema=False)
router.include_router(info.router)

MOST_FILES = 1024
"""Of an inference in the background: a folder of pictures comes in one request."""
AT_A_TIME = 16
"""Pictures of one in the background that wait for their answers together."""
WAIT_S = 5.0
"""Results are waited for so long before a client is told that there are none yet."""
PATIENCE_S = 120.0
"""In the background, for pictures that find no room."""
NAME = "inference_request_uuid"

NEEDS_PLATFORM = (
    "inference_image_id", "inference_image_id_async", "inference_batch_ids", "inference_batch_ids_async",
    "inference_project_id_async", "inference_video_id", "inference_video_id_async", "tracking_by_detection",
    "run_speedtest",
)  # fmt: skip


def background_of(request: Request) -> Background:
    """Return what runs in the background of the service."""
    background: Background = request.app.state.background
    return background


@router.post("/inference_image")
async def inference_image(request: Request) -> Response:
    """Look at one picture of a form."""
    answers, asked = await _of_form(request, 1)
    return JSONResponse(shapes.result_of(answers[0], asked))


@router.post("/inference_batch")
async def inference_batch(request: Request) -> Response:
    """Look at some pictures of a form."""
    answers, asked = await _of_form(request, door_of(request).settings.max_pictures)
    return JSONResponse([shapes.result_of(one, asked) for one in answers])


@router.post("/inference_image_url")
async def inference_image_url(request: Request) -> Response:
    """Look at a picture by its address."""
    door, state = await asked_in(request, "detect")
    key, asked, url = door.require(request, "detect"), shapes.wanted(state), state.get("image_url")
    if not isinstance(url, str):
        raise Problem(422, "unprocessable", "image_url: it is an address", field="image_url")
    data = await fetch(url, 0, door.settings.url_hosts, door.max_picture_bytes)
    answers = await door.answer(request, key, look_at(door, [data]), asked.question, None)
    return JSONResponse(shapes.result_of(answers[0], asked))


@router.post("/inference_batch_async")
async def inference_batch_async(request: Request) -> Response:
    """Begin to look at pictures of a form; the client comes back for the results."""
    door = door_of(request)
    key = door.require(request, "detect")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(door.memory.hold(body.announced(request, door.settings.max_body_bytes)))
        datas, state = await _form(request, door, MOST_FILES)
        asked, at_a_time = shapes.wanted(state), min(AT_A_TIME, door.settings.max_pictures)
        pictures = [
            picture_of(data, index, door.settings.max_pixels, door.max_picture_bytes)
            for index, data in enumerate(datas)
        ]
        # The request is answered at once: nobody listens on it while this is worked on.
        later = Request(request.scope, _never)

        async def work() -> AsyncGenerator[list[str], None]:
            for begin in range(0, len(pictures), at_a_time):
                answers = await _patiently(door, later, key, pictures[begin : begin + at_a_time], asked)
                yield [json.dumps(shapes.result_of(one, asked)) for one in answers]

        one = background_of(request).start(key.name, len(pictures), work, stack)
    return JSONResponse({"message": "Scheduled inference task.", NAME: one.uuid})


@router.post("/get_inference_progress")
@router.post("/get_inference_status")
async def inference_progress(request: Request) -> Response:
    """Say how far an inference is."""
    return JSONResponse(shapes.report_of(await _inference(request)))


@router.post("/pop_inference_results")
async def pop_results(request: Request) -> Response:
    """Return the results since the last time; they are JSON already."""
    one = await _inference(request)
    texts = await body.unless_gone(request, lambda: background_of(request).take(one, WAIT_S))
    rest = json.dumps({name: value for name, value in shapes.report_of(one).items() if name != "pending_results"})
    return Response(f'{rest[:-1]}, "pending_results": [{", ".join(texts)}]}}', media_type=JSON)


@router.post("/get_inference_result")
async def inference_result(request: Request) -> Response:
    """Say that nothing is left but the results that were fetched, as theirs does for pictures."""
    await _inference(request)
    return JSONResponse(None)


@router.post("/stop_inference")
async def stop(request: Request) -> Response:
    """Look at no more pictures of an inference."""
    if one := await _known(request):
        background_of(request).stop(one)
    return JSONResponse({"message": "Inference will be stopped.", "success": True})


@router.post("/clear_inference_request")
async def clear(request: Request) -> Response:
    """Forget an inference."""
    if one := await _known(request):
        background_of(request).forget(one)
    return JSONResponse({"success": True})


async def _nothing_here(request: Request) -> Response:
    name = request.url.path.strip("/")
    raise Problem(501, "not-here", f"{name} needs a Supervisely platform, and there is none here: send the pictures")


async def _other_ways(_request: Request) -> Response:
    raise Problem(501, "not-here", "models are chosen with POST /v1/models, and films are looked at by cameras")


for path in NEEDS_PLATFORM:
    router.add_api_route(f"/{path}", _nothing_here, methods=["POST"])
for path in ("inference_video_async", "get_deploy_settings", "deploy_from_api", "freeze_model", "tasks.stop"):
    router.add_api_route(f"/{path}", _other_ways, methods=["POST"])


async def _of_form(request: Request, most: int) -> tuple[list[Detections], Wanted]:
    """Return the answers for the pictures of a form, and what it asks. Raises Problem."""
    door = door_of(request)
    key = door.require(request, "detect")
    async with door.memory.hold(body.announced(request, door.settings.max_body_bytes)):
        datas, state = await _form(request, door, most)
        asked = shapes.wanted(state)
        return await door.answer(request, key, look_at(door, datas), asked.question, None), asked


async def _form(request: Request, door: Door, most: int) -> tuple[list[bytes], dict[str, Any]]:
    """Return the pictures and the state of a form. Raises Problem."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != FORM:
        raise Problem(415, "media-type", "the body is no form: the pictures are its files")
    data = await body.read(request, door.settings.max_body_bytes, door.settings.body_timeout_s)
    form = await body.form_of(data, kind, MOST_FILES)
    files = [one for one in form.getlist("files") if isinstance(one, UploadFile)]
    if not 1 <= len(files) <= most:
        raise Problem(422, "unprocessable", f"files: there are {len(files)}, and {most} may be", field="files")
    texts = [str(form.get(name) or "") for name in ("state", "settings")]
    state = shapes.state_in(next((one for one in texts if one not in {"", "{}"}), ""))
    return [await one.read() for one in files], state


async def _patiently(
    door: Door, request: Request, key: Key, pictures: Sequence[Picture], asked: Wanted
) -> list[Detections]:
    """Return answers; where too much waits, ask again later. Raises Problem."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await door.answer(request, key, pictures, asked.question, door.settings.max_timeout_s)
        except Problem as problem:
            wait_s = float(problem.headers.get("Retry-After", "1"))
            if problem.kind not in {"overloaded", "too-many"} or time.monotonic() + wait_s > until_s:
                raise
            await asyncio.sleep(wait_s)


async def _inference(request: Request) -> Inference:
    """Return the inference that a state names. Raises Problem."""
    if one := await _known(request):
        return one
    raise Problem(404, "not-found", f"{NAME}: there is no such inference", field=NAME)


async def _known(request: Request) -> Inference | None:
    door, state = await asked_in(request, "detect")
    key = door.require(request, "detect")
    if NAME not in state:
        raise Problem(422, "unprocessable", f"{NAME}: it is missing", field=NAME)
    return background_of(request).find(state[NAME], key.name)


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("nothing sets it")
