"""What a commit says besides its offset: whether somebody works there, and which frame of each camera came last.

Kafka keeps a short text with each committed offset. It tells the next owner of a partition two things that no
offset tells: that a worker died here, so that what it had begun is tried with care; and which frames Kafka deleted
before anybody read them. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_BYTES = 3500
"""Kafka takes 4,096 by default (`offset.metadata.max.bytes`)."""


@dataclass(frozen=True, slots=True)
class CommitNote:
    """One partition's note."""

    in_use: bool = False
    """Somebody worked here and has not said that it ended in order."""
    last: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Of each camera the newest frame that was answered, as (run, seq)."""
    whole: bool = True
    """Whether every camera is in it."""

    def text(self) -> str:
        """Write it down; where it does not fit, the cameras that were quiet for longest are left out."""
        cameras = [json.dumps({name: list(place)})[1:-1] for name, place in self.last.items()]
        size = 0
        kept: list[str] = []
        for one in reversed(cameras):
            size += len(one) + 2
            if size > MAX_BYTES:
                break
            kept.append(one)
        head = {"v": 1, "in_use": self.in_use, "whole": self.whole and len(kept) == len(cameras)}
        return f'{json.dumps(head)[:-1]}, "last": {{{", ".join(reversed(kept))}}}}}'


def read_note(text: str) -> CommitNote:
    """Read a note; what another program wrote there says nothing."""
    try:
        content = json.loads(text)
        if content["v"] != 1:
            return CommitNote()
        last = {str(camera): (str(run), int(seq)) for camera, (run, seq) in content["last"].items()}
        return CommitNote(bool(content["in_use"]), last, bool(content.get("whole", True)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return CommitNote()


def take_over_note(text: str) -> str:
    """Return the note for a partition that somebody begins to work on, from the one that was found there."""
    found = read_note(text)
    return CommitNote(in_use=True, last=found.last, whole=found.whole).text()
