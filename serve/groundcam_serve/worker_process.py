"""A worker of the service's own: chosen, started, watched and replaced over HTTP."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger(__name__)


class Process(Protocol):
    """A worker that runs."""

    def stop(self) -> int:
        """Ask it to finish, wait, and return its exit code."""

    def died(self) -> str | None:
        """Why it does not run any more, in words; None while it does."""


class WorkerProcess:
    """At most one worker."""

    def __init__(self, start: Callable[[str], Process], check: Callable[[str], None], model: str | None) -> None:
        """`check` raises SettingError for a model that cannot be, as this does; `start` starts a worker with one."""
        self._start, self._check = start, check
        self._changing = asyncio.Lock()
        self._process: Process | None = None
        self.model: str | None = None
        if model is not None:
            check(model)
            self._process, self.model = start(model), model

    def died(self) -> str | None:
        """Why there is no worker although one was started."""
        return self._process.died() if self._process else None

    async def replace(self, model: str) -> None:
        """End the worker, if there is one, and start another. Raises SettingError, and then the one before goes on."""
        async with self._changing:
            await asyncio.to_thread(self._check, model)
            await self._end()
            self._process = await asyncio.to_thread(self._start, model)
            self.model = model
            log.info("a worker with the model %s starts", model)

    async def remove(self) -> bool:
        """End the worker; return whether there was one."""
        async with self._changing:
            return await self._end()

    async def _end(self) -> bool:
        process, self._process, self.model = self._process, None, None
        if process is None:
            return False
        await asyncio.to_thread(process.stop)
        return True

    def end(self) -> None:
        """End the worker, outside the event loop."""
        if self._process is not None:
            self._process.stop()
