"""One decoded picture, and how it is shown: upright, with square pixels."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from groundcam_runtime.pictures.orientation import UPRIGHT, upright_size

SQUARE = Fraction(1)
WIDEST = 8
"""Pixels that are wider, or higher, than so many times the other are a fault of the stream's: they are square."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """What a person knows of a camera's pictures and the stream does not say, or says wrongly."""

    rotate: int = 0
    """Degrees clockwise, on top of what the source itself says: 0, 90, 180 or 270."""
    aspect: Fraction | None = None
    """The shape of the picture before it is turned, width by height; None as the stream says."""
    deinterlace: bool = True
    """Take one field of pictures that are marked as interlaced."""
    keep_damaged: bool = False
    """Trust pictures again at once after damage, instead of from the next key frame on."""


AS_IT_SAYS = Viewing()


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded picture. `time_s` is on the source's own clock; None where the source gives none."""

    frame: Any
    time_s: float | None
    is_corrupt: bool
    orientation: int = UPRIGHT
    """As EXIF counts."""
    pixel_aspect: Fraction = SQUARE
    """Width of a stored pixel by its height."""
    is_interlaced: bool = False
    """Its lines are of two moments, and one of them is to be taken."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in square pixels, upright."""
        width = max(1, round(self.frame.width * self.pixel_aspect))
        return upright_size(width, self.frame.height, self.orientation)


def pixel_aspect(size: tuple[int, int], told: Fraction | None, shape: Fraction | None, most_pixels: int) -> Fraction:
    """Return the shape of a pixel, from the picture's `shape` where that is set, else as the stream has `told`.

    Square where that would make more than `most_pixels` of a picture: a few bytes can claim any shape.
    """
    width, height = size
    found = shape * height / width if shape and width else told
    is_sane = found and Fraction(1, WIDEST) <= found <= WIDEST and width * height * found <= most_pixels
    return found if found and is_sane else SQUARE
