"""What follows from the end of a camera's process. Pure."""

from enum import Enum, auto

UNUSABLE = 4
"""Exit code for a file that is no video: starting again would not help."""
INCOMPLETE = 5
"""Exit code after which Kafka lacks some of what was numbered; a file is not played again for it."""


class Ending(Enum):
    """What follows."""

    PLAYED = auto()
    """A file was played to its end."""
    GIVEN_UP = auto()
    """A file that cannot be played, or was not published whole."""
    AGAIN = auto()
    """It starts again, in a while."""
    AGAIN_AT_ONCE = auto()
    """So does a file that is to be played again since just now."""


def ending(code: int | None, *, is_live: bool, loops: bool) -> Ending:
    """Return what follows; a live camera has no end, whoever ended its process, and neither has a file that loops."""
    if code == 0 and not is_live:
        return Ending.AGAIN_AT_ONCE if loops else Ending.PLAYED
    if code == UNUSABLE or (code == INCOMPLETE and not is_live and not loops):
        return Ending.GIVEN_UP
    return Ending.AGAIN
