"""JPEG bytes to pixels, after a look at the header: 631 forged bytes can cost a decoder 12 s and 3 GB."""

from typing import Any

import cv2
import numpy as np

from groundcam_worker.detector import Image
from groundcam_worker.errors import BadPictureError

MAX_PIXELS = 33_177_600
"""8K (7680 x 4320)."""

_START = b"\xff\xd8"
_END = b"\xff\xd9"
# Markers that begin a frame and hold its size; C4, C8 and CC lie in the range but are something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xD8)])
_MAX_TRAILING = 64


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) from a JPEG's header, ITU-T T.81 annex B. Raises BadPictureError."""
    if not data.startswith(_START):
        raise BadPictureError("it does not begin like a JPEG")
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            raise BadPictureError(f"there is no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _FRAMES:
            height, width = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
            if not (width and height):
                raise BadPictureError(f"its size is {width}x{height}")
            return width, height
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    raise BadPictureError("its header is cut off")


def decode_jpeg(data: bytes, max_pixels: int = MAX_PIXELS) -> Image:
    """Return the picture as RGB, as it is stored (no rotation by EXIF: boxes refer to what is stored).

    Raises BadPictureError for damaged or cut data, and for more than `max_pixels`.
    """
    width, height = jpeg_size(data)
    if width * height > max_pixels:
        raise BadPictureError(f"it has {width}x{height} pixels, more than {max_pixels}")
    if _END not in data[-_MAX_TRAILING:]:
        raise BadPictureError("its end is missing")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise BadPictureError(f"it cannot be decoded ({error.code})") from None
    if image is None or image.shape[:2] != (height, width):
        raise BadPictureError("it cannot be decoded")
    return as_image(image)


def as_image(array: Any) -> Image:
    """Check that an array is a picture. Raises BadPictureError."""
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise BadPictureError(f"an array of shape {array.shape} and type {array.dtype} is no RGB picture")
    picture: Image = array
    return picture
