"""Run work on other threads and give its results back in the order in which it was started."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class OrderedExecutor(Generic[T, R]):
    """Belongs to one thread, which `wake` wakes when something is finished."""

    def __init__(self, name: str, threads: int, wake: threading.Event) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._wake = wake
        self._begun: deque[tuple[T, Future[R]]] = deque()

    def __len__(self) -> int:
        """How much is begun and not given back."""
        return len(self._begun)

    def start(self, item: T, work: Callable[[], R]) -> None:
        """Begin; `finished` gives the item back together with the result."""
        future = self._pool.submit(work)
        future.add_done_callback(lambda _future: self._wake.set())
        self._begun.append((item, future))

    def finished(self) -> Iterator[tuple[T, Future[R]]]:
        """Yield what is finished, up to the first that is not."""
        while self._begun and self._begun[0][1].done():
            yield self._begun.popleft()

    def shutdown(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
