"""When what may be committed. Pure; the tracker's own, since what it keeps is more than an offset.

1. A record gives events; they are sent at once, but for those of cameras that are unsettled.
2. A checkpoint freezes the states of all cameras that have changed, and the partitions' next offsets. Events that wait
   are written into their camera's state.
3. Once Kafka has every event that was sent before, the states are sent.
4. Once Kafka has the states, the offsets are committed, and the events that waited are sent.

So nothing is committed whose events are not on Kafka, and a state never stands behind an event that is not: whoever
goes on from the states and the offsets gives the same events again.

With transactions, 3. and 4. are one: events, states and offsets of a checkpoint are on Kafka together, or none of them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from groundcam_events.tracking.partition import PartitionTracker
from groundcam_events.tracking.state import encode_state
from groundcam_runtime.records import Partition, Position
from groundcam_schemas import Event, encode


@dataclass(slots=True)
class Frozen:
    """One checkpoint on its way."""

    generation: int
    """Events of this one and those before must be on Kafka before the states."""
    positions: dict[Partition, Position] = field(default_factory=dict)
    """The next offset of each partition."""
    states: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Partition and state of each camera."""
    untold: dict[str, list[Event]] = field(default_factory=dict)
    """To be sent afterwards."""
    states_sent: bool = False
    waiting: int = 0
    """States that Kafka does not have yet."""


class Checkpoints:
    """At most one checkpoint is under way."""

    def __init__(self, *, by_transactions: bool = False) -> None:
        """With `by_transactions` states need not wait for events: Kafka has all of them at once."""
        self.by_transactions = by_transactions
        self.generation = 0
        self.frozen: Frozen | None = None
        self._sent: dict[int, int] = defaultdict(int)
        self._held: dict[str, list[Event]] = defaultdict(list)

    @property
    def is_idle(self) -> bool:
        """Nothing is on its way."""
        return self.frozen is None and not self._held and not any(self._sent.values())

    @property
    def is_writing(self) -> bool:
        """States are on their way."""
        return self.frozen is not None and self.frozen.waiting > 0

    def sending(self) -> int:
        """An event is sent; return its generation, for `acknowledged`."""
        self._sent[self.generation] += 1
        return self.generation

    def acknowledged(self, generation: int) -> None:
        """Kafka has an event."""
        self._sent[generation] -= 1
        if not self._sent[generation]:
            del self._sent[generation]

    def hold(self, event: Event) -> None:
        """Keep an event until its camera's state is on Kafka."""
        self._held[event.camera_id].append(event)

    def release(self, camera_ids: Collection[str]) -> list[Event]:
        """Return what was held of cameras that are settled now, in order."""
        return [event for name in sorted(camera_ids) for event in self._held.pop(name, [])]

    def begin(self, partitions: Collection[PartitionTracker], positions: Mapping[Partition, Position]) -> None:
        """Freeze what is, with where each partition is to be read on."""
        frozen = Frozen(self.generation, dict(positions))
        self.generation += 1
        for one in partitions:
            for camera_id in sorted(one.changed):
                state = one.cameras[camera_id].state
                held = self._held.pop(camera_id, [])
                state.untold = [encode(event) for event in held]
                frozen.states[camera_id] = one.number, encode_state(state)
                state.untold = []
                if held:
                    frozen.untold[camera_id] = held
            one.changed.clear()
        self.frozen = frozen

    def states(self) -> dict[str, bytes]:
        """Return the states to be sent now, once; none while events are on their way."""
        frozen = self.frozen
        if frozen is None or frozen.states_sent or (self._is_sending(frozen) and not self.by_transactions):
            return {}
        frozen.states_sent = True
        frozen.waiting = len(frozen.states)
        return {camera_id: state for camera_id, (_, state) in frozen.states.items()}

    def state_acknowledged(self, frozen: Frozen) -> None:
        """Kafka has a state of this checkpoint."""
        frozen.waiting -= 1

    def finished(self) -> Frozen | None:
        """Return the checkpoint if it is through, once: its offsets may be committed, its untold events sent."""
        frozen = self.frozen
        if frozen is None or not frozen.states_sent or frozen.waiting or self._is_sending(frozen):
            return None
        self.frozen = None
        return frozen

    def _is_sending(self, frozen: Frozen) -> bool:
        """Whether events of a checkpoint are on their way."""
        return any(one <= frozen.generation for one in self._sent)

    def drop(self, partitions: Collection[int], camera_ids: Collection[str]) -> None:
        """Partitions are another member's: what is not sent of them is not ours to send."""
        for camera_id in camera_ids:
            self._held.pop(camera_id, None)
        frozen = self.frozen
        if frozen is not None:
            frozen.positions = {one: at for one, at in frozen.positions.items() if one.number not in partitions}
            if not frozen.states_sent:
                frozen.states = {name: one for name, one in frozen.states.items() if one[0] not in partitions}
            for camera_id in camera_ids:
                frozen.untold.pop(camera_id, None)
