"""One viewer's tiles: what is sent next, at the pace at which the viewer takes it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CREDIT = 2
"""Pictures of a tile that may be on their way: one that is drawn, and one behind it."""
MOST_BYTES = 8 * 1024 * 1024
"""On their way to one viewer; a single picture always may be."""
DEAF_S = 30.0
"""A viewer that has acknowledged nothing of what was sent for so long is gone."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a camera is shown."""

    width: int
    """In the screen's own pixels; 0 for the picture as it is."""
    fps: float | None = None
    """At most."""


@dataclass(slots=True)
class _Tile:
    wish: Wish
    sent: int = 0
    """The number of the look that was sent last."""
    on_way: int = 0
    bytes_on_way: int = 0
    sent_at_s: float = float("-inf")
    skipped: int = 0
    """Looks that were not sent, since the tile was shown."""


class Tiles:
    """What one viewer sees."""

    def __init__(self) -> None:
        self._tiles: dict[str, _Tile] = {}
        self._bytes = 0
        self._unheard_since_s: float | None = None

    @property
    def cameras(self) -> frozenset[str]:
        """Those that the viewer looks at."""
        return frozenset(self._tiles)

    def watch(self, wishes: Mapping[str, Wish]) -> None:
        """Show these from now on, and no others; one that is shown at another size is sent again."""
        before, self._tiles = self._tiles, {}
        for camera_id, wish in wishes.items():
            tile = before.get(camera_id) or _Tile(wish)
            if tile.wish.width != wish.width:
                tile.sent = 0
            tile.wish = wish
            self._tiles[camera_id] = tile
        self._bytes = sum(one.bytes_on_way for one in self._tiles.values())

    def due(self, newest: Mapping[str, int], now_s: float) -> Iterator[tuple[str, Wish]]:
        """Yield the tiles that may be sent their newest look, the one that waited longest first.

        `newest` has the number of each camera's newest look.
        """
        for camera_id, tile in sorted(self._tiles.items(), key=lambda one: one[1].sent_at_s):
            is_early = tile.wish.fps is not None and now_s - tile.sent_at_s < 1 / tile.wish.fps
            has_room = not self._bytes or self._bytes < MOST_BYTES
            if newest.get(camera_id, 0) > tile.sent and tile.on_way < CREDIT and has_room and not is_early:
                yield camera_id, tile.wish

    def sent(self, camera_id: str, number: int, size: int, now_s: float) -> int | None:
        """A look of so many bytes is sent now; return how many were left out since the tile is there.

        None for a tile that is not there any more.
        """
        tile = self._tiles.get(camera_id)
        if tile is None:
            return None
        if tile.sent:
            tile.skipped += max(0, number - tile.sent - 1)
        tile.sent, tile.sent_at_s = number, now_s
        tile.on_way += 1
        tile.bytes_on_way += size
        self._bytes += size
        if self._unheard_since_s is None:
            self._unheard_since_s = now_s
        return tile.skipped

    def drawn(self, camera_id: str) -> None:
        """The viewer has taken the oldest picture of a tile that was on its way."""
        self._unheard_since_s = None
        tile = self._tiles.get(camera_id)
        if tile is None or not tile.on_way:
            return
        part = tile.bytes_on_way // tile.on_way
        tile.on_way -= 1
        tile.bytes_on_way -= part
        self._bytes -= part

    def is_deaf(self, now_s: float) -> bool:
        """Whether the viewer takes nothing any more."""
        return self._unheard_since_s is not None and now_s - self._unheard_since_s > DEAF_S
