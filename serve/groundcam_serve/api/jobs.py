"""Videos: sent once, answered frame by frame over the recordings topic, fetched as JSON lines."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from groundcam_serve.api.answers import answered, problems
from groundcam_serve.asking import asked_in, question_of
from groundcam_serve.body import ClientGoneError, announced
from groundcam_serve.door import COME_AGAIN_S, Door, door_of
from groundcam_serve.jobs.runner import Film, JobRunner
from groundcam_serve.jobs.store import Job, JobState
from groundcam_serve.problems import Problem

router = APIRouter(tags=["jobs"])

JobPath = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
KINDS = ("video/mp4", "application/octet-stream")
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("video/mp4", "application/octet-stream")
        },
    }
}
PORTION = 500


class JobStatus(BaseModel):
    """How far a job is."""

    id: str
    state: JobState
    progress: float | None = None
    """From 0 to 1, once it is known how many frames there are."""
    frames: int | None = None
    answered: int
    results: str = Field(examples=["/v1/jobs/0123456789abcdef/results"])
    reason: str | None = None
    """Why it failed."""


class Jobs(BaseModel):
    """Every job of this key."""

    jobs: list[JobStatus]


@router.post("/v1/jobs", status_code=202, response_model=JobStatus, openapi_extra=BODY,
             responses=problems(408, 413, 422, 501, 503))  # fmt: skip
async def begin(
    request: Request,
    *,
    question: Annotated[str | None, Query(max_length=8_000, examples=["person, forklift:0.4"])] = None,
    box_threshold: Annotated[float | None, Query(ge=0, le=1)] = None,
    text_threshold: Annotated[float | None, Query(ge=0, le=1)] = None,
    max_objects: Annotated[int | None, Query(ge=1, le=1000)] = None,
    fps: Annotated[float | None, Query(gt=0, le=1000)] = None,
) -> Response:
    """Send a video, of any container that FFmpeg knows; every frame of it is answered, or `fps` of each second."""
    door = door_of(request)
    key = door.require(request, "detect")
    runner = _runner(door)
    given = {"question": question, "box_threshold": box_threshold, "text_threshold": text_threshold,
             "max_objects": max_objects}  # fmt: skip
    asked = question_of(asked_in({name: str(value) for name, value in given.items() if value is not None}))
    if reason := door.boards.not_ready():
        raise Problem(503, "no-worker", f"no worker is ready: {reason}", retry_after_s=COME_AGAIN_S)
    size = announced(request, door.settings.max_job_bytes)
    if not runner.has_room(size):
        raise _full(runner)
    job_id, film = runner.new_film()
    job = Job(job_id, key.name, time.monotonic())
    is_begun = False
    try:
        await _save(request, runner, film, size, door.settings.body_timeout_s)
        is_begun = runner.begin(job, film, asked, fps)
        if not is_begun:
            raise Problem(503, "overloaded", "too many jobs are at work", retry_after_s=COME_AGAIN_S)
    finally:
        if not is_begun:
            runner.release(film)
    return answered(_status(job), 202, {"Location": f"/v1/jobs/{job_id}"})


@router.get("/v1/jobs", response_model=Jobs, responses=problems(501))
async def every(request: Request) -> Response:
    """Say how far each job of this key is."""
    door = door_of(request)
    key = door.require(request, "detect")
    return answered(Jobs(jobs=[_status(job) for job in _runner(door).store.of(key.name, time.monotonic())]))


@router.get("/v1/jobs/{job}", response_model=JobStatus, responses=problems(404, 422, 501))
async def status(request: Request, job: JobPath) -> Response:
    """Say how far a job is."""
    return answered(_status(_job(request, job)))


@router.get(
    "/v1/jobs/{job}/results",
    response_class=StreamingResponse,
    responses={
        **problems(404, 422, 501),
        200: {
            "description": "Detections and gaps, one a line, as they came",
            "content": {"application/jsonl": {"schema": {"type": "string"}}},
        },
    },
)
async def results(
    request: Request, job: JobPath, *, begin: Annotated[int, Query(alias="from", ge=0, le=2**31)] = 0
) -> Response:
    """Return what there is so far, from line `from` on: a film's frames as Detections and gaps, one a line."""
    lines = _job(request, job).lines[begin:]

    async def text() -> AsyncIterator[bytes]:
        for first in range(0, len(lines), PORTION):
            yield "".join(f"{line}\n" for line in lines[first : first + PORTION]).encode()

    return StreamingResponse(text(), media_type="application/jsonl")


@router.delete("/v1/jobs/{job}", status_code=204, responses=problems(404, 422, 501))
async def cancel(request: Request, job: JobPath) -> Response:
    """End a job, if it is not through, and forget its results."""
    found = _job(request, job)
    _runner(door_of(request)).cancel(found)
    return Response(status_code=204)


def _runner(door: Door) -> JobRunner:
    """Raise Problem where films cannot be decoded here."""
    if door.jobs is None:
        raise Problem(501, "not-here", "films are not decoded here: pip install 'groundcam[serve,producer]'")
    return door.jobs


def _job(request: Request, job_id: str) -> Job:
    door = door_of(request)
    key = door.require(request, "detect")
    found = _runner(door).store.find(job_id, key.name, time.monotonic())
    if found is None:
        raise Problem(404, "not-found", f"there is no job {job_id}")
    return found


def _status(job: Job) -> JobStatus:
    return JobStatus(
        id=job.id, state=job.state, progress=job.progress, frames=job.frames, answered=len(job.seen),
        results=f"/v1/jobs/{job.id}/results", reason=job.reason or None,
    )  # fmt: skip


def _full(runner: JobRunner) -> Problem:
    why = f"films of {runner.bytes} bytes lie here already"
    return Problem(503, "overloaded", why, retry_after_s=COME_AGAIN_S)


async def _save(request: Request, runner: JobRunner, film: Film, most: int, silence_s: float) -> None:
    """Write a body to a file as it comes. Raises Problem where it is too large, or falls silent."""
    with film.path.open("wb") as out:
        while True:
            try:
                message = await asyncio.wait_for(request.receive(), silence_s)
            except TimeoutError:
                raise Problem(408, "slow-body", f"nothing of the body came for {silence_s:g} s") from None
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk = message.get("body", b"")
            if film.size + len(chunk) > most:
                raise Problem(413, "too-large", f"the film is larger than {most} bytes")
            if not runner.grow(film, len(chunk)):
                raise _full(runner)
            await asyncio.to_thread(out.write, chunk)
            if not message.get("more_body", False):
                break
    if not film.size:
        raise Problem(422, "unprocessable", "the body is empty")
