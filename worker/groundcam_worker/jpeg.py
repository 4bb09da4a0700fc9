"""A frame's JPEG: its size before it is decoded, and its pixels. Errors are the frame's own."""

from groundcam_runtime.pictures import decoding, jpeg_header
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.pictures.jpeg_header import JpegHeader
from groundcam_worker.errors import BadPictureError


def read_header(data: bytes, max_pixels: int) -> JpegHeader:
    """Read the header. Raises BadPictureError, also for more than `max_pixels`."""
    try:
        header = jpeg_header.read_header(data)
        decoding.require_pixels(header, max_pixels)
    except PictureError as error:
        raise BadPictureError(str(error)) from None
    return header


def decode_jpeg(data: bytes, max_pixels: int, header: JpegHeader | None = None) -> Image:
    """Return the picture as RGB. `header` is that of `data`, where it was read already. Raises BadPictureError."""
    try:
        return decoding.decode_jpeg(data, max_pixels, header)
    except PictureError as error:
        raise BadPictureError(str(error)) from None
