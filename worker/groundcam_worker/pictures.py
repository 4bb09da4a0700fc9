"""A frame's picture: its size before it is decoded, and its pixels. Errors are the frame's own."""

from groundcam_runtime.pictures import decoding, formats, jpeg_header
from groundcam_runtime.pictures.drawing import stretched
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.formats import PictureHeader
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.pictures.jpeg_header import JpegHeader
from groundcam_worker.errors import BadPictureError

Size = tuple[int, int]
Header = JpegHeader | PictureHeader
JPEG = b"\xff\xd8"
NAMES = {JPEG: "jpeg", formats.PNG: "png", b"RIFF": "webp"}


def read_header(data: bytes, max_pixels: int) -> Header:
    """Read the header of a JPEG, PNG or WebP. Raises BadPictureError, also for more than `max_pixels`."""
    try:
        if not data.startswith(tuple(NAMES)):
            raise PictureError("it is no JPEG, PNG or WebP")
        header: Header = jpeg_header.read_header(data) if data.startswith(JPEG) else formats.picture_header(data)
        decoding.require_pixels(header, max_pixels)
    except PictureError as error:
        raise BadPictureError(str(error)) from None
    return header


def decode_frame(
    data: bytes, max_pixels: int = decoding.MAX_PIXELS, header: Header | None = None, *, size: Size | None = None
) -> Image:
    """Return the picture as RGB, upright, and stretched to `size` (width, height) where that is another one.

    `header` is that of `data`, where it was read already. Raises BadPictureError.
    """
    try:
        if isinstance(header, JpegHeader):
            image = decoding.decode_jpeg(data, max_pixels, header)
        else:
            image = decoding.decode_picture(data, max_pixels)
    except PictureError as error:
        raise BadPictureError(str(error)) from None
    return image if size is None or image.shape[1::-1] == size else stretched(image, size)
