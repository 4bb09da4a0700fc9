"""Events of objects to a client that takes them. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.events.repeats import EventRepeats
from groundcam_runtime.records import Consumed
from groundcam_schemas import Event, SchemaError, decode, encode_json
from groundcam_serve.following.stream import RecordStream


class LifeStream(RecordStream):
    """First what is open, then what comes; each event once, and no object goes back."""

    def __init__(self, wanted: EventFilter, newest: Sequence[Event] = (), told: Iterable[Event] = ()) -> None:
        """`newest` is the newest event of each object that is known; those that have ended are not told.

        `told` is what the client has, who comes again: of what is written once more behind it, it is no news.
        """
        super().__init__()
        self._wanted, self._newest = wanted, newest
        self._repeats = EventRepeats()
        for event in told:
            self._repeats.is_repeat(event)

    def opening(self) -> Iterator[bytes]:
        """Yield what is open, as events `open`."""
        for event in self._newest:
            self._repeats.is_repeat(event)
            if event.end is None and self._wanted.fits(event):
                yield f"event: open\ndata: {encode_json(event).decode()}\n\n".encode()
        self._newest = ()

    def _told(self, record: Consumed) -> tuple[str, str] | None:
        if not self._wanted.may_fit(record.key):
            return None
        try:
            event = decode(Event, record.value or b"")
        except SchemaError:
            return None
        if self._repeats.is_repeat(event) or not self._wanted.fits(event):
            return None
        return event.type.value, encode_json(event).decode()
