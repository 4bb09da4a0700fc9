"""A frame's JPEG: its size before it is decoded, and its pixels. Errors are the frame's own."""

from groundcam_runtime.pictures import decoding, jpeg_header
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.image import Image
from groundcam_worker.errors import BadPictureError


def jpeg_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Return (width, height) from the header. Raises BadPictureError, also for more than `max_pixels`."""
    try:
        width, height = jpeg_header.jpeg_size(data)
    except PictureError as error:
        raise BadPictureError(str(error)) from None
    if width * height > max_pixels:
        raise BadPictureError(f"it has {width}x{height} pixels, more than {max_pixels}")
    return width, height


def decode_jpeg(data: bytes, max_pixels: int) -> Image:
    """Return the picture as RGB. Raises BadPictureError."""
    try:
        return decoding.decode_jpeg(data, max_pixels)
    except PictureError as error:
        raise BadPictureError(str(error)) from None
