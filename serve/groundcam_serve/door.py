"""What every route uses: one function that answers pictures, and who may ask."""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from starlette.requests import HTTPConnection, Request

from groundcam_runtime.kafka.ends import EndWatcher
from groundcam_runtime.printable import printable
from groundcam_runtime.settings import KafkaSettings
from groundcam_runtime.tracing import CONTEXT_HEADERS, Header, Tracing
from groundcam_schemas import Detections, Question, Reply, ReplyProblem
from groundcam_serve.admission import Admission, Refusal
from groundcam_serve.body import Memory, unless_gone
from groundcam_serve.exchange import Exchange, LateError, NotTakenError
from groundcam_serve.following.best_pictures import BestPictures
from groundcam_serve.following.boards import Boards
from groundcam_serve.following.figures import Figures
from groundcam_serve.following.objects import ObjectBoard
from groundcam_serve.following.sightings import Sightings
from groundcam_serve.jobs.runner import JobRunner
from groundcam_serve.key_file import KeyFile
from groundcam_serve.keys import Key, Rates, Scope
from groundcam_serve.logins import Logins
from groundcam_serve.metrics import ServeMetrics
from groundcam_serve.pictures import Picture
from groundcam_serve.problems import Problem
from groundcam_serve.settings import ServeSettings
from groundcam_serve.user_file import UserFile
from groundcam_serve.visitors import Visitors
from groundcam_serve.wall.wall import Wall
from groundcam_serve.worker_process import WorkerProcess

T = TypeVar("T")
NS = 1_000_000_000
COME_AGAIN_S = 2.0
"""Until a worker may be ready."""


