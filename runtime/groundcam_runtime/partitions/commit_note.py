"""The commit note, kept beside a committed offset: is the partition in use, and which frame of each camera came last.

Kafka keeps a short text with each committed offset. From it the next owner of a partition learns four things that
no offset shows: that a worker died here, so that what it had begun goes into quarantine; which frames Kafka deleted
before anybody read them; which cameras' clocks are wrong, so that frames that lay there for long are not taken for
fresh; and which records behind the offset are answered already, since batches do not keep the order of a partition's
cameras. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MAX_DELAY_MS = 2**53
"""No clock is off by more; a message's times end before."""
MAX_BYTES = 3500
"""Kafka takes 4,096 by default (`offset.metadata.max.bytes`)."""
MAX_AHEAD = 64
"""Beside MAX_BYTES."""
MAX_DISTANCE = 9999
"""From the committed offset."""


@dataclass(frozen=True, slots=True)
class CommitNote:
    """One partition's note."""

    in_use: bool = False
    """A worker had this partition and has not given it up in order."""
    last: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Of each camera the newest frame that was answered, as (run, seq)."""
    whole: bool = True
    """Whether every camera is in it."""
    clocks: Mapping[str, int] = field(default_factory=dict)
    """Of cameras in `last` whose clocks are wrong, the delay of that run's frames on their shortest path, in ms."""
    ahead: tuple[int, ...] = ()
    """Records that are answered although one before them is not, by their distance from the committed offset."""

    def text(self) -> str:
        """Write it down; where it does not fit, the cameras that were quiet for longest are left out."""
        return self.texts()[0 if self.in_use else 1]

    def texts(self) -> tuple[str, str]:
        """Return the note of a partition that is in use, and that of one which was given up in order."""
        last, clocks = self.last, {name: self.clocks[name] for name in self.last if name in self.clocks}
        written = _written(last, clocks)
        if len(written) > MAX_BYTES:
            last, clocks = self._newest()
            written = _written(last, clocks)
        whole = json.dumps(self.whole and len(last) == len(self.last))
        if ahead := [one for one in self.ahead if one <= MAX_DISTANCE][:MAX_AHEAD]:
            written += f', "ahead": {json.dumps(ahead)}'
        return (
            f'{{"v": 1, "in_use": true, "whole": {whole}, {written}}}',
            f'{{"v": 1, "in_use": false, "whole": {whole}, {written}}}',
        )

    def _newest(self) -> tuple[dict[str, tuple[str, int]], dict[str, int]]:
        """Return the cameras that were heard of last, as many as fit."""
        size = len(_written({}, {"": 0}))
        last: dict[str, tuple[str, int]] = {}
        for name, place in reversed([*self.last.items()]):
            size += len(json.dumps({name: place}))
            size += len(json.dumps({name: self.clocks[name]})) if name in self.clocks else 0
            if size > MAX_BYTES:
                break
            last[name] = place
        kept = dict(reversed([*last.items()]))
        return kept, {name: self.clocks[name] for name in kept if name in self.clocks}


def _written(last: Mapping[str, tuple[str, int]], clocks: Mapping[str, int]) -> str:
    # Workers of versions before know neither `clocks` nor `ahead` nor any other shape of `last`.
    delays = f', "clocks": {json.dumps(clocks)}' if clocks else ""
    return f'"last": {json.dumps({**last})}{delays}'


def read_note(text: str) -> CommitNote:
    """Read a note; what another program wrote there counts as an empty one."""
    try:
        content = json.loads(text)
        if content["v"] != 1:
            return CommitNote()
        last = {str(camera): (str(run), int(seq)) for camera, (run, seq) in content["last"].items()}
        whole = bool(content.get("whole", True))
        return CommitNote(bool(content["in_use"]), last, whole, _clocks(content), _ahead(content))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return CommitNote()


def _clocks(content: Mapping[str, Any]) -> dict[str, int]:
    """Return the delays of a note; the version before wrote none."""
    delays = content.get("clocks")
    found = delays.items() if isinstance(delays, dict) else ()
    return {camera: delay_ms for camera, delay_ms in found if type(delay_ms) is int and abs(delay_ms) <= MAX_DELAY_MS}


def _ahead(content: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the distances of a note; the version before wrote none."""
    ahead = content.get("ahead")
    found = ahead[:MAX_AHEAD] if isinstance(ahead, list) else ()
    return tuple(one for one in found if type(one) is int and 0 < one <= MAX_DISTANCE)


def take_over_note(text: str) -> str:
    """Return the note for a partition that is being taken over, from the one that was found there."""
    found = read_note(text)
    return replace(found, in_use=True).text()
