"""Ranges behave as the sets that they stand for."""

from hypothesis import given
from hypothesis import strategies as st

from groundcam.intervals import Intervals

ranges = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda pair: (pair[0], sum(pair))), max_size=8)


def numbers(intervals: Intervals) -> set[int]:
    found = [number for first, last in intervals.ranges for number in range(first, last + 1)]
    assert len(found) == len(set(found)) == len(intervals)
    return set(found)


@given(ranges, ranges)
def test_they_join_differ_and_meet_as_sets_do(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    a, b = Intervals.of(one), Intervals.of(other)
    plain = [{number for first, last in each for number in range(first, last + 1)} for each in (one, other)]
    assert [numbers(a), numbers(b)] == plain
    assert numbers(a | b) == plain[0] | plain[1]
    assert numbers(a - b) == plain[0] - plain[1]
    assert numbers(a & b) == plain[0] & plain[1]
    assert a.first_numbers(3) == sorted(plain[0])[:3]


@given(st.sets(st.integers(0, 50)))
def test_single_numbers_are_kept(single: set[int]) -> None:
    assert numbers(Intervals.of_numbers(single)) == single
