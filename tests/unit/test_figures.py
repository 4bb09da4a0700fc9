"""How well cameras are answered, and their objects' newest pictures, as the console is told of them."""

import pytest

from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import Gap, GapReason
from groundcam_serve.following.best_pictures import ENTRY_BYTES, Kept
from groundcam_serve.following.figures import WINDOW_S, Figures
from walks import NS, answer, gap


def test_rates_ages_and_gaps_are_those_of_the_last_minute() -> None:
    figures = Figures()
    for number in range(120):
        figures.take(answer(number, number / 2, []), number / 2)
    figures.take(gap(200, 209), 59.0)
    figures.take(gap(210, 210, GapReason.EXPIRED), 59.5)
    figures.take(Gap(camera_id="gate", run_id="run-1", reason=GapReason.CAMERA_OFFLINE, from_ns=0, to_ns=NS), 59.5)
    found = figures.of("gate", 60.0)
    assert found is not None
    assert found.answers_per_s == pytest.approx(2.0, abs=0.05)
    assert (found.age_s, dict(found.gaps)) == (0.5, {"stale": 10, "expired": 1})
    later = figures.of("gate", 60.0 + 2 * WINDOW_S)
    assert later is not None
    assert (later.answers_per_s, later.age_s, later.latency_s, dict(later.gaps)) == (0.0, None, None, {})
    assert figures.of("yard", 0.0) is None


@pytest.mark.parametrize(("after_s", "is_told"), [(1, 0.8), (10, 4.0), (59, 4.0), (90, 4.0)])
def test_the_rate_of_a_camera_that_is_new_is_that_of_the_time_since_it_came(after_s: int, is_told: float) -> None:
    figures = Figures()
    for number in range(after_s * 4):
        figures.take(answer(number, number / 4, []), number / 4)
    found = figures.of("gate", float(after_s))
    assert found is not None
    assert found.answers_per_s == pytest.approx(is_told, rel=0.05)


def test_where_each_partition_was_answered_last_is_known() -> None:
    figures = Figures()
    for seq in (5, 9, 7):
        figures.take(answer(seq, 0.0, []), 0.0)
    assert figures.answered() == {Partition("frames", 0): 10}


def record(name: str, data: bytes | None, offset: int = 0) -> Consumed:
    return Consumed(Partition("pictures", 0), offset, 0, name.encode(), data, (("camera", b"gate"),), 0)


def test_the_newest_picture_of_each_object_is_kept_within_bounds() -> None:
    kept = Kept(3 * (100 + ENTRY_BYTES))
    for number in range(5):
        kept.take(record(f"o{number}", bytes(100)))
        kept.take(record("o0", b"%d" % number + bytes(99)))
    found = kept.get("o0")
    assert found is not None
    assert (found.camera_id, found.data[:1]) == ("gate", b"4")
    assert [kept.get(f"o{number}") is not None for number in range(5)] == [True, False, False, True, True]


def test_a_record_that_says_why_there_is_no_picture_takes_none_away() -> None:
    kept = Kept()
    kept.take(record("o1", b"picture"))
    kept.take(record("o1", None))
    assert kept.get("o1") is not None
