"""How long records have lain on Kafka, from the ends of partitions that were seen."""

from itertools import pairwise

import pytest

from groundcam_runtime.partitions.append_times import MAX_SIGHTS, AppendTimes
from groundcam_runtime.records import Partition

ONE, OTHER = Partition("frames", 0), Partition("frames", 1)


def seen(*ends: tuple[int, float, float]) -> AppendTimes:
    """Ends of a partition: offset, and the moments between which it was the end."""
    times = AppendTimes()
    for offset, asked_s, answered_s in ends:
        times.saw_end(ONE, offset, asked_s, answered_s)
    return times


def test_of_a_partition_whose_end_nobody_saw_nothing_is_known() -> None:
    assert AppendTimes().waited_s(ONE, 5, 100.0) == (0.0, None)
    assert seen((5, 1.0, 2.0)).waited_s(OTHER, 5, 100.0) == (0.0, None)


def test_a_record_before_an_end_was_there_when_the_answer_came() -> None:
    assert seen((10, 1.0, 2.0)).waited_s(ONE, 9, 100.0) == (98.0, None)


def test_a_record_at_an_end_or_beyond_came_after_the_end_was_asked_for() -> None:
    assert seen((10, 1.0, 2.0)).waited_s(ONE, 10, 100.0) == (0.0, 99.0)
    assert seen((10, 1.0, 2.0)).waited_s(ONE, 25, 100.0) == (0.0, 99.0)


def test_between_two_ends_both_bounds_are_known() -> None:
    times = seen((10, 1.0, 2.0), (20, 5.0, 6.0), (30, 8.0, 9.0))
    assert times.waited_s(ONE, 9, 100.0) == (98.0, None)
    assert times.waited_s(ONE, 10, 100.0) == (94.0, 99.0)
    assert times.waited_s(ONE, 19, 100.0) == (94.0, 99.0)
    assert times.waited_s(ONE, 20, 100.0) == (91.0, 95.0)
    assert times.waited_s(ONE, 30, 100.0) == (0.0, 92.0)


def test_a_record_that_is_ahead_of_our_looks_has_waited_for_no_less_than_nothing() -> None:
    assert seen((10, 1.0, 2.0)).waited_s(ONE, 9, 1.5) == (0.0, None)
    assert seen((10, 1.0, 2.0)).waited_s(ONE, 10, 0.5) == (0.0, 0.0)


def test_of_one_end_the_first_and_the_last_sight_count() -> None:
    times = seen((10, 1.0, 2.0), (10, 3.0, 4.0), (10, 5.0, 6.0), (10, 7.0, 8.0))
    assert times.waited_s(ONE, 9, 100.0) == (98.0, None), "it was there at the first"
    assert times.waited_s(ONE, 10, 100.0) == (0.0, 93.0), "it was not there at the last"


def test_an_end_that_fell_says_that_the_topic_was_made_anew() -> None:
    times = seen((10, 1.0, 2.0), (20, 3.0, 4.0), (5, 7.0, 8.0))
    assert times.waited_s(ONE, 4, 100.0) == (92.0, None)
    assert times.waited_s(ONE, 5, 100.0) == (0.0, 93.0)


def test_an_end_that_fell_by_less_than_all_that_is_known_says_so_too() -> None:
    assert seen((10, 1.0, 2.0), (20, 3.0, 4.0), (15, 7.0, 8.0)).waited_s(ONE, 15, 100.0) == (0.0, 93.0)


def test_a_partition_that_falls_quiet_pushes_out_nothing_that_is_known() -> None:
    """However often its last end is seen; before that each was seen twice."""
    busy = [(number // 2, number - 0.25, number - 0.125) for number in range(200)]
    times = seen(*busy, *((99, 200.0 + number, 200.5 + number) for number in range(1000)))
    for offset in range(99):
        assert times.waited_s(ONE, offset, 5000.0) == (4998.125 - 2 * offset, 4999.25 - 2 * offset)
    assert times.waited_s(ONE, 99, 5000.0) == (0.0, 3801.0)


def test_of_too_many_ends_the_one_goes_whose_neighbours_are_closest() -> None:
    """Three come 3 s apart, two half a second apart, and all others ten."""
    at_s = [10.0 * number for number in range(257)]
    at_s[100], at_s[101] = at_s[99] + 3, at_s[99] + 6
    at_s[51] = at_s[50] + 0.5
    times = seen(*((offset, second, second) for offset, second in enumerate(at_s)))
    known = [times.waited_s(ONE, offset, 5000.0) for offset in range(256)]
    exact = [(5000.0 - after, 5000.0 - before) for before, after in pairwise(at_s)]
    gone = (5000.0 - at_s[101], 5000.0 - at_s[99])
    assert known == [*exact[:99], gone, gone, *exact[101:]]


@pytest.mark.parametrize("looks", [MAX_SIGHTS, MAX_SIGHTS + 1, 3 * MAX_SIGHTS, 1000])
def test_of_many_ends_a_bounded_number_is_kept_and_what_is_said_stays_true(looks: int) -> None:
    """The record at offset n comes at second n; the end is seen just before and just after."""
    times = seen(*((offset, offset - 0.25, offset - 0.125) for offset in range(looks)))
    assert len(times._seen[ONE]) <= 256
    for offset in range(0, looks, 7):
        least_s, most_s = times.waited_s(ONE, offset, 5000.0)
        assert least_s <= 5000.0 - offset
        assert most_s is None or most_s >= 5000.0 - offset
        assert most_s is not None, "the first end is never forgotten"
        assert offset > looks - 10 or most_s - least_s < 65, "nor is the rest known too vaguely"


def test_until_there_are_too_many_every_end_is_kept() -> None:
    times = seen(*((offset, offset - 0.25, offset - 0.125) for offset in range(256)))
    for offset in range(255):
        assert times.waited_s(ONE, offset, 5000.0) == (4999.125 - offset, 5000.25 - offset)


def test_each_partition_has_ends_of_its_own() -> None:
    times = seen((10, 1.0, 2.0))
    times.saw_end(OTHER, 3, 5.0, 6.0)
    assert times.waited_s(ONE, 10, 100.0) == (0.0, 99.0)
    assert times.waited_s(OTHER, 3, 100.0) == (0.0, 95.0)
