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
    _untold: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """Objects of which everything was held back so far."""

    def lets_through(self, event: Event) -> bool:
        """Whether an event is sent; if so, others like it are held back from now on."""
        if not self.seconds:
            return True
        if event.type is EventType.END:
            return self._ends(event)
        at_ns, rank = event.last.captured_at_ns, event.severity.rank
        keys = self._keys(event)
        if all(self._is_held(key, at_ns, rank) for key in keys):
            if event.type is EventType.NEW:
                self._remember_untold(event.id)
            return False
        self._untold.pop(event.id, None)
        for key in keys:
            self._sent.pop(key, None)
            self._sent[key] = _Sent(at_ns, rank)
        while len(self._sent) > self.most:
            self._sent.popitem(last=False)
        return True

    def _ends(self, event: Event) -> bool:
        """What is not known to be untold may have been told by whoever was here before."""
        if event.id not in self._untold:
            return True
        del self._untold[event.id]
        return False

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

    def _remember_untold(self, event_id: str) -> None:
        self._untold[event_id] = None
        while len(self._untold) > self.most:
            self._untold.popitem(last=False)
