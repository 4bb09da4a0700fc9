"""The worker's decisions hold for any order of events."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam_runtime.gaps import GapCollector
from groundcam_runtime.partitions.offsets import OffsetLedger
from groundcam_schemas import FrameId, GapReason
from groundcam_worker.policy.batcher import Batcher

arrivals = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["wide", "tall", "square"]), st.floats(0, 0.05), st.booleans()),
    max_size=60,
)


@given(arrivals, st.integers(1, 5), st.floats(0, 0.1))
def test_batches_lose_nothing_and_reorder_no_camera(
    frames: list[tuple[str, str, float, bool]], size: int, wait_s: float
) -> None:
    batcher: Batcher[tuple[int, str, str]] = Batcher(size, wait_s)
    out: list[list[tuple[int, str, str]]] = []
    now = 0.0
    for number, (camera, shape, pause_s, pops) in enumerate(frames):
        now += pause_s
        batcher.push((number, camera, shape), shape=shape, lane=camera, now=now)
        while pops and (batch := batcher.pop(now=now)):
            out.append(batch)
    while batch := batcher.pop_any():
        out.append(batch)

    assert len(batcher) == 0
    assert batcher.deadline is None
    assert sorted(number for batch in out for number, _, _ in batch) == list(range(len(frames)))
    by_camera = defaultdict(list)
    for batch in out:
        assert 1 <= len(batch) <= size
        assert len({shape for _, _, shape in batch}) == 1
        for number, camera, _ in batch:
            by_camera[camera].append(number)
    assert all(numbers == sorted(numbers) for numbers in by_camera.values())


@given(arrivals.filter(bool), st.floats(0, 0.1))
def test_a_batch_is_ready_at_its_deadline_at_the_latest(
    frames: list[tuple[str, str, float, bool]], wait_s: float
) -> None:
    batcher: Batcher[int] = Batcher(1000, wait_s)
    now = 0.0
    for number, (camera, shape, pause_s, _) in enumerate(frames):
        now += pause_s
        batcher.push(number, shape=shape, lane=camera, now=now)
    while (deadline := batcher.deadline) is not None:
        assert deadline <= now + wait_s
        assert batcher.pop(now=deadline)


@given(st.data(), st.lists(st.integers(1, 3), min_size=1, max_size=40))
def test_a_commit_never_passes_an_open_offset(data: st.DataObject, steps: list[int]) -> None:
    ledger = OffsetLedger()
    offset, taken, committed = 100, [], 0
    open_offsets: set[int] = set()
    for step in steps:
        offset += step  # Kafka leaves holes: markers of transactions, compacted records
        ledger.begin(offset)
        taken.append(offset)
        open_offsets.add(offset)
        while open_offsets and data.draw(st.booleans()):
            done = data.draw(st.sampled_from(sorted(open_offsets)))
            open_offsets.remove(done)
            committable = ledger.finish(done)
            if committable is not None:
                assert committable > committed
                committed = committable
            assert all(committed <= still_open for still_open in open_offsets)
    for done in sorted(open_offsets, reverse=True):
        committed = ledger.finish(done) or committed
    assert ledger.open_count == 0
    assert committed == taken[-1] + 1


def test_a_ledger_refuses_what_cannot_be() -> None:
    ledger = OffsetLedger()
    ledger.begin(5)
    with pytest.raises(ValueError, match="offset 5"):
        ledger.begin(5)
    with pytest.raises(KeyError):
        ledger.finish(4)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from(["r1", "r2"]),
            st.integers(0, 30),
            st.sampled_from(list(GapReason)[:2]),
        ),
        max_size=50,
    )
)
def test_gaps_cover_exactly_the_frames_that_were_added(added: list[tuple[str, str, int, GapReason]]) -> None:
    collector = GapCollector(1.0)
    for camera, run, seq, reason in added:
        collector.add(FrameId(camera, run, seq), reason, now=0.0, tag=(camera, run, seq, reason))
    covered, tags = [], []
    for collected in collector.all():
        gap = collected.gap
        assert gap.first_seq is not None
        assert gap.last_seq is not None
        covered += [(gap.camera_id, gap.run_id, seq, gap.reason) for seq in range(gap.first_seq, gap.last_seq + 1)]
        tags += collected.tags
    assert sorted(covered) == sorted(added) == sorted(tags)
    assert collector.deadline is None
