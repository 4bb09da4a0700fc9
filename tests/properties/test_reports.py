"""What a camera reports while Kafka takes nothing: bounded, and nothing of the accounting is lost."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from groundcam_producers.reports import Reports
from groundcam_schemas import CameraState, CameraStatus, Gap, GapReason

REASONS = [GapReason.PRODUCER_OVERLOAD, GapReason.UNDECODABLE, GapReason.TOO_LARGE]
EVENTS = st.lists(
    st.tuples(st.sampled_from(["skip", "skip", "skip", "publish", "away", "state", "look", "acknowledge"]),
              st.sampled_from(REASONS), st.floats(0, 0.7)),
    max_size=120,
)  # fmt: skip


def status(number: int) -> CameraStatus:
    return CameraStatus(camera_id="gate", state=CameraState.OFFLINE, since_ns=number, url="rtsp://h/")


def frames_in(reports: Iterable[Gap | CameraStatus]) -> list[tuple[int, GapReason]]:
    """Every frame of every gap, once for each gap that holds it."""
    return [
        (seq, one.reason) for one in reports if isinstance(one, Gap) and one.first_seq is not None
        for seq in range(one.first_seq, (one.last_seq or 0) + 1)
    ]  # fmt: skip


@given(EVENTS, st.integers(1, 4), st.integers(1, 5) | st.just(1000))
def test_every_skipped_frame_is_in_one_gap_and_no_other_frame_is(
    events: list[tuple[str, GapReason, float]], most_unacknowledged: int, most_ranges: int
) -> None:
    reports = Reports("gate", "r", most_unacknowledged=most_unacknowledged, most_ranges=most_ranges)
    now, seq, skipped, absent = 0.0, 0, [], []
    newest: CameraStatus | None = None
    sent: list[Gap | CameraStatus] = []
    for number, (what, reason, pause_s) in enumerate(events):
        now += pause_s
        if what == "skip":
            reports.skipped(seq, reason, now=now)
            skipped.append((seq, reason))
            seq += 1
        elif what == "publish":
            seq += 1
        elif what == "away":
            reports.away(10 * number, 10 * number + 5)
            absent.append((10 * number, 10 * number + 5))
        elif what == "state":
            newest = status(number)
            reports.state(newest)
        elif what == "acknowledge" and reports.unacknowledged:
            reports.acknowledged()
        elif what == "look":
            before = reports.unacknowledged
            taken = list(reports.due(now))
            assert reports.unacknowledged == before + len(taken)
            assert before < most_unacknowledged or not taken
            sent += taken
    sent += reports.everything()
    assert not list(reports.everything())

    found = frames_in(sent)
    assert [seq for seq, _ in found] == [seq for seq, _ in skipped], "each once, in order"
    if most_ranges >= 1000:
        assert found == skipped, "with its own reason"
    states = [one for one in sent if isinstance(one, CameraStatus)]
    assert (states[-1] if states else None) == newest
    times = [one for one in sent if isinstance(one, Gap) and one.from_ns is not None]
    for begin, end in absent:
        assert any((one.from_ns or 0) <= begin and end <= (one.to_ns or 0) for one in times)


def test_hours_without_kafka_take_no_more_room_than_a_minute() -> None:
    """Five frames a second of which every third is broken, a state a minute: it was a record a second."""
    reports, records = Reports("gate", "r"), 0
    for seq in range(5 * 7200):
        reports.skipped(seq, REASONS[seq % 3 == 0], now=seq / 5)
        if seq % 300 == 0:
            reports.state(status(seq))
            reports.away(seq, seq + 1)
        if seq % 5 == 0:
            records += len(list(reports.due(seq / 5)))
    assert records < 100, "what is on its way"
    last = list(reports.everything())
    assert len(last) <= 2 * 1000 + 1
    assert max(seq for seq, _ in frames_in(last)) == 5 * 7200 - 1
    assert len(frames_in(last)) > 5 * 7200 - 300


def test_more_absences_than_may_wait_are_covered_by_the_last_one() -> None:
    reports = Reports("gate", "r", most_ranges=2)
    for begin in (10, 30, 50, 70):
        reports.away(begin, begin + 5)
    found = [(one.from_ns, one.to_ns) for one in reports.due(0.0) if isinstance(one, Gap)]
    assert found == [(10, 15), (30, 75)]


def test_while_kafka_answers_a_gap_waits_for_a_second_and_a_state_for_nothing() -> None:
    reports = Reports("gate", "r")
    reports.skipped(0, GapReason.TOO_LARGE, now=0.0)
    reports.state(status(1))
    assert list(reports.due(0.1)) == [status(1)]
    assert not list(reports.due(0.9))
    assert frames_in(reports.due(1.0)) == [(0, GapReason.TOO_LARGE)]


def test_an_absence_whose_end_seems_to_lie_before_its_begin_is_a_moment() -> None:
    reports = Reports("gate", "r")
    reports.away(100, 50)
    (gap,) = reports.due(0.0)
    assert isinstance(gap, Gap)
    assert (gap.from_ns, gap.to_ns) == (100, 100)
