"""Which partitions of frames are read: those of the cameras that somebody looks at. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from groundcam_runtime.records import Partition

SILENT_S = 5.0
"""A camera that was silent for so long at its place may be at another."""
SEARCH_S = 10.0
AGAIN_S = 60.0
"""All partitions are read for SEARCH_S of so many seconds while a camera is searched for."""


@dataclass(slots=True)
class _Camera:
    place: Partition | None
    heard_s: float
    """Or when it began to be looked for."""


class Places:
    """Where the cameras of interest are, as far as it is known."""

    def __init__(self) -> None:
        self._cameras: dict[str, _Camera] = {}

    def watch(self, cameras: Collection[str], now_s: float) -> None:
        """These cameras are of interest from now on, and no others."""
        self._cameras = {name: self._cameras.get(name) or _Camera(None, now_s) for name in cameras}

    def answered(self, camera_id: str, place: Partition) -> None:
        """An answer says where a camera's frame lay."""
        if (camera := self._cameras.get(camera_id)) is not None:
            camera.place = place

    def heard(self, camera_id: str, place: Partition, now_s: float) -> None:
        """A frame came from there."""
        if (camera := self._cameras.get(camera_id)) is not None:
            camera.place, camera.heard_s = place, now_s

    def wanted(self, now_s: float) -> frozenset[Partition] | None:
        """Return the partitions to read now; None for all of them: a camera is searched for."""
        for camera in self._cameras.values():
            silent_s = now_s - camera.heard_s - (SILENT_S if camera.place else 0.0)
            if silent_s >= 0 and silent_s % AGAIN_S < SEARCH_S:
                return None
        return frozenset(one.place for one in self._cameras.values() if one.place)
