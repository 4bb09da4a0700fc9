"""Who gets an event: those whose filters want it, whose cool-down lets it through, and nobody twice. Pure.

Everything that is remembered belongs to a partition and is forgotten with it: what is read again then was perhaps never
delivered, so nothing that was decided before may hold it back.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from groundcam_events.notify.policy.cool_down import CoolDown
from groundcam_events.notify.policy.filters import Filter
from groundcam_events.notify.settings import HookSettings
from groundcam_schemas import Event

MOST_OBJECTS = 10_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets an event."""

    hooks: tuple[str, ...] = ()
    held_back: tuple[str, ...] = ()
    """Those that wanted it and are in their cool-down."""
    is_repeat: bool = False


class Chooser:
    """Chooses for one partition, in the order of its events."""

    def __init__(self, hooks: Mapping[str, HookSettings], most_objects: int = MOST_OBJECTS) -> None:
        self._hooks = {name: (Filter(one), CoolDown(one.cool_down_s, one.cool_down_per)) for name, one in hooks.items()}
        self._most = most_objects
        self._newest: OrderedDict[str, int] = OrderedDict()
        """Of each object the number of its newest event; of more the longest silent are forgotten."""

    def choose(self, event: Event) -> Choice:
        """Return who gets an event. One that was here before, or an older one of its object, is for nobody."""
        newest = self._newest.pop(event.id, -1)
        self._newest[event.id] = max(newest, event.n)
        if len(self._newest) > self._most:
            self._newest.popitem(last=False)
        if event.n <= newest:
            return Choice(is_repeat=True)
        wanted = [name for name, (filters, _) in self._hooks.items() if filters.wants(event)]
        let_through = {name for name in wanted if self._hooks[name][1].lets_through(event)}
        return Choice(
            tuple(name for name in wanted if name in let_through),
            tuple(name for name in wanted if name not in let_through),
        )
