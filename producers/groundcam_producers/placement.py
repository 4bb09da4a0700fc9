"""Which partition a camera's frames go to, and which of several producers looks after it. Pure.

Kafka's hash of a few keys is lopsided: of 16 cameras over 4 partitions it may put 9 on one. Here each camera
goes to its favourite among the emptiest partitions (rendezvous hashing, Thaler and Ravishankar 1998, with bounded
loads), in the order in which the cameras were added, so that one more moves no other.
"""

import hashlib
from collections.abc import Iterable, Mapping


def place(cameras: Iterable[str], partitions: int, placed: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return each camera's partition: those that are `placed` stay, and the others go to the emptiest, in order.

    So no partition has more than its share, rounded up, unless cameras were taken away. Producers that share a list of
    cameras agree while they read the same changes of it. One that starts anew knows the list alone: it comes to the
    same placement if cameras were only added at the end or taken from there, and for those before the first that was
    taken away; a later one may go elsewhere, as a new run. Only the balance rests on agreement, since each camera is
    placed by the one producer that looks after it.

    Raises ValueError without partitions.
    """
    if partitions < 1:
        raise ValueError(f"cameras cannot be spread over {partitions} partitions")
    names = list(cameras)
    places = {name: placed[name] for name in names if name in placed} if placed else {}
    loads = [0] * partitions
    for number in places.values():
        loads[number] += 1
    for name in names:
        if name not in places:
            places[name] = max(range(partitions), key=lambda number: (-loads[number], _weight(name, number)))
            loads[places[name]] += 1
    return places


def in_shard(camera: str, shard: int, shards: int) -> bool:
    """Whether the producer `shard` of `shards` (from 0 up) looks after a camera.

    Plain rendezvous hashing, by the camera's name alone: a camera more, or one less, moves no other, and with one
    shard more only its own share moves.
    """
    return shard == max(range(shards), key=lambda number: _weight(camera, number))


def _weight(camera: str, number: int) -> bytes:
    return hashlib.sha256(f"{number}/{camera}".encode()).digest()
