"""The events that wait for one webhook. Pure; whoever owns it keeps it to one thread at a time.

The events of an object go one after the other, and those of different objects side by side. While the webhook fails,
one request at a time finds out whether it is back, so that it is not run over by all that has gathered.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from groundcam_events.notify.policy.answers import Answer, delay_s
from groundcam_events.notify.policy.book import Claim
from groundcam_events.notify.settings import HookSettings
from groundcam_schemas import Event


@dataclass(eq=False, slots=True)
class Item:
    """An event on its way to one webhook."""

    claim: Claim
    event: Event
    value: bytes
    """As it came."""
    taken_s: float
    """When it came, by the monotonic clock."""
    attempts: int = 0
    why: str = ""
    """Why the last attempt failed."""
    is_ours: bool = True
    """False once its partition went while it was on its way: then it is not tried again."""


@dataclass(slots=True)
class _Lane:
    items: deque[Item] = field(default_factory=deque)
    is_busy: bool = False
    due_s: float = 0.0


class Waiting:
    """One webhook's queue."""

    def __init__(self, settings: HookSettings) -> None:
        self._settings = settings
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._failures = 0
        self._resume_s = 0.0
        self._busy = 0
        self.count = 0
        """Events, those on their way included."""

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed for a reason that is the webhook's."""
        return self._failures > 0

    @property
    def _is_full(self) -> bool:
        """Whether as many are on their way as may be."""
        return self._busy >= (1 if self._failures else self._settings.concurrent)

    def offer(self, item: Item) -> bool:
        """Take an event; False where there is no room."""
        if self.count >= self._settings.queue_events:
            return False
        self._lanes.setdefault(item.event.id, _Lane()).items.append(item)
        self.count += 1
        return True

    def next(self, now_s: float) -> Item | None:
        """Return what is to be sent now; None where nothing is, or enough is on its way."""
        if self._is_full or now_s < self._resume_s:
            return None
        for lane in self._lanes.values():
            if not lane.is_busy and lane.due_s <= now_s:
                lane.is_busy = True
                self._busy += 1
                lane.items[0].attempts += 1
                return lane.items[0]
        return None

    def next_s(self) -> float | None:
        """Return when something may be due, or has waited for too long; None where nothing waits."""
        idle = [one for one in self._lanes.values() if not one.is_busy]
        if not idle:
            return None
        over_s = min(one.items[0].taken_s for one in idle) + self._settings.give_up_s
        return over_s if self._is_full else min(over_s, max(self._resume_s, min(one.due_s for one in idle)))

    def overdue(self, now_s: float) -> Iterator[Item]:
        """Yield, and let go, what has waited for too long and is not on its way."""
        for lane in [one for one in self._lanes.values() if not one.is_busy]:
            while lane.items and now_s - lane.items[0].taken_s >= self._settings.give_up_s:
                yield self._leave(lane)

    def answered(self, item: Item, answer: Answer, now_s: float, chance: Callable[[], float]) -> bool:
        """Note what became of an attempt; return whether the event is through, one way or the other."""
        self._busy -= 1
        lane = self._lanes[item.event.id]
        lane.is_busy = False
        if answer.failure is None or answer.is_final:
            # A refusal is about this event: the webhook itself is there.
            self._failures = 0
            self._leave(lane)
            return True
        # Another one is tried first, so that an event that alone is answered with errors does not keep the others.
        self._lanes.move_to_end(item.event.id)
        item.why = answer.text
        self._failures += 1
        settings, asked_s = self._settings, answer.retry_after_s
        first_s, most_s = settings.retry_s, settings.max_retry_s
        lane.due_s = now_s + delay_s(item.attempts, first_s, most_s, chance(), asked_s)
        self._resume_s = now_s + delay_s(self._failures, first_s, most_s, chance(), asked_s)
        if not item.is_ours or now_s - item.taken_s >= settings.give_up_s:
            self._leave(lane)
            return True
        return False

    def forget(self, is_ours: Callable[[Claim], bool]) -> None:
        """Let go what is not ours any more; what is on its way ends by itself, and is not tried again."""
        for lane in list(self._lanes.values()):
            if lane.is_busy:
                lane.items[0].is_ours = is_ours(lane.items[0].claim)
            kept = [one for one in lane.items if is_ours(one.claim) or (lane.is_busy and one is lane.items[0])]
            self.count -= len(lane.items) - len(kept)
            lane.items = deque(kept)
        self._lanes = OrderedDict((name, lane) for name, lane in self._lanes.items() if lane.items)

    def _leave(self, lane: _Lane) -> Item:
        item = lane.items.popleft()
        self.count -= 1
        lane.due_s = 0.0
        if not lane.items:
            del self._lanes[item.event.id]
        return item
