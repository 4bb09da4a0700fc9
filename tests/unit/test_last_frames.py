"""The last frames of a partition, which lay there while no worker ran: nothing comes after them that would teach more."""

import pytest

from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import FrameId
from groundcam_worker.policy.clocks import NS
from groundcam_worker.policy.freshness import Freshness

CAME_NS = 1_700_000_000 * NS
AWAY_S = 30


def record(offset: int, captured_ns: int, *, has_append_time: bool) -> Consumed:
    """As the first answer to a fetch brings it: its partition's end was not seen before."""
    return Consumed(
        Partition("groundcam.frames", 0), offset, captured_ns // 10**6, b"gate", b"", (), CAME_NS,
        monotonic_ns=77 * NS, appended_at_ns=captured_ns + NS // 10 if has_append_time else None,
    )  # fmt: skip


@pytest.mark.parametrize("has_append_time", [True, False], ids=["append time", "none"])
@pytest.mark.parametrize("frames", [1, 3])
def test_what_was_there_before_the_worker_came_is_stale_also_where_nothing_follows(
    frames: int, has_append_time: bool
) -> None:
    freshness = Freshness(3.0)
    came = []
    for seq in range(frames):
        captured_ns = CAME_NS - (AWAY_S + 2 * (frames - seq)) * NS
        one = FrameId("gate", "r", seq), captured_ns, record(seq, captured_ns, has_append_time=has_append_time)
        freshness.arrived(*one)
        came.append(one)
    assert all(freshness.is_stale(*one, CAME_NS + NS // 100) for one in came)
    assert freshness.age_s(*came[-1], CAME_NS) == pytest.approx(AWAY_S + 2, abs=0.2)


def test_a_plain_jpeg_whose_only_time_is_the_brokers_is_stale_too() -> None:
    freshness, appended_ns = Freshness(3.0), CAME_NS - AWAY_S * NS
    one = record(0, appended_ns - NS // 10, has_append_time=True)
    freshness.arrived(FrameId("snap", "r", 0), appended_ns, one)
    assert freshness.is_stale(FrameId("snap", "r", 0), appended_ns, one, CAME_NS)
