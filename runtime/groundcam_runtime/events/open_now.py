"""What is open at a moment, from the objects topic and the newest events. Pure.

Events are written before the list of what is open, so the list may be a moment behind. What came after it counts more:
an object that has appeared is open, one that has ended is not.
"""

from groundcam_schemas import Event, ObjectsNow, SchemaError, decode

NEVER = -1


class OpenNow:
    """Takes what lies on both topics, in the order of each."""

    def __init__(self) -> None:
        self._told_ms: dict[str, int] = {}
        """When each camera's list came."""
        self._listed: dict[str, tuple[Event, ...]] = {}
        self._newest: dict[str, tuple[Event, int]] = {}
        """Of each object, and when it came."""

    def take_list(self, key: bytes | None, value: bytes | None, timestamp_ms: int) -> None:
        """Take a record of the objects topic; what cannot be read is passed over."""
        camera_id = (key or b"").decode("utf-8", "replace")
        objects: tuple[Event, ...] = ()
        if value:
            try:
                now = decode(ObjectsNow, value)
            except SchemaError:
                return
            camera_id, objects = now.camera_id, now.objects
        self._listed[camera_id], self._told_ms[camera_id] = objects, timestamp_ms

    def take_event(self, event: Event, timestamp_ms: int) -> None:
        """Take an event that came lately."""
        known = self._newest.get(event.id)
        if known is None or event.n > known[0].n:
            self._newest[event.id] = event, timestamp_ms

    def newest(self) -> list[Event]:
        """Return the newest event of each object that is known, oldest object first; those that ended are among it."""
        found = {one.id: one for listed in self._listed.values() for one in listed}
        for event, came_ms in self._newest.values():
            known = found.get(event.id)
            is_news = came_ms >= self._told_ms.get(event.camera_id, NEVER) if known is None else event.n > known.n
            if is_news:
                found[event.id] = event
        return sorted(found.values(), key=lambda one: (one.first.captured_at_ns, one.camera_id, one.id))
