"""How far the fetching of a model is, for whoever wants to know; the Hub's client counts its bytes on a bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm import tqdm

STEP = 0.01
"""Told no more often than a hundred times."""
Tell = Callable[[float], None]


class FetchProgress:
    """Bytes of a number of files, as a part of all of them."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._total = self._before = self._size = self._here = 0
        self._told = -1.0

    def begin(self, total: int) -> None:
        """So many bytes there are in all."""
        self._total, self._before = total, 0
        self._say()

    @contextmanager
    def file(self, size: int) -> Iterator[None]:
        """A file of so many bytes comes, or is there."""
        self._size, self._here = size, 0
        yield
        self._before, self._size, self._here = self._before + size, 0, 0
        self._say()

    def came(self, count: int) -> None:
        """Some bytes of the file have come."""
        self._here = min(self._size, self._here + count)
        self._say()

    def _say(self) -> None:
        part = min(1.0, (self._before + self._here) / self._total) if self._total else 0.0
        if abs(part - self._told) >= STEP or (part == 1.0 and self._told != part):
            self._told = part
            self._tell(part)


_current: ContextVar[FetchProgress | None] = ContextVar("fetch_progress", default=None)


@contextmanager
def telling(tell: Tell) -> Iterator[None]:
    """Tell how far fetching is while this lasts, from 0 to 1."""
    token = _current.set(FetchProgress(tell))
    try:
        yield
    finally:
        _current.reset(token)


def current() -> FetchProgress:
    """Return what counts now; its figures go nowhere where nobody asked for them."""
    return _current.get() or FetchProgress(lambda _part: None)


def bar_of(progress: FetchProgress) -> type[Any]:
    """Return a bar for the Hub's client, which draws it on a terminal, that counts here as well."""

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options | {"disable": options.get("disable") or not sys.stderr.isatty()})

        def update(self, n: float | None = 1) -> bool | None:
            progress.came(int(n or 0))
            drawn: bool | None = super().update(n)
            return drawn

    return Bar
