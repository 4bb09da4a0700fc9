"""A frame's JPEG: its size before it is decoded, and its pixels. Errors are the frame's own."""

from groundcam_runtime.pictures import decoding, jpeg_header
from groundcam_runtime.pictures.drawing import stretched
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.pictures.jpeg_header import JpegHeader
from groundcam_worker.errors import BadPictureError

Size = tuple[int, int]


def read_header(data: bytes, max_pixels: int) -> JpegHeader:
    """Read the header. Raises BadPictureError, also for more than `max_pixels`."""
    try:
        header = jpeg_header.read_header(data)
        decoding.require_pixels(header, max_pixels)
    except PictureError as error:
        raise BadPictureError(str(error)) from None
    return header


def decode_jpeg(
    data: bytes, max_pixels: int = decoding.MAX_PIXELS, header: JpegHeader | None = None, *, size: Size | None = None
) -> Image:
    """Return the picture as RGB, upright, and stretched to `size` (width, height) where that is another one.

    `header` is that of `data`, where it was read already. Raises BadPictureError.
    """
    try:
        image = decoding.decode_jpeg(data, max_pixels, header)
    except PictureError as error:
        raise BadPictureError(str(error)) from None
    return image if size is None or image.shape[1::-1] == size else stretched(image, size)
