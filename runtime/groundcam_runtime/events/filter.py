"""Which events somebody wants. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self, TypeVar

from groundcam_schemas import Cause, Event, SchemaError, Severity, decode

Kind = TypeVar("Kind", Cause, Severity)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """All that fit everything that is given; None keeps all."""

    cameras: frozenset[str] | None = None
    labels: frozenset[str] | None = None
    zones: frozenset[str] | None = None
    """Zones and lines by their names, see `named_in`."""
    causes: frozenset[Cause] | None = None
    severity: Severity = Severity.INFO
    """This one and higher ones."""

    @classmethod
    def of(
        cls,
        cameras: Collection[str] | None = None,
        labels: Collection[str] | None = None,
        zones: Collection[str] | None = None,
        causes: Collection[str] | None = None,
        severity: str = Severity.INFO,
    ) -> Self:
        """Return what is meant by names; an empty collection keeps nothing. Raises ValueError for an unknown one."""
        known = None if causes is None else frozenset(_known(Cause, "cause", one) for one in causes)
        return cls(_set(cameras), _set(labels), _set(zones), known, _known(Severity, "severity", severity))

    def may_fit(self, key: bytes | None) -> bool:
        """Whether a record with this key is worth reading: it is the camera, where there is one."""
        return self.cameras is None or not key or key.decode("utf-8", "replace") in self.cameras

    def fits(self, event: Event) -> bool:
        """Whether an event is wanted."""
        return (
            (self.cameras is None or event.camera_id in self.cameras)
            and (self.labels is None or event.label in self.labels)
            and (self.causes is None or event.cause in self.causes)
            and event.severity.rank >= self.severity.rank
            and (self.zones is None or not self.zones.isdisjoint(named_in(event)))
        )

    def read(self, key: bytes | None, value: bytes | None) -> Event | None:
        """Return the event in a record where it is wanted; None also for what cannot be read."""
        if not self.may_fit(key):
            return None
        try:
            event = decode(Event, value or b"")
        except SchemaError:
            return None
        return event if self.fits(event) else None


def named_in(event: Event) -> list[str]:
    """Return the zones or lines that an event is about.

    One that tells of a zone or a line is about that one. Where it does not say which, as those of older trackers: of
    zones those that were entered, or left, last, or those in which it has been for long enough. Any other is about all
    in which the object was and that it crossed.
    """
    if event.about:
        return [event.about]
    visits = event.zones
    match event.cause:
        case Cause.ZONE_ENTERED:
            last = max((one.entered_ns for one in visits), default=0)
            return [one.name for one in visits if one.entered_ns == last]
        case Cause.ZONE_LEFT:
            last = max((one.left_ns or 0 for one in visits), default=0)
            return [one.name for one in visits if one.left_ns is not None and one.left_ns == last]
        case Cause.ZONE_DWELT:
            return [one.name for one in visits if one.dwelt and one.left_ns is None]
        case Cause.LINE_CROSSED:
            return [one.name for one in event.lines[-1:]]
    return list(dict.fromkeys([*(one.name for one in visits), *(one.name for one in event.lines)]))


def _set(given: Collection[str] | None) -> frozenset[str] | None:
    return None if given is None else names(given)


def names(given: Collection[str]) -> frozenset[str]:
    """Return names as a set. Raises ValueError for a single text, whose letters would be the names."""
    if isinstance(given, str):
        raise ValueError(f"{given!r} is a text, not a list: write [{given!r}]")  # noqa: TRY004 - as for any other setting
    return frozenset(given)


def _known(kind: type[Kind], what: str, name: str) -> Kind:
    try:
        return kind(name)
    except ValueError:
        raise ValueError(f"there is no {what} {name!r}; there are {', '.join(kind)}") from None
