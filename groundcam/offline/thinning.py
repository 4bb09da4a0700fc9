"""Keep some of many, evenly spread, without knowing how many will come. Pure."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Thinning(Generic[T]):
    """Takes any number and keeps at most `2 * most`; `chosen` returns at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stride = 1
        self._count = 0
        self._kept: list[T] = []

    def add(self, one: T) -> None:
        """Take one."""
        if self._count % self._stride == 0:
            self._kept.append(one)
            if len(self._kept) > 2 * self._most:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._count += 1

    def chosen(self) -> list[T]:
        """Return at most `most`, in order, the first always."""
        many = min(self._most, len(self._kept))
        return [self._kept[index * len(self._kept) // many] for index in range(many)]
