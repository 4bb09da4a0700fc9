"""Events and pictures that lie on Kafka already, searched from the newest back: what is asked for is mostly new."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import Event, SchemaError, decode

BLOCK, LARGEST_BLOCK = 500, 8000
"""Records of a partition that are read at a time; twice as many the next time."""
PICTURES = 100
NONE_KEPT = "none was kept, or it has expired"
AROUND_MS = 120_000
"""A picture lies on its topic at most so long before the first event of its object, or after the last."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of each partition."""

    records: tuple[Consumed, ...]
    """In order, those of a partition."""
    begin: dict[Partition, int]
    """Where it began."""


def backwards(
    reader: Reader,
    begin: Mapping[Partition, int],
    end: Mapping[Partition, int],
    block: int = BLOCK,
    keep: Callable[[Consumed], bool] = lambda _record: True,
) -> Iterator[Block]:
    """Yield what lies between some offsets and others (not included), the newest first. Raises KafkaProblem.

    Of what is not to be kept nothing is held.
    """
    first = reader.first_offsets()
    begin = {one: max(begin.get(one, 0), first.get(one, 0)) for one in end}
    upto = dict(end)
    while any(upto[one] > begin[one] for one in upto):
        down = {one: max(begin[one], offset - block) for one, offset in upto.items() if offset > begin[one]}
        records = tuple(filter(keep, reader.span(down, {one: upto[one] for one in down})))
        upto |= down
        yield Block(records, dict(upto))
        block = min(LARGEST_BLOCK, 2 * block)


@dataclass(slots=True)
class ObjectLife:
    """What lies on the events topic of one object."""

    events: dict[int, Event] = field(default_factory=dict)
    """By their numbers."""
    first_ms: int = 2**62
    last_ms: int = 0
    """When they came."""

    @property
    def is_whole(self) -> bool:
        """Whether its beginning is there."""
        return 0 in self.events

    @property
    def in_order(self) -> tuple[Event, ...]:
        """Its events."""
        return tuple(event for _, event in sorted(self.events.items()))

    def take(self, event: Event, timestamp_ms: int) -> None:
        """Take one of its events; repeats change nothing but the times."""
        self.events.setdefault(event.n, event)
        self.first_ms, self.last_ms = min(self.first_ms, timestamp_ms), max(self.last_ms, timestamp_ms)


def lives(reader: Reader, event_id: str, most: int | None = None) -> dict[str, ObjectLife]:
    """Return the objects whose ids begin so, from the events topic; nothing else of it is decoded.

    The search ends where the beginning of all that were found is known, or after `most` records. Raises KafkaProblem.
    """
    found: dict[str, ObjectLife] = {}
    needle, seen = event_id.encode(), 0
    for block in backwards(reader, {}, reader.end_offsets()):
        seen += len(block.records)
        for record in block.records:
            if needle not in (record.value or b""):
                continue
            try:
                event = decode(Event, record.value or b"")
            except SchemaError:
                continue
            if event.id.startswith(event_id):
                found.setdefault(event.id, ObjectLife()).take(event, record.timestamp_ms)
        if found and all(one.is_whole for one in found.values()):
            break
        if most is not None and seen >= most:
            break
    return found


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """An object's picture, or why there is none."""

    data: bytes
    """A JPEG; empty where there is none."""
    reason: str = NONE_KEPT
    frame: str = ""
    """RUN/SEQ of the frame that it is cut from, where that is told."""


def frame_of(record: Consumed) -> str:
    """Return RUN/SEQ of the frame that a picture is cut from; nothing where its record does not tell it in ASCII."""
    frame = dict(record.headers).get("frame", b"").decode("ascii", "replace")
    return frame if frame.isascii() and frame.isprintable() else ""


def picture(reader: Reader, event_id: str, life: ObjectLife) -> KeptPicture:
    """Return an object's newest picture from the pictures topic. Raises KafkaProblem.

    A record without bytes says why a picture could not be had; an older one that could counts more.
    """
    begin, end = reader.offsets_at(life.first_ms - AROUND_MS), reader.offsets_at(life.last_ms + AROUND_MS)
    wanted, found = event_id.encode(), KeptPicture(b"")
    for block in backwards(reader, begin, end, PICTURES, lambda one: one.key == wanted):
        for one in sorted(block.records, key=lambda one: (one.timestamp_ms, one.offset), reverse=True):
            if one.value:
                return KeptPicture(one.value, frame=frame_of(one))
            reason = dict(one.headers).get("reason")
            if reason and found.reason == NONE_KEPT:
                found = KeptPicture(b"", reason.decode("utf-8", "replace"))
    return found
