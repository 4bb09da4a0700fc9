"""Work that ends in any order comes back in order within its lane."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam_worker.policy.lanes import Lanes


@given(st.lists(st.sampled_from("abc"), max_size=20), st.data())
def test_each_lane_gets_everything_back_in_its_own_order_and_waits_for_no_other(
    begun: list[str], data: st.DataObject
) -> None:
    lanes: Lanes[tuple[str, int], int] = Lanes()
    items = [(lane, number) for number, lane in enumerate(begun)]
    for item in items:
        lanes.begin(item, item[0])
    assert sorted(lanes.items) == sorted(items)
    left = {lane: [item for item in items if item[0] == lane] for lane in "abc"}
    done: set[tuple[str, int]] = set()
    for item in data.draw(st.permutations(items)):
        done.add(item)
        ready = []
        while left[item[0]] and left[item[0]][0] in done:
            ready.append(left[item[0]].pop(0))
        assert lanes.done(item, item[0], -item[1]) == [(one, -one[1]) for one in ready]
        assert len(lanes) == sum(map(len, left.values()))
    assert (len(lanes), lanes.items) == (0, [])


def test_a_lane_that_is_through_can_begin_again() -> None:
    lanes: Lanes[str, str] = Lanes()
    lanes.begin("first", "lane")
    assert lanes.done("first", "lane", "a") == [("first", "a")]
    with pytest.raises(KeyError):
        lanes.done("first", "lane", "a")
    lanes.begin("second", "lane")
    assert lanes.done("second", "lane", "b") == [("second", "b")]
