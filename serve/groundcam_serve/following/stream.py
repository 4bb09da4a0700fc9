"""Records of a topic as server-sent events with their places. Pure."""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping

from groundcam_runtime.records import Consumed, Partition
from groundcam_runtime.repeats import Repeats
from groundcam_schemas import Detections, FrameId, Gap, SchemaError, decode_answer, encode_json
from groundcam_schemas.identity import is_errand

MOST_PARTITIONS = 1000
_PLACE = re.compile(r"([0-9]{1,6}):([0-9]{1,19})")
LAST = 2**63 - 1


class RecordStream(ABC):
    """One reader's stream."""

    def __init__(self) -> None:
        self._next: dict[Partition, int] = {}
        self._lost: list[bytes] = []

    def begin(self, next_offsets: Mapping[Partition, int], first_offsets: Mapping[Partition, int]) -> None:
        """Reading begins here; what is before `first_offsets` Kafka has deleted."""
        # An event's id names all of them: who comes again with one reads what it does not name from its beginning.
        self._next = {partition: max(one, first_offsets.get(partition, 0)) for partition, one in next_offsets.items()}
        for partition, offset in next_offsets.items():
            if offset < (first := self._next[partition]):
                data = f'{{"partition": {partition.number}, "from": {offset}, "to": {first - 1}}}'
                self._lost.append(self._event("lost", data))

    def lost(self) -> Iterator[bytes]:
        """Yield what was lost before the beginning, once."""
        lost, self._lost = self._lost, []
        yield from lost

    def opening(self) -> Iterator[bytes]:
        """Yield what comes before the first record: events without an id, since half of them are no place."""
        return iter(())

    def take(self, record: Consumed) -> bytes | None:
        """Return an event, or None for what is not of interest."""
        self._next[record.partition] = record.offset + 1
        told = self._told(record)
        return None if told is None else self._event(*told)

    def place(self) -> bytes:
        """Return where the stream is: no event to a client, but its last id from now on."""
        return f"id: {id_of(self._next)}\n\n".encode()

    @abstractmethod
    def _told(self, record: Consumed) -> tuple[str, str] | None:
        """Return what a record is called, and its JSON; None for what is not of interest."""

    def _event(self, kind: str, data: str) -> bytes:
        return f"id: {id_of(self._next)}\nevent: {kind}\ndata: {data}\n\n".encode()


class EventStream(RecordStream):
    """Detections and gaps. Repeated answers to a frame are dropped."""

    def __init__(self, cameras: Collection[str] | None, labels: Collection[str] | None) -> None:
        """Keep these cameras and answers with one of these labels; None keeps all. With labels gaps are kept, too."""
        super().__init__()
        self._cameras, self._labels = cameras, labels
        self._repeats = Repeats()

    def _told(self, record: Consumed) -> tuple[str, str] | None:
        try:
            answer = decode_answer(record.value or b"")
        except SchemaError:
            return None
        if not self._is_of_interest(answer):
            return None
        return "gap" if isinstance(answer, Gap) else "detections", encode_json(answer).decode()

    def _is_of_interest(self, answer: Detections | Gap) -> bool:
        if is_errand(answer.camera_id) or (self._cameras is not None and answer.camera_id not in self._cameras):
            return False
        if isinstance(answer, Gap):
            return True
        if self._repeats.is_repeat(FrameId(answer.camera_id, answer.frame.run_id, answer.frame.seq)):
            return False
        return self._labels is None or any(found.label in self._labels for found in answer.objects)


def id_of(next_offsets: Mapping[Partition, int]) -> str:
    """Return an event's id: the offset of each partition that is next."""
    return ",".join(f"{partition.number}:{offset}" for partition, offset in sorted(next_offsets.items()))


def positions_of(event_id: str, topic: str) -> dict[Partition, int]:
    """Read an event's id. Raises ValueError, whose sentence says what is wrong."""
    found: dict[Partition, int] = {}
    for part in event_id.split(",") if event_id else []:
        match = _PLACE.fullmatch(part)
        if match is None or int(match[2]) > LAST or len(found) >= MOST_PARTITIONS:
            raise ValueError(f"{event_id[:40]!r} is not like 0:12,1:34")
        found[Partition(topic, int(match[1]))] = int(match[2])
    return found
