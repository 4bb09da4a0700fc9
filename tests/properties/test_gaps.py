"""What nobody looked at is reported in time, whatever the order of events."""

from hypothesis import given
from hypothesis import strategies as st

from groundcam_runtime.gaps import GapCollector
from groundcam_schemas import FrameId, GapReason

AGE_S = 1.0
EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from([GapReason.STALE, GapReason.NO_QUESTION]), st.floats(0, 0.6),
        st.sampled_from(["add", "add", "add", "take", "due"]),
    ),
    max_size=60,
)  # fmt: skip


@given(EVENTS)
def test_a_cameras_gaps_are_due_when_its_oldest_frame_has_waited_long_enough(
    events: list[tuple[str, GapReason, float, str]],
) -> None:
    """Also where the reason alternates, so that each frame is a gap of its own. Against a plain model."""
    collector, now = GapCollector(AGE_S), 0.0
    oldest: dict[str, float] = {}
    for seq, (camera, reason, pause_s, what) in enumerate(events):
        now += pause_s
        if what == "add":
            collector.add(FrameId(camera, "r", seq), reason, now=now)
            oldest.setdefault(camera, now)
        elif what == "take":
            assert bool(list(collector.take(camera))) == (oldest.pop(camera, None) is not None)
        else:
            due = {name for name, since in oldest.items() if now >= since + AGE_S}
            assert {one.gap.camera_id for one in collector.due(now)} == due
            oldest = {name: since for name, since in oldest.items() if name not in due}
        assert collector.deadline == (min(oldest.values()) + AGE_S if oldest else None)


def test_a_camera_whose_reason_alternates_is_reported_in_time() -> None:
    collector = GapCollector(AGE_S)
    for number in range(11):
        reason = (GapReason.STALE, GapReason.NO_QUESTION)[number % 2]
        collector.add(FrameId("gate", "r", number), reason, now=number / 10)
    assert collector.deadline == AGE_S
    assert not list(collector.due(0.99))
    assert [one.gap.first_seq for one in collector.due(AGE_S)] == list(range(11))


def test_the_camera_that_waits_longest_decides_when_to_look_again() -> None:
    collector = GapCollector(AGE_S)
    for number, camera in enumerate(["gate", "yard", "gate"]):
        collector.add(FrameId(camera, "r", number), GapReason.STALE, now=float(number) / 4)
    assert collector.deadline == AGE_S


@given(st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 20)), max_size=40))
def test_invented_names_wait_no_longer_than_their_time(bursts: list[tuple[float, int]]) -> None:
    """A thousand names take the room of what came in the last second, and no more."""
    collector, now, name = GapCollector(AGE_S), 0.0, 0
    came: list[float] = []
    for pause_s, names in bursts:
        now += pause_s
        for _ in range(names):
            name += 1
            collector.add(FrameId(f"invented-{name}", "r", 0), GapReason.NO_QUESTION, now=now)
            came.append(now)
        list(collector.due(now))
        assert len(collector._open) == sum(now < one + AGE_S for one in came)
