"""Inferences that go on after their request was answered: a task each, which `Inferences` bounds."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, suppress

from groundcam_serve.clients.inferences import FullError, Inference, Inferences, Stage
from groundcam_serve.problems import Problem

log = logging.getLogger(__name__)

Work = Callable[[], AsyncGenerator[list[str], None]]

FULL_S = 5.0
"""After so long there may be room."""


class Background:
    """Runs them. Its methods belong to the event loop."""

    def __init__(self) -> None:
        self._known = Inferences()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Condition()

    def start(self, owner: str, total: int, work: Work, held: AsyncExitStack) -> Inference:
        """Begin one, whose work gives results as they come; what is held goes with it. Raises Problem."""
        try:
            one = self._known.begin(uuid.uuid4().hex, owner, total, time.monotonic())
        except FullError as full:
            raise Problem(503, "overloaded", str(full), retry_after_s=FULL_S) from None
        self._tasks[one.uuid] = asyncio.create_task(self._run(one, work, held.pop_all()))
        return one

    def find(self, name: object, owner: str) -> Inference | None:
        """Return the inference of this owner that has this name."""
        return self._known.find(str(name), owner, time.monotonic())

    async def take(self, one: Inference, wait_s: float) -> list[str]:
        """Return results that were not fetched yet; wait for some while there are none and more may come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s), self._news:
                await self._news.wait_for(lambda: one.results or one.stage is not Stage.RUNNING)
        return self._known.take(one, time.monotonic())

    def stop(self, one: Inference) -> None:
        """Look at no more of its pictures."""
        if task := self._tasks.get(one.uuid):
            task.cancel()

    def forget(self, one: Inference) -> None:
        """Its client needs it no more."""
        self.stop(one)
        self._known.forget(one)

    async def _run(self, one: Inference, work: Work, held: AsyncExitStack) -> None:
        stage, reason = Stage.FINISHED, ""
        try:
            async with held, aclosing(work()) as coming:
                async for results in coming:
                    self._known.add(one, results, time.monotonic())
                    await self._tell()
        except asyncio.CancelledError:
            stage = Stage.CANCELLED
        except (Problem, FullError) as problem:
            stage, reason = Stage.ERROR, str(problem)
        except Exception:
            log.exception("an inference has failed")
            stage, reason = Stage.ERROR, "it has failed; the log of the service says why"
        finally:
            del self._tasks[one.uuid]
        self._known.end(one, stage, time.monotonic(), reason)
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
