"""Which stream of a container to look at, and how it says that its pictures are shown."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from av.sidedata.sidedata import Type
from av.stream import Disposition

from groundcam_runtime.pictures.orientation import of_matrix, then, turned

COVERS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
MATRIX_NUMBERS = 9
MOST_OTHERS = 50
"""Packets of another stream after which one that has given none is taken to be silent."""


def candidates(container: Any) -> list[Any]:
    """Return the video streams, the one first that a person would choose: no cover, the default one, the largest."""
    return sorted(container.streams.video, key=_rank)


def _rank(stream: Any) -> tuple[bool, bool, int, int]:
    context = stream.codec_context
    is_cover = bool(stream.disposition & (COVERS | Disposition.dependent))
    is_default = bool(stream.disposition & Disposition.default)
    return is_cover, not is_default, -context.width * context.height, stream.index


class Choice:
    """Chooses among candidates as packets come: the first, unless it is silent while another speaks. Pure."""

    def __init__(self, indexes: Sequence[int]) -> None:
        self._waiting = list(indexes)
        self._counts = dict.fromkeys(indexes, 0)
        self.chosen: int | None = indexes[0] if len(indexes) == 1 else None

    def came(self, index: int) -> bool:
        """Take note of a packet; return whether a stream is chosen now."""
        if self.chosen is None:
            self._counts[index] += 1
            if index == self._waiting[0]:
                self.chosen = index
            elif self._counts[index] > MOST_OTHERS:
                self._waiting.remove(index)
                self.chosen = index
        return self.chosen is not None

    def settle(self) -> int:
        """Return the choice where no more packets come: of those that wait for one, the stream that gave the most."""
        if self.chosen is None:
            self.chosen = max(self._waiting, key=lambda index: self._counts[index])
        return self.chosen


def told_aspect(stream: Any) -> Fraction | None:
    """Return the shape of a pixel, as the container says or else the stream, None where neither does."""
    found = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(found) if found else None


def told_orientation(frame: Any) -> int:
    """Return the orientation of the display matrix that came with a picture; of a mirrored one where PyAV gives it."""
    try:
        matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    except ValueError:  # beside another kind, which PyAV does not know
        matrix = None
    block = bytes(matrix) if matrix is not None else b""
    if len(block) < 4 * MATRIX_NUMBERS:
        return turned(-90 * round(frame.rotation / 90))
    return of_matrix(
        [int.from_bytes(block[at : at + 4], "little", signed=True) for at in range(0, 4 * MATRIX_NUMBERS, 4)]
    )


def shown(told: int, rotate: int) -> int:
    """Return the orientation of pictures that are turned on top of what they say."""
    return then(told, turned(rotate))
