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


def none_plays(states: Mapping[str, CameraState], ended: Collection[str], *, is_job: bool) -> str | None:
    """Say that no camera plays, and what they do instead; None while one plays, or has nothing more to play.

    One camera that is away is no reason: the others are looked after all the same. In a job a file that was played to
    its end is work that was done; beside a camera that goes on for ever it says nothing of that one.
    """
    left = {name: state for name, state in states.items() if name not in ended}
    if not left or CameraState.ONLINE in left.values() or (is_job and ended):
        return None
    named = [f"{name} is {state.value}" for name, state in left.items()][:NAMED]
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return f"{playing(states, ended)}: {', '.join(named)}{more}"
