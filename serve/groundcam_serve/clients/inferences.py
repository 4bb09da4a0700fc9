"""Inferences that clients come back for: bounded in number, bytes and time. Pure: time comes in as an argument."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

MIB = 1024 * 1024


class Stage(StrEnum):
    """In the words of Supervisely's own server."""

    RUNNING = "Running inference..."
    FINISHED = "Finished"
    CANCELLED = "Cancelled"
    ERROR = "Error"


class FullError(Exception):
    """There is no room."""


@dataclass(slots=True, eq=False)
class Inference:
    """One of them."""

    uuid: str
    owner: str
    """The name of the key that began it: nobody else sees it."""
    total: int
    """Pictures."""
    began_s: float
    updated_s: float
    stage: Stage = Stage.RUNNING
    done: int = 0
    reason: str = ""
    """Why it failed."""
    results: list[str] = field(default_factory=list)
    """What was not fetched yet, as JSON, a text for each picture."""

    @property
    def size(self) -> int:
        """Bytes of its results, nearly: they are ASCII."""
        return sum(map(len, self.results))


class Inferences:
    """Knows those that run, and for a while those that are through."""

    def __init__(self, *, most: int = 64, most_bytes: int = 64 * MIB, keep_s: float = 600) -> None:
        """`keep_s` is for how long one that is through is kept for a client that does not come."""
        self._most, self._most_bytes, self._keep_s = most, most_bytes, keep_s
        self._known: dict[str, Inference] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._known)

    def begin(self, uuid: str, owner: str, total: int, now_s: float) -> Inference:
        """Take one in; the oldest that is through makes room for it. Raises FullError where all are running."""
        self._expire(now_s)
        if len(self._known) >= self._most and not self._forget_oldest():
            raise FullError(f"{len(self._known)} inferences are running already")
        one = self._known[uuid] = Inference(uuid, owner, total, now_s, now_s)
        return one

    def find(self, uuid: str, owner: str, now_s: float) -> Inference | None:
        """Return the one of this owner."""
        self._expire(now_s)
        one = self._known.get(uuid)
        return one if one is not None and one.owner == owner else None

    def add(self, one: Inference, results: Iterable[str], now_s: float) -> None:
        """Take results in; those that are through, and whose clients do not come, make room. Raises FullError."""
        if self._known.get(one.uuid) is not one:
            return
        texts = list(results)
        size = sum(map(len, texts))
        while self.bytes + size > self._most_bytes and self._forget_oldest():
            pass
        if self.bytes + size > self._most_bytes:
            raise FullError(f"results of {self.bytes} bytes wait to be fetched already")
        one.results += texts
        one.done += len(texts)
        one.updated_s = now_s
        self.bytes += size

    def end(self, one: Inference, stage: Stage, now_s: float, reason: str = "") -> None:
        """It is through."""
        one.stage, one.reason, one.updated_s = stage, reason, now_s

    def take(self, one: Inference, now_s: float) -> list[str]:
        """Return the results since the last time."""
        self.bytes -= one.size
        texts, one.results = one.results, []
        one.updated_s = now_s
        return texts

    def forget(self, one: Inference) -> None:
        """Its client needs it no more."""
        if self._known.pop(one.uuid, None) is not None:
            self.bytes -= one.size

    def _forget_oldest(self) -> bool:
        """Forget the one that has been through for the longest; return whether there was one."""
        through = [one for one in self._known.values() if one.stage is not Stage.RUNNING]
        if through:
            self.forget(min(through, key=lambda one: one.updated_s))
        return bool(through)

    def _expire(self, now_s: float) -> None:
        for one in list(self._known.values()):
            if one.stage is not Stage.RUNNING and now_s - one.updated_s > self._keep_s:
                self.forget(one)
