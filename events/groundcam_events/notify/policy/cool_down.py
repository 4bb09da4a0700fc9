"""Holds back events that are like one that was sent a short while ago. Pure.

Time is that of the events, not ours: a backlog is thinned as it would have been when it happened, and reading it again
gives the same. What matters more than what was sent is not held back; nor is the end of an object of which something
was sent.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from groundcam_events.notify.settings import CoolDownPart
from groundcam_schemas import Event, EventType

NS = 1_000_000_000
MOST = 10_000
"""Keys, and objects, that are remembered; of more the oldest are forgotten, and their next event is sent."""

Key = tuple[str, ...]


@dataclass(slots=True)
class _Sent:
    at_ns: int
    rank: int


@dataclass(slots=True)
class CoolDown:
    """One webhook's."""

    seconds: float
    per: tuple[CoolDownPart, ...]
    most: int = MOST
    _sent: OrderedDict[Key, _Sent] = field(default_factory=OrderedDict)
    _told: OrderedDict[str, bool] = field(default_factory=OrderedDict)
    """Of objects, whether anything was sent; False where everything was held back so far."""
    _began_ns: int | None = None
    """What was seen before may have been told by whoever was here before."""

    def lets_through(self, event: Event) -> bool:
        """Whether an event is sent; if so, others like it are held back from now on."""
        if not self.seconds:
            return True
        if event.type is EventType.END:
            return self._ends(event)
        at_ns, rank = event.last.captured_at_ns, event.severity.rank
        self._began_ns = at_ns if self._began_ns is None else self._began_ns
        keys = self._keys(event)
        if all(self._is_held(key, at_ns, rank) for key in keys):
            self._remember(event.id, told=self._told.get(event.id, event.first.captured_at_ns < self._began_ns))
            return False
        self._remember(event.id, told=True)
        for key in keys:
            self._sent.pop(key, None)
            self._sent[key] = _Sent(at_ns, rank)
        while len(self._sent) > self.most:
            self._sent.popitem(last=False)
        return True

    def _ends(self, event: Event) -> bool:
        return self._told.pop(event.id, True)

    def _is_held(self, key: Key, at_ns: int, rank: int) -> bool:
        """A clock that was set back is no reason to hold anything."""
        sent = self._sent.get(key)
        return sent is not None and 0 <= at_ns - sent.at_ns < self.seconds * NS and rank <= sent.rank

    def _keys(self, event: Event) -> list[Key]:
        """One for each zone that it is in, where zones count; an event goes if it may for one of them."""
        common = [{"camera": event.camera_id, "label": event.label}[part] for part in self.per if part != "zone"]
        if "zone" not in self.per:
            return [tuple(common)]
        inside = dict.fromkeys(one.name for one in event.zones if one.left_ns is None)
        return [(*common, zone) for zone in inside or ("",)]

    def _remember(self, event_id: str, *, told: bool) -> None:
        self._told[event_id] = told
        self._told.move_to_end(event_id)
        while len(self._told) > self.most:
            self._told.popitem(last=False)
