"""Events in words: a line for each, and an object's whole life. Pure."""

import time
from collections.abc import Iterable, Sequence

from groundcam.columns import columns
from groundcam_runtime.events.filter import named_in
from groundcam_runtime.printable import printable
from groundcam_schemas import Cause, End, EndReason, Event, GapReason, Severity, ZoneVisit

NS = 1_000_000_000
SHORT = 12
"""Characters of an id in a line; `event show` finds an object by them."""
ENDS = {
    EndReason.LOST: "it was lost",
    EndReason.LEFT: "it left the picture",
    EndReason.QUESTION_CHANGED: "it is not asked for any more",
    EndReason.CAMERA_OFFLINE: "the camera was away",
    EndReason.SILENT: "nothing came of the camera any more",
}
PLACED = frozenset({Cause.ZONE_ENTERED, Cause.ZONE_DWELT, Cause.ZONE_LEFT, Cause.LINE_CROSSED})
PLAIN = {
    Cause.APPEARED: "appeared",
    Cause.MOVED: "moves again",
    Cause.RELABELLED: "is what it is taken for now",
}


def line(event: Event) -> str:
    """Return a line for people: time, camera, label, what happened, how much it matters, and whose event it is."""
    matters = "" if event.severity is Severity.INFO else f" [{event.severity}]"
    name = f"{event.camera_id:<12} {clock(event.last.captured_at_ns)} {printable(event.label)}"
    return f"{name} {happened(event)}{matters}  {printable(event.id[:SHORT])}"


def happened(event: Event) -> str:
    """Return what happened, as `crossed door: in`."""
    if event.cause in PLACED:
        return _placed(event, " and ".join(printable(name) for name in named_in(event)))
    match event.cause:
        case Cause.STOPPED:
            return f"stands still since {clock(event.motion_since_ns)}"
        case Cause.BETTER_PICTURE:
            return f"has a better picture, score {event.best.score:.2f}"
        case Cause.STILL_THERE:
            return f"is still there, for {seconds(stay_ns(event))}"
        case Cause.ENDED:
            return f"ended: {_end(event.end)}, it was there for {seconds(stay_ns(event))}"
    return PLAIN.get(event.cause, event.cause.value.replace("_", " "))


def _placed(event: Event, named: str) -> str:
    match event.cause:
        case Cause.ZONE_ENTERED:
            return f"entered {named}"
        case Cause.ZONE_DWELT:
            return f"has been in {named} for {_stay(event)}"
        case Cause.ZONE_LEFT:
            return f"left {named} after {_stay(event)}"
    ways = [one.direction for one in event.lines if one.name in named_in(event)]
    return f"crossed {named}: {printable(ways[-1])}" if ways else "crossed a line"


def stay_ns(event: Event) -> int:
    """Return how long an object has been there, from its first look to its last."""
    return max(0, event.last.captured_at_ns - event.first.captured_at_ns)


def seconds(span_ns: int) -> str:
    """Return a time span, as `30.2 s`."""
    return f"{span_ns / NS:.1f} s"


def clock(at_ns: int) -> str:
    """Return a time by this machine's clock on the wall."""
    try:
        return time.strftime("%H:%M:%S", time.localtime(at_ns / NS))
    except (OverflowError, ValueError, OSError):  # a camera's clock may show anything
        return "--:--:--"


def table(newest: Iterable[Event]) -> str:
    """Return a row for each object, from its newest event."""
    heading = ("ID", "CAMERA", "LABEL", "SINCE", "FOR", "NOW", "ZONES", "LINES", "SEVERITY")
    return columns([heading, *(tuple(map(printable, _row(one))) for one in newest)])


def life(events: Sequence[Event]) -> str:
    """Return an object's life for people: who it is, and a line for each event that is known."""
    last = events[-1]
    box = ", ".join(f"{one:.0f}" for one in last.last.box)
    since, there = f"from {_date(last.first.captured_at_ns)} to {clock(last.last.captured_at_ns)}", stay_ns(last)
    found = f"found in {last.frames_seen} frames, missed in {last.frames_missed}; median score {last.score_median:.2f}"
    lines = [
        f"{last.label} in front of {last.camera_id}, {last.id}",
        f"  {since}, {seconds(there)}; {'ended: ' + _end(last.end) if last.end else 'open'}",
        f"  {found}, best {last.best.score:.2f} in frame {last.best.frame.seq}",
        f"  last box {box} of {last.source_width}x{last.source_height}; severity {last.severity}",
        f"  question {last.question_id}, version {last.question_version}; model {last.model.name}",
    ]
    lines += [f"  in {one.name} from {clock(one.entered_ns)} for {_visit(one)}" for one in last.zones]
    lines += [f"  crossed {one.name}: {one.direction}, at {clock(one.at_ns)}" for one in last.lines]
    lines += [f"  not looked at: {_unseen(one.reason, one.first_seq, one.last_seq)}" for one in last.unseen]
    before = -1
    for event in events:
        if event.n > before + 1:
            lines.append(f"  (of those before this one {event.n - before - 1} are not on Kafka)")
        lines.append(f"  {event.n:>3} {clock(event.last.captured_at_ns)} {happened(event)}")
        before = event.n
    return "\n".join(map(printable, lines))


def _row(event: Event) -> tuple[str, ...]:
    now = event.end.reason.value if event.end else event.motion.value
    inside = dict.fromkeys(one.name for one in event.zones)
    crossed = [f"{one.name}:{one.direction}" for one in event.lines]
    since, there = _date(event.first.captured_at_ns), seconds(stay_ns(event))
    zones, lines = ",".join(inside) or "-", ",".join(crossed) or "-"
    return event.id[:SHORT], event.camera_id, event.label, since, there, now, zones, lines, event.severity.value


def _stay(event: Event) -> str:
    named, is_over = set(named_in(event)), event.cause is Cause.ZONE_LEFT
    of = [one.dwell_ms for one in event.zones if one.name in named and (one.left_ns is not None) is is_over]
    return seconds((of[-1] if of else 0) * 1_000_000)


def _visit(visit: ZoneVisit) -> str:
    return f"{seconds(visit.dwell_ms * 1_000_000)}{'' if visit.left_ns is not None else ' so far'}"


def _unseen(reason: GapReason, first: int | None, last: int | None) -> str:
    frames = f"frames {first} to {last}, " if first is not None and last is not None else ""
    return f"{frames}{reason.value.replace('_', ' ')}"


def _end(end: End | None) -> str:
    return ENDS.get(end.reason, end.reason.value) if end else "it is over"


def _date(at_ns: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ns / NS))
    except (OverflowError, ValueError, OSError):
        return "-"
