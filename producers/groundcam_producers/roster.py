"""The cameras of a producer as its settings stand now, and the partition of each. Pure."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from groundcam_producers.changes import Changes, compare, retuned, take_over
from groundcam_producers.placement import place
from groundcam_producers.settings import ProduceSettings
from groundcam_producers.task import CameraTask

MakeTask = Callable[[str, ProduceSettings, int | None, bool], CameraTask]
"""Of a camera by its name, with the settings, its partition (None leaves that to its key) and whether it is a job's."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a supervisor is to do. Processes that `changes` does not name are left alone."""

    changes: Changes
    tasks: dict[str, CameraTask]
    """Of all cameras there are from now on."""
    is_job: bool


class Roster:
    """Who is to be looked after; a change of the settings gives an order."""

    def __init__(self, settings: ProduceSettings, partitions: int, make_task: MakeTask) -> None:
        """`partitions` are those of the topic as it was at the start."""
        self.settings = settings
        self._partitions = partitions
        self._make_task = make_task
        self._places: dict[str, int] = {}
        self._known_variables: Collection[str] = settings.password_variables
        self.is_job = settings.is_job
        self.tasks: dict[str, CameraTask] = {}
        self._fill()

    def change(self, new: ProduceSettings) -> tuple[Order, list[str]]:
        """Take new settings over; return what to do, and which settings wait for a restart.

        Raises SettingError where the new ones do not go with those that wait; nothing is changed then.
        """
        old = self.settings
        settings, waits = take_over(old, new, self._known_variables)
        changes = compare(old.own_cameras, settings.own_cameras, retuned(old, settings))
        self.settings = settings
        # One that goes on for ever does not end because the cameras that it has left are files.
        self.is_job = self.is_job and settings.is_job
        self._fill()
        return Order(changes, self.tasks, self.is_job), waits

    def _fill(self) -> None:
        settings = self.settings
        if settings.partitioner == "balanced":
            self._places = place(settings.cameras, self._partitions, self._places)
        self.tasks = {
            name: self._make_task(name, settings, self._places.get(name), self.is_job) for name in settings.own_cameras
        }
