"""Numbers in blocks behave as the sets that they stand for, and rows come back as they went in."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam import packed_rows
from groundcam.number_set import BLOCK, NumberSet
from groundcam.packed_rows import PackedRows

numbers = st.integers(0, 3 * BLOCK) | st.integers(0, 2**63 - 1)
some = st.lists(
    st.tuples(st.integers(0, 5 * BLOCK), st.sampled_from([0, 1, 5, BLOCK - 1, BLOCK, 2 * BLOCK])), max_size=8
)
single = st.lists(st.integers(0, 3 * BLOCK), max_size=8)


def both(ranges: list[tuple[int, int]], single: list[int]) -> tuple[NumberSet, set[int]]:
    found, plain = NumberSet(), set()
    for first, more in ranges:
        found.add_range(first, first + more)
        plain |= set(range(first, first + more + 1))
    for number in single:
        assert found.add(number) == (number not in plain)
        plain.add(number)
    return found, plain


@given(some, single, some, single)
def test_they_grow_join_differ_and_meet_as_sets_do(
    ranges: list[tuple[int, int]], numbers: list[int], others: list[tuple[int, int]], more: list[int]
) -> None:
    one, plain = both(ranges, numbers)
    other, too = both(others, more)
    for found, expected in (
        (one | other, plain | too), (one - other, plain - too), (one & other, plain & too), (one, plain),
    ):  # fmt: skip
        assert list(found) == sorted(expected)
        assert found.count == len(expected)
        assert bool(found) == bool(expected)
        assert found.bounds == ((min(expected), max(expected)) if expected else None)
        assert all((number in found) == (number in expected) for number in (*numbers, *more, 0, BLOCK - 1, BLOCK))


@given(st.randoms(use_true_random=False))
def test_what_was_filled_one_by_one_takes_one_range(random: Random) -> None:
    found, order = NumberSet(), random.sample(range(2 * BLOCK), 2 * BLOCK)
    assert all(map(found.add, order))
    assert not any(map(found.add, order))
    assert (found._full, found._masks) == ([(0, 1)], {})


@given(numbers, numbers)
def test_the_largest_ranges_are_counted(one: int, other: int) -> None:
    first, last = sorted((one, other))
    found = NumberSet()
    found.add_range(first, last)
    assert found.count == last - first + 1
    found.add_range(0, 2**63 - 1)
    assert found.count == 2**63
    assert (found - found).count == 0


@given(st.lists(st.tuples(numbers, numbers, numbers), max_size=20), numbers, numbers, st.integers(1, 5))
def test_rows_come_back_in_their_order(rows: list[tuple[int, int, int]], one: int, other: int, portion: int) -> None:
    lowest, highest = sorted((one, other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed_rows, "ROWS", portion)
        packed = PackedRows(3)
        for row in rows:
            packed.append(*row)
        assert list(packed.rows(0, 2**63 - 1)) == rows
        assert list(packed.rows(lowest, highest)) == [row for row in rows if lowest <= row[0] <= highest]
