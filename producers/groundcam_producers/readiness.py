"""Whether a producer does its work: its cameras play, or were played to their end. Pure."""

from collections.abc import Collection, Mapping

from groundcam_schemas import CameraState

NAMED = 3
"""So many cameras are named; /status has all of them."""


def playing(states: Mapping[str, CameraState], ended: Collection[str]) -> str | None:
    """Say how many cameras play; None where there are none to play, as in a shard that is empty."""
    if not states:
        return None
    play = sum(state is CameraState.ONLINE for name, state in states.items() if name not in ended)
    over = f", {len(ended)} ended" if ended else ""
    return f"{play} of {len(states)} {'camera plays' if len(states) == 1 else 'cameras play'}{over}"


def none_plays(states: Mapping[str, CameraState], ended: Collection[str]) -> str | None:
    """Say that no camera plays, and what they do instead; None while one plays or a file has been played.

    One camera that is away is no reason: the others are looked after all the same.
    """
    if not states or ended or CameraState.ONLINE in states.values():
        return None
    named = [f"{name} is {state.value}" for name, state in states.items()][:NAMED]
    more = f" and {len(states) - NAMED} more" if len(states) > NAMED else ""
    return f"{playing(states, ended)}: {', '.join(named)}{more}"
