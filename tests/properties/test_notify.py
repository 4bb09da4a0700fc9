"""Whatever webhooks answer, and in whatever order: no event is lost, none committed early, an object's are in order."""

from collections import defaultdict

import hypothesis.strategies as st
from hypothesis import given

from groundcam_events.notify.made_up import made_up
from groundcam_events.notify.policy.answers import Answer, answer
from groundcam_events.notify.policy.book import Book
from groundcam_events.notify.policy.waiting import Item, Waiting
from groundcam_events.notify.settings import HookSettings
from groundcam_runtime.records import Partition, Position

EVENT = made_up(1_700_000_000_000_000_000)
P = Partition("events", 0)
HOOKS = ("a", "b")
ANSWERS = (204, 204, 204, 503, 429, 404)
Step = tuple[str, int, int]


def settings() -> HookSettings:
    return HookSettings(url="https://e.com/", concurrent=2, queue_events=4, give_up_s=20.0, retry_s=1.0)


class World:
    """A notifier without threads: events come, requests end, time passes, partitions go."""

    def __init__(self) -> None:
        self.book, self.waiting = Book(), {name: Waiting(settings()) for name in HOOKS}
        self.busy: dict[str, list[Item]] = {name: [] for name in HOOKS}
        self.epoch, self.now_s, self.next_offset, self.committed = 1, 0.0, 0, 0
        self.through: dict[str, set[int]] = {name: set() for name in HOOKS}
        """What each webhook has, or is kept for it, by offset."""
        self.order: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.book.assigned([P], self.epoch)

    def do(self, step: Step) -> None:
        kind, which, how = step
        name = HOOKS[which % len(HOOKS)]
        if kind == "event":
            self.event(which, how)
        elif kind == "answer" and self.busy[name]:
            self.answered(name, self.busy[name].pop(how % len(self.busy[name])), answer(ANSWERS[how % 6], None, 0.0))
        elif kind == "pass":
            self.now_s += how / 2
        elif kind == "reassigned":
            self.epoch += 1
            self.book.gone([P])
            for waiting in self.waiting.values():
                waiting.forget(self.book.holds)
            self.book.assigned([P], self.epoch)
            self.next_offset = self.committed
        self.send()

    def event(self, which: int, how: int) -> None:
        claim = self.book.claim(P, self.next_offset)
        assert claim is not None
        wanted = [name for number, name in enumerate(HOOKS) if how >> number & 1]
        self.commit(self.book.begin(claim, wanted))
        for name in HOOKS:
            if name not in wanted:
                self.through[name].add(self.next_offset)
        event = EVENT.model_copy(update={"id": f"o{which % 3}"})
        for name in wanted:
            item = Item(claim, event, b"", self.now_s)
            if not self.waiting[name].offer(item):
                self.settle(name, item)
        self.next_offset += 1

    def send(self) -> None:
        for name, waiting in self.waiting.items():
            for item in list(waiting.overdue(self.now_s)):
                self.settle(name, item)
            while item := waiting.next(self.now_s):
                assert item.event.id not in {one.event.id for one in self.busy[name]}, "one after the other"
                self.busy[name].append(item)
            assert len(self.busy[name]) <= 2
            assert waiting.count <= 4 + 2

    def answered(self, name: str, item: Item, given: Answer) -> None:
        if given.failure is None and self.book.holds(item.claim):
            self.order[name, item.event.id].append(item.claim.offset)
        if self.waiting[name].answered(item, given, self.now_s, lambda: 1.0):
            self.settle(name, item)

    def settle(self, name: str, item: Item) -> None:
        if self.book.holds(item.claim):
            self.through[name].add(item.claim.offset)
        self.commit(self.book.settle(item.claim, name))

    def commit(self, position: Position | None) -> None:
        if position is not None and position.epoch == self.epoch:
            self.committed = position.offset

    def finish(self) -> None:
        """Every webhook answers; in the end nothing waits."""
        for _ in range(500):
            self.now_s += 1.0
            self.send()
            for name in HOOKS:
                while self.busy[name]:
                    self.answered(name, self.busy[name].pop(0), answer(204, None, 0.0))


STEPS = st.lists(
    st.tuples(st.sampled_from(["event", "event", "answer", "answer", "pass", "reassigned"]), st.integers(0, 5), st.integers(0, 11)),
    max_size=80,
)  # fmt: skip


@given(STEPS)
def test_nothing_is_committed_that_a_webhook_neither_has_nor_is_kept_for_it(steps: list[Step]) -> None:
    world = World()
    for step in steps:
        world.do(step)
        for name in HOOKS:
            assert set(range(world.committed)) <= world.through[name]
    world.finish()
    assert world.committed == world.next_offset
    assert world.book.unsettled == 0
    assert all(waiting.count == 0 for waiting in world.waiting.values())


@given(STEPS.map(lambda steps: [one for one in steps if one[0] != "reassigned"]))
def test_the_events_of_an_object_are_taken_in_their_order(steps: list[Step]) -> None:
    world = World()
    for step in steps:
        world.do(step)
    world.finish()
    assert all(offsets == sorted(set(offsets)) for offsets in world.order.values())
