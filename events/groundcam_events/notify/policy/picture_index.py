"""Where the newest picture of each object lies. Pure."""

from collections import OrderedDict

from groundcam_runtime.records import Partition

MOST = 10_000

Place = tuple[Partition, int]


class PictureIndex:
    """Remembers places, not pictures; of more objects than `most` those without a new one the longest are forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._places: OrderedDict[str, Place] = OrderedDict()

    def note(self, event_id: str, place: Place) -> None:
        """A picture of an object lies there."""
        self._places.pop(event_id, None)
        self._places[event_id] = place
        if len(self._places) > self._most:
            self._places.popitem(last=False)

    def remove(self, event_id: str) -> None:
        """There is no picture of it any more."""
        self._places.pop(event_id, None)

    def find(self, event_id: str) -> Place | None:
        """Return where its newest picture lies."""
        return self._places.get(event_id)
