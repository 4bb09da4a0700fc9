"""How a stored picture is turned so that it stands upright, as EXIF counts the ways (tag 0x0112). Pure.

1 as it is, 2 mirrored, 3 by half a turn, 4 upside down in a mirror, 5 to 8 with sides exchanged: 6 is turned a quarter
clockwise to be shown, 8 counter-clockwise, 5 and 7 are mirrored besides (CIPA DC-008, 4.6.5).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

UPRIGHT = 1
EXIF = b"Exif\x00\x00"
_TAG = 0x0112
_SHORT = 3
_MOST_ENTRIES = 200
_MATRICES = {
    (1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8,
}  # fmt: skip
"""What a display matrix does to (x, y), as rows (a, b) and (c, d): x' = ax + cy, y' = bx + dy."""
_BY_MATRIX = {orientation: matrix for matrix, orientation in _MATRICES.items()}
_TURNS = {0: 1, 90: 6, 180: 3, 270: 8}


def swaps_sides(orientation: int) -> bool:
    """Whether the upright picture is as wide as the stored one is high."""
    return orientation >= 5


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Return (width, height) of the upright picture."""
    return (height, width) if swaps_sides(orientation) else (width, height)


def upright(array: "npt.NDArray[np.uint8]", orientation: int) -> "npt.NDArray[np.uint8]":
    """Return a picture or one of its planes, [height, width, ...], as it stands upright."""
    if orientation == UPRIGHT:
        return array
    if swaps_sides(orientation):
        array = array.swapaxes(0, 1)
    flips = {2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[orientation]
    down, across = (-1 if flip else 1 for flip in flips)
    return array[::down, ::across].copy()


def turned(degrees: int) -> int:
    """Return the orientation of a picture that is turned clockwise to be shown, by 0, 90, 180 or 270 degrees."""
    return _TURNS[degrees % 360]


def then(first: int, second: int) -> int:
    """Return the orientation that does the same as one after the other."""
    a, b, c, d = _BY_MATRIX[first]
    e, f, g, h = _BY_MATRIX[second]
    return _MATRICES[a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h]


def of_matrix(matrix: Sequence[int]) -> int:
    """Return the orientation of a display matrix, nine numbers as ISO/IEC 14496-12 has them; upright where it is none.

    One that turns by something between is taken for the nearest quarter.
    """
    a, b, c, d = (int(matrix[at]) for at in (0, 1, 3, 4))
    along = abs(a) + abs(d) >= abs(b) + abs(c)
    signs = (_sign(a), 0, 0, _sign(d)) if along else (0, _sign(b), _sign(c), 0)
    return _MATRICES.get(signs, UPRIGHT)


def of_exif(block: bytes) -> int:
    """Return the orientation in a TIFF file or an EXIF block (without its `Exif` mark); upright where it has none."""
    order = {b"II": "little", b"MM": "big"}.get(block[:2])
    if order is None:
        return UPRIGHT

    def number(at: int, size: int) -> int:
        return int.from_bytes(block[at : at + size], "little" if order == "little" else "big")

    begin = number(4, 4)
    for entry in range(begin + 2, begin + 2 + 12 * min(number(begin, 2), _MOST_ENTRIES), 12):
        if number(entry, 2) == _TAG and number(entry + 2, 2) == _SHORT:
            found = number(entry + 8, 2)
            return found if found in _BY_MATRIX else UPRIGHT
    return UPRIGHT


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
