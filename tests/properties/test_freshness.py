"""Old is old, fresh is fresh, whatever a camera's clock shows: clocks by situations.

Each test plays a camera, a Kafka and a worker against each other (`clock_world.py`), asks of every frame at the moment
at which a worker would, before it has seen the next one, and compares with how old the frame truly was.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clock_promises import (
    MAX_AGE_S,
    NOTED_S,
    SLACK_S,
    any_broker,
    both,
    both_promises,
    fresh_is_fresh,
    old_is_old,
    played,
    restarted,
    wrong_and_right,
)
from clock_world import (
    DAY0_S,
    PARTITION,
    Clock,
    Worker,
    off,
    right,
    shots,
    stamped,
    stepping,
)
from groundcam_runtime.partitions.append_times import AppendTimes
from groundcam_worker.policy.freshness import Freshness

# The head of the partition


@wrong_and_right
@both
@pytest.mark.parametrize("detect_s", [0.0, 0.4])
def test_at_the_head_any_clock_will_do(clock: Clock, broker: Clock | None, detect_s: float) -> None:
    """Also where the detector is half as fast as the camera: then half of the frames become old while they wait."""
    worker = Worker(Freshness(MAX_AGE_S), append_clock=broker, detect_s=detect_s)
    verdicts = list(worker.work(shots(begin=0, end=30, clock=clock), begin=0, end=30))
    both_promises(verdicts)
    assert any(one.skipped for one in verdicts) == bool(detect_s)


@played
@given(
    offset_s=st.floats(-3600, 3600),
    ways_s=st.lists(st.floats(0.01, 0.25), min_size=1, max_size=20),
    fps=st.sampled_from([0.1, 0.5, 1.0, 5.0, 25.0]),
)
def test_a_path_that_varies_loses_nothing(offset_s: float, ways_s: list[float], fps: float) -> None:
    made = shots(begin=0, end=25, fps=fps, clock=off(offset_s), way_s=lambda at: ways_s[int(at) % len(ways_s)])
    both_promises([*Worker(Freshness(MAX_AGE_S)).work(made, begin=0, end=25)])


@wrong_and_right
@any_broker
@pytest.mark.parametrize("fps", [0.2, 5.0])
def test_what_a_producer_sends_late_is_old(clock: Clock, broker: Clock | None, fps: float) -> None:
    """Kafka was away for 20 s, and the producer sends what it has kept: at once, or as its line allows."""
    for takes_s in (0.0, 10.0):
        made = shots(
            begin=0, end=80, fps=fps, clock=clock,
            way_s=lambda at, takes_s=takes_s: 0.02 if not 30 <= at < 50 else 50 - at + takes_s * (at - 30) / 20,
        )  # fmt: skip
        verdicts = list(Worker(Freshness(MAX_AGE_S), append_clock=broker).work(made, begin=0, end=80))
        both_promises(verdicts)
        assert any(one.skipped for one in verdicts)


# A backlog


@wrong_and_right
@any_broker
def test_a_worker_that_fell_behind_skips_to_what_is_fresh(clock: Clock, broker: Clock | None) -> None:
    """It has not read for a minute, and goes on."""
    worker = Worker(Freshness(MAX_AGE_S), append_clock=broker, reads=lambda at: not 20 <= at < 80)
    verdicts = list(worker.work(shots(begin=0, end=100, clock=clock), begin=0, end=100))
    both_promises(verdicts)
    assert sum(one.skipped for one in verdicts) > 250


# A restart, with what the commit note says, and without


@wrong_and_right
@both
@pytest.mark.parametrize("detect_s", [0.0, 0.4])
def test_a_restart_on_a_backlog_knows_the_clock(clock: Clock, broker: Clock | None, detect_s: float) -> None:
    log = shots(begin=0, end=100, clock=clock)
    first = Worker(Freshness(MAX_AGE_S), append_clock=broker, detect_s=detect_s)
    both_promises([*first.work(log, begin=0, end=20)])
    second = Worker(restarted(first.freshness), append_clock=broker, detect_s=detect_s, offset=first.offset)
    verdicts = list(second.work(log, begin=80, end=100))
    both_promises(verdicts, NOTED_S + SLACK_S)
    assert sum(one.skipped for one in verdicts) > 250


@wrong_and_right
def test_a_first_start_on_a_backlog_knows_by_the_append_time(clock: Clock) -> None:
    """Nobody has written a note."""
    worker = Worker(Freshness(MAX_AGE_S), append_clock=right)
    both_promises([*worker.work(shots(begin=0, end=100, clock=clock), begin=60, end=100)])


@wrong_and_right
@pytest.mark.parametrize("broker_s", [-3600, -20, -4, 4, 20, 3600])
def test_a_broker_whose_clock_is_wrong_misleads_for_a_moment(clock: Clock, broker_s: float) -> None:
    """Until a record comes of which we saw when; and what was there when we came is as old as our coming."""
    worker = Worker(Freshness(MAX_AGE_S), append_clock=off(broker_s), at_once=5)
    verdicts = list(worker.work(shots(begin=0, end=100, clock=clock), begin=60, end=100))
    both_promises([one for one in verdicts if one.at > 60 + MAX_AGE_S])
    (fresh_is_fresh if broker_s > 0 else old_is_old)(verdicts)


@wrong_and_right
@both
@pytest.mark.parametrize("way_back", ["the same clock", "a clock that is right now"])
def test_a_new_run_on_a_backlog(clock: Clock, broker: Clock | None, way_back: str) -> None:
    """The producer was started anew while no worker ran; its old frames lie there, too."""
    later = clock if way_back == "the same clock" else right
    ahead_s, was_ahead_s = (one(DAY0_S) - DAY0_S for one in (later, clock))
    log = [
        *shots(begin=0, end=40, clock=clock),
        *shots(run="r2", begin=45, end=100, clock=later, first_seq=0),
    ]
    first = Worker(Freshness(MAX_AGE_S), append_clock=broker)
    assert list(first.work(log, begin=0, end=20))
    second = Worker(restarted(first.freshness), append_clock=broker, offset=first.offset)
    verdicts = list(second.work(log, begin=80, end=100))
    is_as_before = way_back == "the same clock"
    if broker is not None or is_as_before or not ahead_s:
        fresh_is_fresh(verdicts, NOTED_S + SLACK_S)
    # Ahead by so little that an old frame seems to be a fresh one of a clock that is right; or right, where an old frame
    # seems to be a fresh one of a clock that is still behind.
    is_doubtful = 0 < ahead_s < 55 if is_as_before else was_ahead_s < -1
    if broker is not None or not is_doubtful:
        old_is_old(verdicts)
    old_is_old([one for one in verdicts if one.at > 80 + MAX_AGE_S])
    assert [one for one in verdicts if one.at > 80 + MAX_AGE_S and not one.skipped]


@wrong_and_right
def test_a_newer_frame_of_its_run_shows_that_a_frame_is_old(clock: Clock) -> None:
    """All of a backlog is in memory, and nothing else is known of the run."""
    worker = Worker(Freshness(MAX_AGE_S), at_once=1000, detect_s=0.1)
    old_is_old(worker.work(shots(begin=0, end=80, clock=clock), begin=60, end=80), NOTED_S + SLACK_S)


def test_a_clock_that_was_set_back_in_a_backlog_is_believed_from_the_second_frame_on() -> None:
    log = shots(begin=0, end=100, fps=0.4, clock=stepping(30, 300, 0))
    verdicts = list(Worker(Freshness(MAX_AGE_S)).work(log, begin=90, end=100))
    assert [one.skipped for one in verdicts if 33 <= one.shot.captured_s - DAY0_S < 85] == [True] * 20


def test_a_single_frame_of_a_run_says_nothing_of_the_next_run() -> None:
    log = [
        *stamped(shots(begin=5, end=5.2), 0, 2**62),
        *shots(run="r2", begin=12, end=40, clock=off(300)),
    ]
    fresh_is_fresh(Worker(Freshness(MAX_AGE_S), reads=lambda at: not 10 <= at < 20).work(log, begin=0, end=40))


@played
@given(offset_s=st.floats(1, 3600), away_s=st.floats(10, 100))
def test_what_nobody_can_tell_is_looked_at_for_as_long_as_a_frame_may_be_old(offset_s: float, away_s: float) -> None:
    """A clock ahead, no append time, and nothing is remembered: a frame that may be fresh is looked at.

    That ends after `max_age_s`: what was there when we came is as old as our coming.
    """
    log = shots(begin=0, end=away_s + 20, fps=2, clock=off(offset_s))
    verdicts = list(Worker(Freshness(MAX_AGE_S), at_once=2).work(log, begin=away_s, end=away_s + 20))
    fresh_is_fresh(verdicts)
    for one in verdicts:
        if not one.skipped and one.age_s > MAX_AGE_S + SLACK_S:
            assert one.at <= away_s + MAX_AGE_S + SLACK_S
    seems = away_s - offset_s
    if not MAX_AGE_S - 0.1 < seems < MAX_AGE_S + SLACK_S:
        assert verdicts[0].skipped == (seems > MAX_AGE_S)


@played
@given(offset_s=st.floats(-3600, 3600), away_s=st.floats(10, 100))
def test_a_right_clock_is_believed_where_nothing_is_known(offset_s: float, away_s: float) -> None:
    """Whatever another run of this camera has shown before."""
    log = shots(run="r2", begin=0, end=away_s + 20, fps=2)
    freshness = Freshness(MAX_AGE_S)
    freshness.recall("gate", "r1", int(-offset_s * 1000))
    verdicts = list(Worker(freshness).work(log, begin=away_s, end=away_s + 20))
    fresh_is_fresh(verdicts)


@settings(deadline=None)
@given(
    log=st.lists(st.tuples(st.floats(0, 2), st.booleans()), min_size=1, max_size=400),
    polls=st.lists(st.tuples(st.floats(0.01, 5), st.integers(0, 40)), min_size=1, max_size=400),
)
def test_when_records_came_is_between_the_bounds(log: list[tuple[float, bool]], polls: list[tuple[float, int]]) -> None:
    """Whatever the pauses between records and between polls, and however few are read."""
    appended = [sum(pause for pause, _ in log[: index + 1]) for index in range(len(log))]
    times, now, offset, first = AppendTimes(), 0.0, 0, None
    for pause_s, count in polls:
        now += pause_s
        end = sum(at <= now for at in appended)
        first = end if first is None else first
        times.saw_end(PARTITION, end, now - 0.005, now + 0.005)
        for one in range(offset, min(end, offset + count)):
            offset = one + 1
            least_s, most_s = times.waited_s(PARTITION, one, now + 0.01)
            assert least_s <= now + 0.01 - appended[one]
            assert (most_s is None) == (one < first)
            assert most_s is None or now + 0.01 - appended[one] <= most_s


def test_who_is_far_behind_knows_a_little_less_well_when_records_came() -> None:
    """Ends are seen for a long time before the records below them are read; not all can be remembered."""
    times = AppendTimes()
    for number in range(1000):
        times.saw_end(PARTITION, 10 * number, number / 20, number / 20 + 0.01)
    bounds = [times.waited_s(PARTITION, offset, 60.0) for offset in range(9990)]
    assert all(least_s <= 60 - (offset // 10 + 1) / 20 for offset, (least_s, _) in enumerate(bounds))
    assert all(
        most_s is not None and most_s >= 60 - (offset // 10 + 1) / 20 for offset, (_, most_s) in enumerate(bounds)
    )
    assert max((most_s or 60) - least_s for least_s, most_s in bounds) < 1


def test_a_topic_that_was_made_anew_begins_anew() -> None:
    times = AppendTimes()
    times.saw_end(PARTITION, 500, 1.0, 1.1)
    times.saw_end(PARTITION, 3, 2.0, 2.1)
    assert times.waited_s(PARTITION, 2, 5.0) == (pytest.approx(2.9), None)
    assert times.waited_s(PARTITION, 3, 5.0) == (0.0, pytest.approx(3.0))
    assert times.waited_s(PARTITION, 2, 5.0) == (pytest.approx(2.9), None), "it is read again"
