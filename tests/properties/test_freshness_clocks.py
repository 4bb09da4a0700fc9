"""Old is old, fresh is fresh, also where clocks are set, stamps are absurd and the worker itself takes time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock_promises import (
    BLIND_S,
    MAX_AGE_S,
    NOTED_S,
    SLACK_S,
    both,
    both_promises,
    fresh_is_fresh,
    old_is_old,
    restarted,
    wrong_and_right,
)
from clock_world import (
    DAY0_S,
    NS,
    PARTITION,
    Clock,
    Shot,
    Worker,
    off,
    shots,
    stamped,
    stepping,
)
from groundcam_runtime.records import Consumed
from groundcam_schemas import FrameId
from groundcam_worker.policy.freshness import Freshness

# Clocks that are set, and single stamps


@both
@pytest.mark.parametrize("fps", [0.1, 0.5, 5.0])
@pytest.mark.parametrize("before", [-3600.0, -4.0, 0.0, 4.0, 60.0])
@pytest.mark.parametrize("after", [-300.0, -4.0, 0.0, 4.0, 300.0])
def test_a_clock_that_is_set_blinds_for_five_seconds_or_one_frame(
    before: float, after: float, fps: float, broker: Clock | None
) -> None:
    log = shots(begin=0, end=120, fps=fps, clock=stepping(60, before, after))
    verdicts = list(Worker(Freshness(MAX_AGE_S), append_clock=broker).work(log, begin=0, end=120))
    blind = [one for one in verdicts if one.skipped]
    assert len(blind) <= 1 or blind[-1].at - blind[0].at <= BLIND_S
    if after > before or before - after > 1 / fps + 1:
        assert not blind, "the stamps themselves say that it was set"


@both
@pytest.mark.parametrize("stamp_ns", [2**62, 2**63 - 1, 0, 1, -5, int((DAY0_S + 40) * NS), int((DAY0_S - 40) * NS)])
@pytest.mark.parametrize("number", [0, 1, 50, 110, 149])
@pytest.mark.parametrize("detect_s", [0.0, 0.4])
def test_a_single_absurd_stamp_blinds_nobody_but_itself(
    stamp_ns: int, number: int, broker: Clock | None, detect_s: float
) -> None:
    """At the head, in what a producer sends late (frame 110), and after a pause of the worker's (149)."""
    log = stamped(shots(begin=0, end=35, way_s=lambda at: 0.02 if not 20 <= at < 25 else 25 - at), number, stamp_ns)
    worker = Worker(Freshness(MAX_AGE_S), append_clock=broker, reads=lambda at: not 28 <= at < 30, detect_s=detect_s)
    verdicts = [one for one in worker.work(log, begin=0, end=35) if one.shot.id.seq != number]
    both_promises(verdicts)


@both
@pytest.mark.parametrize("step_s", [-300.0, -4.0, 4.0, 300.0])
def test_a_clock_that_is_set_while_no_worker_runs_blinds_for_five_seconds(step_s: float, broker: Clock | None) -> None:
    """The commit note is wrong then; what it says is compared with what comes."""
    log = shots(begin=0, end=110, clock=stepping(50, -step_s, 0))
    first = Worker(Freshness(MAX_AGE_S), append_clock=broker)
    both_promises([*first.work(log, begin=0, end=20)])
    second = Worker(restarted(first.freshness), append_clock=broker, offset=first.offset)
    verdicts = list(second.work(log, begin=90, end=110))
    old_is_old([one for one in verdicts if one.at > 90 + MAX_AGE_S])
    fresh_is_fresh([one for one in verdicts if one.at > 90 + BLIND_S])
    if broker is not None:
        old_is_old(verdicts)


@both
@pytest.mark.parametrize("step_s", [-300.0, 300.0])
def test_what_is_late_after_a_clock_was_set_is_old(step_s: float, broker: Clock | None) -> None:
    """What is learned of the new clock counts, in a backlog and for the next worker, too."""
    way = {"way_s": lambda at: 0.02 if not 40 <= at < 50 else 50 - at}
    log = shots(begin=0, end=120, clock=stepping(20, 0, step_s), **way)
    first = Worker(Freshness(MAX_AGE_S), append_clock=broker, reads=lambda at: not 55 <= at < 65)
    both_promises([*first.work(log, begin=0, end=80)])
    second = Worker(restarted(first.freshness), append_clock=broker, offset=first.offset)
    both_promises([*second.work(log, begin=100, end=120)], NOTED_S + SLACK_S)


