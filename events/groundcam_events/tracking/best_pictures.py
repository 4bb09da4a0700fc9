"""Which frames are worth a picture, and when: once an object's best look has stood for a while. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

from groundcam_schemas import Event, Sighting

SETTLE_S = 3.0
AGAIN_S = 30.0
"""An object that goes on gets another picture at most so often, where its best look has changed."""
MOST_WAITING = 2000
MOST_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture that is to be made."""

    event_id: str
    camera_id: str
    label: str
    sighting: Sighting
    source_size: tuple[int, int]


class BestPictures:
    """Hears events, and says which frames to fetch. Bounded: the oldest are forgotten first."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, tuple[float, Wanted]] = OrderedDict()
        self._made: OrderedDict[str, tuple[str, int, float]] = OrderedDict()
        """Of which frame, and when."""
        self.forgotten = 0
        """Pictures that were not made, since too many waited."""

    def hear(self, event: Event, now_s: float) -> None:
        """Take an event: a new best look is settled SETTLE_S later, that of an object that has ended at once."""
        place = event.best.frame.run_id, event.best.frame.seq
        made = self._made.get(event.id)
        if made is not None and made[:2] == place:
            self._waiting.pop(event.id, None)
            return
        soonest_s = max(now_s + SETTLE_S, made[2] + AGAIN_S if made is not None else 0.0)
        known = self._waiting.get(event.id)
        same = known is not None and known[1].sighting.frame == event.best.frame
        due_s = now_s if event.end else known[0] if known is not None and same else soonest_s
        size = event.source_width, event.source_height
        self._waiting[event.id] = due_s, Wanted(event.id, event.camera_id, event.label, event.best, size)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
            self.forgotten += 1

    def due(self, now_s: float) -> Wanted | None:
        """Return a picture to make now, if there is one."""
        for event_id, (due_s, wanted) in self._waiting.items():
            if now_s >= due_s:
                del self._waiting[event_id]
                self._made[event_id] = wanted.sighting.frame.run_id, wanted.sighting.frame.seq, now_s
                self._made.move_to_end(event_id)
                if len(self._made) > MOST_KNOWN:
                    self._made.popitem(last=False)
                return wanted
        return None
