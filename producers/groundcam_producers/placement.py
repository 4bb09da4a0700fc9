"""Which partition a camera's frames go to, and which of several producers looks after it. Pure.

Kafka's hash of a few keys is lopsided: of 16 cameras over 4 partitions it may put 9 on one. Here each camera
goes to its favourite among the partitions that are not full yet (rendezvous hashing, Thaler and Ravishankar
1998, with bounded loads), in the order in which the cameras were added, so that one more moves no other.
"""

import hashlib
from collections.abc import Iterable


def place(cameras: Iterable[str], partitions: int) -> dict[str, int]:
    """Return each camera's partition: no partition has more than its share, rounded up.

    Raises ValueError without partitions.
    """
    if partitions < 1:
        raise ValueError(f"cameras cannot be spread over {partitions} partitions")
    loads = [0] * partitions
    placed: dict[str, int] = {}
    for camera in cameras:
        share = len(placed) // partitions + 1
        free = [number for number in range(partitions) if loads[number] < share]
        placed[camera] = max(free, key=lambda number: _weight(camera, number))
        loads[placed[camera]] += 1
    return placed


def in_shard(camera: str, shard: int, shards: int) -> bool:
    """Whether the producer `shard` of `shards` (from 0 up) looks after a camera.

    Plain rendezvous hashing, by the camera's name alone: a camera more, or one less, moves no other, and with one
    shard more only its own share moves.
    """
    return shard == max(range(shards), key=lambda number: _weight(camera, number))


def _weight(camera: str, number: int) -> bytes:
    return hashlib.sha256(f"{number}/{camera}".encode()).digest()