def test_a_clock_that_was_set_back_is_learned_where_the_path_varies() -> None:
    log = shots(
        begin=0, end=60, fps=0.5, clock=stepping(20, 0, -300), way_s=lambda at: 1.6 if int(at / 2) % 2 else 0.02
    )
    first = Worker(Freshness(MAX_AGE_S))
    both_promises([*first.work(log, begin=0, end=60)])
    assert first.freshness.remembered("gate") == pytest.approx(300_000, abs=1000)


@both
def test_a_replay_teaches_nothing(broker: Clock | None) -> None:
    """An old frame is put on the topic again, as a dead letter may be, or read again."""
    log = shots(begin=0, end=60, way_s=lambda at: 0.02 if not 40 <= at < 50 else 50 - at)
    log += [replace(log[number], appended_s=DAY0_S + 45.0 + number) for number in range(4)]
    verdicts = list(Worker(Freshness(MAX_AGE_S), append_clock=broker).work(log, begin=0, end=60))
    both_promises(verdicts)
    assert sum(one.skipped and one.shot.id.seq < 4 for one in verdicts) == 4


def test_a_camera_that_numbers_anew_is_learned_anew() -> None:
    """Plain JPEGs are numbered by their offsets, and a topic may be made anew."""
    log = [
        *shots(begin=0, end=30, first_seq=1000),
        *shots(begin=30, end=80, clock=off(300), way_s=lambda at: 0.02 if not 60 <= at < 70 else 70 - at),
    ]
    both_promises([*Worker(Freshness(MAX_AGE_S)).work(log, begin=0, end=80)])


@pytest.mark.parametrize("stamp_ns", [2**62, 0, -5])
def test_an_absurd_stamp_in_a_backlog_makes_nothing_fresh_and_nothing_old(stamp_ns: int) -> None:
    """Also where nothing is remembered, and of a clock that is right."""
    log = stamped(shots(begin=0, end=100), 100, stamp_ns)
    verdicts = list(Worker(Freshness(MAX_AGE_S)).work(log, begin=60, end=100))
    both_promises([one for one in verdicts if one.shot.id.seq != 100])


@both
@pytest.mark.parametrize("step_s", [-3600.0, -10.0, 10.0, 3600.0])
def test_our_own_clock_may_be_set(step_s: float, broker: Clock | None) -> None:
    worker = Worker(
        Freshness(MAX_AGE_S), clock=stepping(20, 0, step_s), append_clock=broker, reads=lambda at: not 40 <= at < 60
    )
    both_promises([*worker.work(shots(begin=0, end=80), begin=0, end=80)])


def test_a_camera_of_which_nothing_is_known_is_compared_with_our_clock_as_it_is_set_now() -> None:
    worker = Worker(Freshness(MAX_AGE_S), clock=stepping(20, -3600, 0), reads=lambda at: not 40 <= at < 60)
    both_promises([*worker.work([*shots(begin=0, end=80), *shots("yard", begin=45, end=80)], begin=0, end=80)])


@both
@wrong_and_right
def test_what_came_late_and_then_lay_on_kafka_is_as_old_as_both(clock: Clock, broker: Clock | None) -> None:
    log = shots(begin=0, end=80, clock=clock, way_s=lambda at: 0.02 if not 40 <= at < 50 else 50 - at)
    worker = Worker(Freshness(MAX_AGE_S), append_clock=broker, reads=lambda at: not 45 <= at < 52)
    both_promises([*worker.work(log, begin=0, end=80)])


def test_a_slower_path_is_believed_after_five_seconds() -> None:
    """Nobody can tell it from a clock that was set back by as much while the camera was silent."""
    log = shots(begin=0, end=60, way_s=lambda at: 0.02 if at < 30 else 4.02)
    verdicts = list(Worker(Freshness(MAX_AGE_S)).work(log, begin=0, end=60))
    skipped = [one.at for one in verdicts if one.skipped]
    assert skipped
    assert skipped[0] >= 34
    assert skipped[-1] - skipped[0] <= BLIND_S


