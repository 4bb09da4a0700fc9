"""What is asked of every clock: old is old, and fresh is fresh; and the clocks and brokers that are tried."""

from collections.abc import Iterable

import pytest
from hypothesis import settings

from clock_world import (
    Clock,
    Verdict,
    drifting,
    off,
    right,
)
from groundcam_runtime.partitions.commit_note import CommitNote, read_note
from groundcam_worker.policy.freshness import Freshness

MAX_AGE_S = 3.0
SLACK_S = 0.3
"""Of the path's shortest delay and of the bounds between which we see a record come."""
NOTED_S = 1.0
"""A clock that is wrong by less is not written down."""
BLIND_S = 5.0
played = settings(deadline=None, max_examples=50)
"""A minute of a camera's life takes some milliseconds, on a busy machine more."""

OFFSETS = [-3600.0, -300.0, -60.0, -4.0, 0.0, 4.0, 60.0, 300.0, 3600.0]
CLOCKS: dict[str, Clock] = {
    **{f"off by {offset:+.0f} s": off(offset) for offset in OFFSETS},
    "drifts by 1 s in 1000": drifting(-20, 0.001),
    "drifts by -1 s in 1000": drifting(300, -0.001),
}
BROKERS: dict[str, Clock | None] = {
    "no append time": None,
    "append time": right,
    "append time of a clock ahead by 20 s": off(20),
    "append time of a clock behind by 20 s": off(-20),
}
any_broker = pytest.mark.parametrize("broker", BROKERS.values(), ids=BROKERS.keys())
both = pytest.mark.parametrize("broker", [None, right], ids=["no append time", "append time"])
wrong_and_right = pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS.keys())


def old_is_old(verdicts: Iterable[Verdict], slack_s: float = SLACK_S) -> None:
    late = [one for one in verdicts if not one.skipped and one.age_s > MAX_AGE_S + slack_s]
    assert not late, f"{len(late)} old ones were looked at: {late[0]}"


def fresh_is_fresh(verdicts: Iterable[Verdict], slack_s: float = SLACK_S) -> None:
    lost = [one for one in verdicts if one.skipped and one.age_s < MAX_AGE_S - slack_s]
    assert not lost, f"{len(lost)} fresh ones were skipped: {lost[0]}"


def both_promises(verdicts: list[Verdict], slack_s: float = SLACK_S) -> None:
    assert verdicts
    old_is_old(verdicts, slack_s)
    fresh_is_fresh(verdicts, slack_s)


def restarted(before: Freshness, run: str = "r1") -> Freshness:
    """The next worker: it knows what the commit note of the one before said."""
    delay_ms = before.remembered("gate")
    note = read_note(CommitNote(last={"gate": (run, 1)}, clocks={} if delay_ms is None else {"gate": delay_ms}).text())
    after = Freshness(MAX_AGE_S)
    for camera, remembered_ms in note.clocks.items():
        after.recall(camera, note.last[camera][0], remembered_ms)
    return after
