"""How many decoded pictures there are, and how many bytes they take. Pure."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class PictureBudget(Generic[K]):
    """Bounds what is decoded, waits for a batch, or is at the detector."""

    def __init__(self, max_pictures: int, max_bytes: int) -> None:
        self._max_pictures = max_pictures
        self._max_bytes = max_bytes
        self._held: dict[K, int] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def owners(self) -> set[K]:
        """Who holds a picture."""
        return set(self._held)

    def fits(self, size: int) -> bool:
        """Whether a picture of `size` bytes may be decoded now. A single one always may."""
        return not self._held or (len(self._held) < self._max_pictures and self.bytes + size <= self._max_bytes)

    def hold(self, owner: K, size: int) -> None:
        """Count a picture; once, even if its owner holds it already."""
        self.release(owner)
        self._held[owner] = size
        self.bytes += size

    def release(self, owner: K) -> None:
        """Stop counting it; for an owner without a picture, do nothing."""
        self.bytes -= self._held.pop(owner, 0)
