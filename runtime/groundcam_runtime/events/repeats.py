"""Which events were seen already. Pure."""

from collections import OrderedDict

from groundcam_schemas import Event


class EventRepeats:
    """Knows of each object the newest number that was seen: a camera's events come in order, and some come again.

    Bounded in objects of a camera, and of all: the object of which nothing was heard for longest is forgotten, of the
    camera that was silent for longest. What is written again comes close behind, so that this is enough; measured,
    100,000 objects take 16 MB.
    """

    def __init__(self, of_a_camera: int = 2000, of_all: int = 100_000) -> None:
        self._of_a_camera, self._of_all = of_a_camera, of_all
        self._cameras: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()
        self._objects = 0

    def is_repeat(self, event: Event) -> bool:
        """Whether this event, or a later one of its object, was seen; from now on it was."""
        known = self._cameras.setdefault(event.camera_id, OrderedDict())
        self._cameras.move_to_end(event.camera_id)
        newest = known.pop(event.id, None)
        self._objects += newest is None
        is_repeat = newest is not None and event.n <= newest
        known[event.id] = max(event.n, -1 if newest is None else newest)
        if len(known) > self._of_a_camera:
            self._forget(known)
        while self._objects > self._of_all:
            camera_id, oldest = next(iter(self._cameras.items()))
            self._forget(oldest)
            if not oldest:
                del self._cameras[camera_id]
        return is_repeat

    def _forget(self, known: OrderedDict[str, int]) -> None:
        known.popitem(last=False)
        self._objects -= 1
