"""Placement of named cameras."""

import pytest

from groundcam_producers.placement import in_shard, place

SIXTEEN = [f"camera-{number}" for number in range(16)]


@pytest.mark.parametrize("partitions", [0, -1])
def test_cameras_cannot_be_placed_on_no_partition(partitions: int) -> None:
    with pytest.raises(ValueError, match=f"{partitions} partitions"):
        place(SIXTEEN, partitions)


def test_one_partition_takes_every_camera() -> None:
    assert place(SIXTEEN, 1) == dict.fromkeys(SIXTEEN, 0)
    assert place([], 3) == {}


def test_a_camera_stays_where_earlier_versions_put_it() -> None:
    """Its frames on Kafka are in order within one partition alone: an upgrade must not move it."""
    placed = place(SIXTEEN, 4)
    assert [placed[name] for name in SIXTEEN] == [3, 0, 1, 2, 1, 0, 2, 3, 1, 0, 2, 3, 3, 0, 2, 1]
    assert [number for number, name in enumerate(SIXTEEN) if in_shard(name, 1, 3)] == [2, 3, 4, 8, 10, 11, 12, 15]


def test_cameras_that_are_placed_stay_and_new_ones_fill_the_emptiest_partitions() -> None:
    placed = dict.fromkeys(SIXTEEN[:6], 0)
    after = place(SIXTEEN, 4, placed)
    assert {name: after[name] for name in placed} == placed
    assert sorted(list(after.values()).count(number) for number in range(4)) == [3, 3, 4, 6]


@pytest.mark.parametrize("first", range(0, 14, 2))
def test_a_new_camera_weighs_as_much_as_one_that_is_placed(first: int) -> None:
    """Two on one of two partitions: the next two go to the other, whatever their favourites are."""
    old, new = ["gate", "hall"], SIXTEEN[first : first + 2]
    assert place([*old, *new], 2, dict.fromkeys(old, 0)) == dict.fromkeys(old, 0) | dict.fromkeys(new, 1)


@pytest.mark.parametrize("step", [1, 3])
def test_a_list_that_grew_at_its_end_gives_what_a_producer_that_starts_anew_gives(step: int) -> None:
    placed: dict[str, int] = {}
    for count in range(0, 17, step):
        placed = place(SIXTEEN[:count], 4, placed)
        assert placed == place(SIXTEEN[:count], 4)


def test_a_restart_after_a_removal_moves_no_camera_that_stands_before_it() -> None:
    left = [name for name in SIXTEEN if name != "camera-9"]
    kept, anew = place(left, 4, place(SIXTEEN, 4)), place(left, 4)
    assert all(kept[name] == anew[name] for name in SIXTEEN[:9])
