"""Something that a thread changes, and routes wait for."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

LOOK_S = 1.0
"""What became old, such as a worker that died, tells nothing."""


class Changes:
    """Belongs to a loop; `tell` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._changed = loop, asyncio.Event()

    def tell(self) -> None:
        """Say that something changed."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._wake)

    async def until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Return whether something is so within this time."""
        deadline = time.monotonic() + seconds
        while not is_so():
            changed = self._changed
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(left_s, LOOK_S))
        return True

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