@dataclass(slots=True)
class Door:
    """The parts of a service, for its routes."""

    settings: ServeSettings
    kafka: KafkaSettings
    version: str
    exchange: Exchange
    boards: Boards
    sightings: Sightings
    figures: Figures
    objects: ObjectBoard
    keys: KeyFile
    metrics: ServeMetrics
    tracing: Tracing
    max_picture_bytes: int
    worker: WorkerProcess | None = None
    """Where the service runs the worker itself."""
    jobs: JobRunner | None = None
    """Where films can be decoded."""
    wall: Wall | None = None
    """Where the console is served."""
    ends: EndWatcher | None = None
    """The same."""
    best: BestPictures | None = None
    """The same."""
    users: UserFile = field(default_factory=lambda: UserFile(None))
    visitors: Visitors = field(init=False)
    logins: Logins = field(default_factory=Logins)
    rates: Rates = field(default_factory=Rates)
    admission: Admission = field(init=False)
    memory: Memory = field(init=False)
    strangers: Memory = field(init=False)
    """Of `memory`, what bodies may take of which it is not known yet who sends them."""
    streams: int = 0
    searches: int = 0
    """Of events that lie on Kafka, at work now."""
    _asking: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    zoning: asyncio.Lock = field(default_factory=asyncio.Lock)
    """The same of zones."""

    def __post_init__(self) -> None:
        """Begin with nothing in memory."""
        self.visitors = Visitors(self.settings, self.keys, self.users)
        self.admission = Admission(self.settings.max_waiting_pictures, self.settings.max_waiting_bytes)
        self.memory = Memory(self.settings.max_waiting_bytes)
        self.strangers = Memory(self.settings.max_waiting_bytes // 4)

    def key_of(self, connection: HTTPConnection, own_key: str = "") -> Key:
        """Return what whoever asks may do; `own_key` is of a body, and counts where no header has one. Raises Problem.

        A WebSocket is such a connection, too.
        """
        return self.visitors.visitor_of(connection, own_key).key

    def may_be_read(self, request: Request) -> bool:
        """Whether as much is known before its body of who sends it: nothing in it is a key where there are none."""
        if not self.keys.is_there or any(name in request.headers for name in ("authorization", "x-api-key")):
            return True
        try:
            return bool(self.key_of(request))
        except Problem:
            return False

    def require(self, connection: HTTPConnection, scope: Scope, camera_id: str | None = None, own_key: str = "") -> Key:
        """Return what whoever asks may do, if this is among it. Raises Problem."""
        key = self.key_of(connection, own_key)
        if not key.may(scope):
            raise Problem(403, "not-allowed", f"{printable(key.name)} has not the scope {scope}")
        if camera_id is not None and not key.may_see(camera_id):
            raise Problem(403, "not-allowed", f"{printable(key.name)} may not see the camera {camera_id}")
        return key

    def asking(self, camera_id: str) -> asyncio.Lock:
        """One question of a camera is set after the other: a version that was asked for is that which is replaced."""
        return self._asking.setdefault(camera_id, asyncio.Lock())

    def require_rate(self, key: Key, pictures: int) -> None:
        """Use some of a key's rate. Raises Problem."""
        wait_s = self.rates.take(key, pictures, time.monotonic())
        if wait_s is not None:
            why = f"the key {key.name} may send {key.pictures_per_s:g} pictures a second"
            raise Problem(429, "too-many", why, retry_after_s=wait_s)

    async def answer(
        self, request: Request, key: Key, pictures: Sequence[Picture], question: Question, timeout_s: float | None
    ) -> list[Detections]:
        """Return what is found in each picture. Raises Problem and ClientGoneError."""
        timeout_s = self.settings.timeout_s if timeout_s is None else min(timeout_s, self.settings.max_timeout_s)
        self.require_rate(key, len(pictures))
        if reason := self.boards.not_ready():
            raise Problem(503, "no-worker", f"no worker is ready: {reason}", retry_after_s=COME_AGAIN_S)
        size = sum(len(one.data) for one in pictures)
        ticket = self.admission.ask(len(pictures), size, timeout_s, time.monotonic())
        if isinstance(ticket, Refusal):
            raise Problem(503, "overloaded", ticket.reason, retry_after_s=ticket.retry_after_s)
        answered = False
        try:
            replies = await unless_gone(request, lambda: self._ask_all(request, pictures, question, timeout_s))
            answered = True
        except Problem as problem:
            answered = problem.kind == "deadline"
            raise
        finally:
            self.admission.done(ticket, time.monotonic(), was_answered=answered)
        return replies

    async def _ask_all(
        self, request: Request, pictures: Sequence[Picture], question: Question, timeout_s: float
    ) -> list[Detections]:
        began_ns = time.time_ns()
        above = [(name, value.encode("latin-1")) for name in CONTEXT_HEADERS if (value := request.headers.get(name))]
        trace = self.tracing.begin("answer request", began_ns, above, {"groundcam.pictures": len(pictures)})
        try:
            return await together(
                self._ask(index, one, question, timeout_s, trace.headers) for index, one in enumerate(pictures)
            )
        finally:
            trace.end(time.time_ns())

    async def _ask(
        self, index: int, picture: Picture, question: Question, timeout_s: float, headers: tuple[Header, ...]
    ) -> Detections:
        began_ns = time.time_ns()
        try:
            reply = await self.exchange.ask(picture, question, timeout_s, headers)
        except LateError as late:
            raise Problem(504, "deadline", f"picture {index}: {late}", picture=index) from None
        except NotTakenError as refused:
            why = f"picture {index} cannot be sent: {refused}"
            raise Problem(503, "kafka", why, picture=index, retry_after_s=COME_AGAIN_S) from None
        if reply.answer is None:
            raise _problem(index, reply)
        times = reply.answer.timings_ns
        self.metrics.picture((time.time_ns() - began_ns - (times.inferred - times.batched)) / NS)
        return reply.answer


async def together(asking: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results of all. Raises what the first of them raises, once none of the others goes on."""
    tasks = [asyncio.create_task(one) for one in asking]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _problem(index: int, reply: Reply) -> Problem:
    """Return what a worker's problem is to a client."""
    detail = f"picture {index}: {reply.detail}"
    match reply.problem:
        case ReplyProblem.EXPIRED:
            return Problem(504, "deadline", detail, picture=index)
        case ReplyProblem.OVERLOADED:
            return Problem(503, "overloaded", detail, picture=index, retry_after_s=COME_AGAIN_S)
        case ReplyProblem.QUESTION_REFUSED:
            return Problem(422, "unprocessable", f"question: {reply.detail}", field="question")
        case ReplyProblem.BAD_PICTURE | ReplyProblem.TOO_LARGE:
            return Problem(422, "unprocessable", detail, picture=index)
    return Problem(500, "failed", detail, picture=index)


def door_of(connection: HTTPConnection) -> Door:
    """Return the service that a request came to."""
    door: Door = connection.app.state.door
    return door