def test_silence_makes_nothing_fresh() -> None:
    """A camera that was cut off for ten seconds and sends all of it at once: what was learned before still counts."""
    log = shots(begin=0, end=40, way_s=lambda at: 0.02 if not 20 <= at < 30 else 30 - at)
    verdicts = list(Worker(Freshness(MAX_AGE_S)).work(log, begin=0, end=40))
    both_promises(verdicts)
    assert sum(one.skipped for one in verdicts) == pytest.approx(35, abs=2)


# The worker's own time


@given(leads=st.lists(st.floats(0, 10), min_size=1, max_size=5))
def test_the_time_at_the_detector_counts_up_to_half_of_the_largest_age(leads: list[float]) -> None:
    freshness = Freshness(MAX_AGE_S)
    for seconds in leads:
        freshness.took(seconds)
    limit_s = MAX_AGE_S - min(freshness.lead_s, MAX_AGE_S / 2)
    assert freshness.lead_s >= 0.95 * max(leads)
    record = Consumed(PARTITION, 0, 0, None, None, (), 100 * NS, waited_at_most_s=0.0)
    frame = FrameId("gate", "r", 0)
    freshness.arrived(frame, 99 * NS, record)
    for waiting_s in (limit_s - 0.01, limit_s + 0.01):
        now_ns = 100 * NS + round(waiting_s * NS)
        assert freshness.age_s(frame, 99 * NS, record, now_ns) == pytest.approx(waiting_s)
        assert freshness.is_stale(frame, 99 * NS, record, now_ns) == (waiting_s > limit_s)


def test_a_longest_time_at_the_detector_is_forgotten_slowly() -> None:
    freshness = Freshness(MAX_AGE_S)
    freshness.took(2.0)
    for _ in range(500):
        freshness.took(0.1)
    assert freshness.lead_s == pytest.approx(0.1, abs=0.05)


@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), st.floats(0, 3600)), max_size=30))
def test_a_largest_age_of_zero_skips_nothing(seen: list[tuple[int, float]]) -> None:
    freshness = Freshness(0, {"yard": 0.0})
    for number, (captured, waited_s) in enumerate(seen):
        for camera in ("gate", "yard"):
            record = Consumed(PARTITION, number, 0, None, None, (), 100 * NS, waited_at_least_s=waited_s)
            freshness.arrived(FrameId(camera, "r", number), captured, record)
            assert not freshness.is_stale(FrameId(camera, "r", number), captured, record, 5000 * NS)


def test_a_camera_may_have_a_largest_age_of_its_own() -> None:
    freshness = Freshness(MAX_AGE_S, {"gate": 60.0})
    record = Consumed(PARTITION, 0, 0, None, None, (), 100 * NS)
    assert not freshness.is_stale(FrameId("gate", "r", 0), 70 * NS, record, 100 * NS)
    assert freshness.is_stale(FrameId("yard", "r", 0), 70 * NS, record, 100 * NS)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from(["r1", "r2"]), st.integers(0, 5),
            st.integers(-(2**63), 2**63), st.integers(0, 2**63), st.none() | st.floats(0, 1e6), st.none() | st.integers(),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_any_frames_in_any_order_have_an_age(
    seen: list[tuple[str, str, int, int, int, float | None, int | None]],
) -> None:
    freshness = Freshness(MAX_AGE_S)
    for offset, (camera, run, seq, captured, consumed, most_s, appended) in enumerate(seen):
        record = Consumed(
            PARTITION, offset, 0, None, None, (), consumed, waited_at_most_s=most_s, appended_at_ns=appended,
        )  # fmt: skip
        frame = FrameId(camera, run, seq)
        freshness.arrived(frame, captured, record)
        assert freshness.age_s(frame, captured, record, consumed) >= 0
        if (delay_ms := freshness.remembered(camera)) is not None:
            assert abs(delay_ms) >= 1000
            Freshness(1.0).recall(camera, run, delay_ms)


def test_frames_of_several_cameras_are_judged_each_by_its_own_clock() -> None:
    log: list[Shot] = []
    for number, offset in enumerate([-300.0, 0.0, 300.0]):
        log += shots(f"cam{number}", begin=number / 20, end=60, clock=off(offset))
    worker = Worker(Freshness(MAX_AGE_S), reads=lambda at: not 20 <= at < 40)
    both_promises([*worker.work(log, begin=0, end=60)])
