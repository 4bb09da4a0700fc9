"""JPEG bytes to pixels, after a look at the header: 631 forged bytes can cost a decoder 12 s and 3 GB."""

from typing import Any

import cv2
import numpy as np

from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.formats import PictureHeader, picture_header
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.pictures.jpeg_header import JpegHeader, is_cut, read_header

MAX_PIXELS = 33_177_600
"""8K (7680 x 4320)."""


def require_pixels(header: JpegHeader | PictureHeader, max_pixels: int) -> None:
    """Raise PictureError for more than `max_pixels`."""
    if header.width * header.height > max_pixels:
        raise PictureError(f"it has {header.width}x{header.height} pixels, more than {max_pixels}")


def decode_jpeg(data: bytes, max_pixels: int = MAX_PIXELS, header: JpegHeader | None = None) -> Image:
    """Return the picture as RGB, as it is stored (no rotation by EXIF: boxes refer to what is stored).

    `header` is that of `data`, where it was read already. Raises PictureError for damaged or cut data, for more than
    `max_pixels`, and for what `read_header` refuses: a picture that costs far more than others of its size.
    """
    header = header or read_header(data)
    require_pixels(header, max_pixels)
    if is_cut(data, header):
        raise PictureError("its end is missing")
    return _decoded(data, header)


def decode_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> Image:
    """Return a JPEG, PNG, WebP or BMP as RGB, as `decode_jpeg` does, and with its bounds. Raises PictureError."""
    header = picture_header(data)
    if header.jpeg is not None:
        return decode_jpeg(data, max_pixels, header.jpeg)
    require_pixels(header, max_pixels)
    return _decoded(data, header)


def _decoded(data: bytes, header: JpegHeader | PictureHeader) -> Image:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise PictureError(f"it cannot be decoded ({error.code})") from None
    if image is None or image.shape[:2] != (header.height, header.width):
        raise PictureError("it cannot be decoded")
    return as_image(image)


def as_image(array: Any) -> Image:
    """Check that an array is a picture. Raises PictureError."""
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise PictureError(f"an array of shape {array.shape} and type {array.dtype} is no RGB picture")
    picture: Image = array
    return picture
