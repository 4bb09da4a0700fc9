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
