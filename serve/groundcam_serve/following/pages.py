"""A page of the events that lie on a topic, the newest first, from stretches that are read from the end back. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import Event

FAR = 2**63


@dataclass(frozen=True, slots=True)
class _Found:
    at_ms: int
    """When it came, or a later one of its partition did, if that was earlier: so the order of a partition stays."""
    place: Partition
    offset: int
    event: Event


class Newest:
    """Gathers one page."""

    def __init__(self, wanted: EventFilter, limit: int, begin: Mapping[Partition, int]) -> None:
        """Return at most `limit` events; reading ends at `begin`."""
        self._wanted, self._limit, self._begin = wanted, limit, begin
        self._back_ms: dict[Partition, int] = {}
        """How far back each partition was read."""
        self._upto: dict[Partition, int] = {}
        self._found: list[_Found] = []
        self._known: set[tuple[str, int]] = set()

    def take(self, records: Iterable[Consumed], upto: Mapping[Partition, int]) -> None:
        """Take a stretch of each partition, each in its order, that begins at `upto`."""
        for record in reversed(list(records)):
            place = record.partition
            self._back_ms[place] = at_ms = min(self._back_ms.get(place, FAR), record.timestamp_ms)
            event = self._wanted.read(record.key, record.value)
            if event is not None and (event.id, event.n) not in self._known:
                self._known.add((event.id, event.n))
                self._found.append(_Found(at_ms, place, record.offset, event))
        self._upto.update(upto)

    @property
    def is_full(self) -> bool:
        """Whether nothing that is not read yet belongs on the page."""
        unread = [place for place, offset in self._upto.items() if offset > self._begin.get(place, 0)]
        back_ms = max((self._back_ms.get(place, FAR) for place in unread), default=-1)
        return sum(one.at_ms >= back_ms for one in self._found) >= self._limit

    def page(self) -> tuple[list[Event], dict[Partition, int] | None]:
        """Return the events, and before which offsets the next page begins; None where there is none."""
        ranked = sorted(self._found, key=lambda one: (-one.at_ms, one.place.number, -one.offset))
        chosen, rest = ranked[: self._limit], ranked[self._limit :]
        behind = dict(self._upto)
        for one in rest:
            behind[one.place] = max(behind[one.place], one.offset + 1)
        is_last = all(offset <= self._begin.get(place, 0) for place, offset in behind.items())
        return [one.event for one in chosen], None if is_last else behind
