"""Whether a webhook wants an event. Pure: everything follows from the event."""

from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from groundcam_events.notify.policy.windows import is_open, windows_of
from groundcam_events.notify.settings import HookSettings
from groundcam_runtime.events.filter import named_in
from groundcam_schemas import Cause, Event, Severity


class Filter:
    """One webhook's wishes."""

    def __init__(self, settings: HookSettings) -> None:
        self._settings = settings
        self._severity = Severity(settings.severity)
        self._windows, self._zone = windows_of(settings.times), ZoneInfo(settings.time_zone)

    def wants(self, event: Event) -> bool:
        """Whether all wishes are met. Times are those at which the object was last seen."""
        wish = self._settings
        return (
            (not wish.types or event.type in wish.types)
            and (not wish.causes or event.cause in wish.causes)
            and (not wish.cameras or any(fnmatchcase(event.camera_id, one) for one in wish.cameras))
            and (not wish.labels or event.label in wish.labels)
            and event.severity.rank >= self._severity.rank
            and event.score_median >= wish.min_score
            and (not wish.zones or not set(zones_meant(event)).isdisjoint(wish.zones))
            and (not wish.lines or not set(lines_meant(event)).isdisjoint(wish.lines))
            and is_open(self._windows, self._zone, event.last.captured_at_ns)
        )


def zones_meant(event: Event) -> list[str]:
    """Return the zones that an event is about: where its cause is a zone, that one, else all of the object's."""
    is_about_one = event.cause in {Cause.ZONE_ENTERED, Cause.ZONE_LEFT, Cause.ZONE_DWELT}
    return named_in(event) if is_about_one else [one.name for one in event.zones]


def lines_meant(event: Event) -> list[str]:
    """Return the lines that an event is about: where its cause is a line, that one, else all of the object's."""
    return named_in(event) if event.cause is Cause.LINE_CROSSED else [one.name for one in event.lines]
