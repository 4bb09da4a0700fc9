"""Calls with a deadline: nothing ends a thread from outside, so an overdue one is abandoned, and only few may be."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class OverdueError(TimeoutError):
    """A call has passed its deadline, or was not begun; the sentence gives the reason."""


class TimeLimiter:
    """Makes each call on a thread of its own. Belongs to one thread."""

    def __init__(self, name: str, limit_s: float, max_abandoned: int) -> None:
        """At most `max_abandoned` calls that were given up may still run; further ones are not begun."""
        self._name = name
        self._limit_s = limit_s
        self._max_abandoned = max_abandoned
        self._abandoned: list[threading.Thread] = []

    def call(self, work: Callable[[], T]) -> T:
        """Return what `work` returns. Raises OverdueError, and what `work` raises."""
        self._abandoned = [one for one in self._abandoned if one.is_alive()]
        if len(self._abandoned) >= self._max_abandoned:
            raise OverdueError(f"{len(self._abandoned)} earlier ones that took too long still run")
        future: Future[T] = Future()
        thread = threading.Thread(target=_run, args=(future, work), name=self._name, daemon=True)
        thread.start()
        thread.join(self._limit_s)
        if not future.done():
            self._abandoned.append(thread)
            raise OverdueError(f"it took more than {self._limit_s:g} s")
        return future.result()


def _run(future: "Future[T]", work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits
        future.set_exception(error)
