"""The application: routes, what a problem looks like, and the API's description."""

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Match

from groundcam_runtime.events.zones import ZonesForm
from groundcam_schemas import times
from groundcam_serve.api import (
    detect,
    detections,
    events,
    frames,
    health,
    jobs,
    preview,
    questions,
    session,
    state,
    wall,
    zones,
)
from groundcam_serve.api.detect import DetectRequest
from groundcam_serve.api.session import LoginRequest
from groundcam_serve.api.state import ChosenModel
from groundcam_serve.asking import Asked
from groundcam_serve.body import ClientGoneError
from groundcam_serve.clients import roboflow, supervisely
from groundcam_serve.clients.background import Background
from groundcam_serve.clients.roboflow import InferRequest
from groundcam_serve.console.files import console_files
from groundcam_serve.docs_page import docs_page
from groundcam_serve.door import Door
from groundcam_serve.entrance import Entrance
from groundcam_serve.problems import MEDIA_TYPE, Problem, ProblemDocument
from groundcam_serve.sessions import COOKIE

SHOWN = (Asked, DetectRequest, ChosenModel, ZonesForm, LoginRequest, InferRequest, ProblemDocument)
"""Models that routes name by hand."""
CLIENT_GONE = 499
"""nginx's own number; nobody reads it but the metrics."""
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def app_of(door: Door) -> FastAPI:
    """Return the application in front of a door."""
    app = FastAPI(
        title="groundcam", version=door.version, docs_url=None, redoc_url=None, openapi_url=None,
        summary="Pictures and a written question go in, boxes come out.",
    )  # fmt: skip
    app.state.door, app.state.background = door, Background()
    own = (detect, questions, state, health, frames, preview, zones, detections, events, jobs, session, wall)
    for router in (*(one.router for one in own), roboflow.router, supervisely.router):
        app.include_router(router)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    _add_pages(app, door)
    app.add_exception_handler(Problem, _refuse)
    app.add_exception_handler(HTTPException, _refuse_as_starlette)
    app.add_exception_handler(RequestValidationError, _refuse_fields)
    app.add_exception_handler(ClientGoneError, _nobody_there)
    app.add_middleware(Entrance, door=door)
    return app


def _add_pages(app: FastAPI, door: Door) -> None:
    @app.get("/openapi.json", include_in_schema=False)
    async def description() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()), headers=PAGE_HEADERS)

    @app.get("/", include_in_schema=False)
    async def first() -> RedirectResponse:
        return RedirectResponse("/console/" if door.wall else "/docs")

    if door.wall:
        app.mount("/console", console_files())

    @app.api_route("/healthz", methods=["GET", "HEAD"], include_in_schema=False)
    async def live() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.api_route("/readyz", methods=["GET", "HEAD"], include_in_schema=False)
    async def ready() -> PlainTextResponse:
        reason = door.exchange.kafka_trouble or door.boards.not_ready()
        return PlainTextResponse(f"{reason or 'ok'}\n", 503 if reason else 200)


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema:
        return app.openapi_schema
    described = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    _, definitions = models_json_schema(
        [(model, "validation") for model in SHOWN], ref_template="#/components/schemas/{model}"
    )
    parts = described.setdefault("components", {})
    parts.setdefault("schemas", {}).update(definitions["$defs"])
    for schema in parts["schemas"].values():
        if fields := schema.get("properties"):
            schema["properties"] = times.described(fields)
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    door: Door = app.state.door
    ways = {"keys": ("bearer", "key", "session"), "both": ("bearer", "key", "session"), "users": ("session",)}
    described["security"] = [{name: []} for name in ways.get(door.visitors.login, ())] or [{}]
    app.openapi_schema = described
    return described


def _answer(problem: Problem) -> Response:
    return JSONResponse(problem.document, problem.status, problem.headers, MEDIA_TYPE)


async def _refuse(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)  # noqa: S101 - for the type checker
    request.app.state.door.metrics.refused(problem.kind)
    return _answer(problem)


async def _refuse_as_starlette(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - for the type checker
    kinds = {404: "not-found", 405: "no-such-method"}
    kind = kinds.get(error.status_code, "bad-request")
    details = {
        "not-found": "there is nothing at this address; /docs says what there is",
        "no-such-method": f"{request.method[:20]} does nothing here",
    }
    headers = dict(error.headers or {})
    if kind == "no-such-method":
        headers["Allow"] = ", ".join(_methods(request))
    problem = Problem(error.status_code, kind, details.get(kind, str(error.detail)), headers=headers)
    return await _refuse(request, problem)


def _methods(request: Request) -> list[str]:
    """Return what an address can be asked, by any of its routes."""
    routes = [one for one in _leaves(request.app.router.routes) if one.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for one in routes for method in getattr(one, "methods", None) or ()})


def _leaves(routes: Iterable[Any]) -> Iterator[Any]:
    """Yield routes, and those of routers that were included."""
    for one in routes:
        within = getattr(one, "routes", None) or getattr(getattr(one, "original_router", None), "routes", None)
        if within:
            yield from _leaves(within)
        else:
            yield one


async def _refuse_fields(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    message = first["msg"].removeprefix("Value error, ")
    return await _refuse(
        request, Problem(422, "unprocessable", f"{field}: {message[:1].lower()}{message[1:]}", field=field)
    )


async def _nobody_there(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)
