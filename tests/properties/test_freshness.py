"""Old is old, fresh is fresh, whatever a camera's clock shows: clocks by situations.

Each test plays a camera, a Kafka and a worker against each other (`clock_world.py`), asks of every frame at the moment
at which a worker would, before it has seen the next one, and compares with how old the frame truly was.
"""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clock_world import (
    DAY0_S,
    NS,
    PARTITION,
    Clock,
    Shot,
    Verdict,
    Worker,
    drifting,
    off,
    right,
    shots,
    stamped,
    stepping,
)
from groundcam_runtime.partitions.append_times import AppendTimes
from groundcam_runtime.partitions.commit_note import CommitNote, read_note
from groundcam_runtime.records import Consumed
from groundcam_schemas import FrameId
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
