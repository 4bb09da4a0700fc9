"""JPEG bytes to pixels, after a look at the header: 631 forged bytes can cost a decoder 12 s and 3 GB."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.formats import PNG, PictureHeader, picture_header
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.pictures.jpeg_header import JpegHeader, is_cut, read_header
from groundcam_runtime.pictures.orientation import upright

MAX_PIXELS = 33_177_600
"""8K (7680 x 4320)."""
WITH_ALPHA = 4
ANIMATION_BYTES = 256 * 1024 * 1024
"""Of an animation, so much is decoded at once: a minute of 1080p would be 15 GB."""
_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2),
)  # fmt: skip


def require_pixels(header: JpegHeader | PictureHeader, max_pixels: int) -> None:
    """Raise PictureError for more than `max_pixels`."""
    if header.width * header.height > max_pixels:
        raise PictureError(f"it has {header.width}x{header.height} pixels, more than {max_pixels}")


def decode_jpeg(data: bytes, max_pixels: int = MAX_PIXELS, header: JpegHeader | None = None) -> Image:
    """Return the picture as RGB, upright: as its EXIF says that it is shown.

    `header` is that of `data`, where it was read already. Raises PictureError for damaged or cut data, for more than
    `max_pixels`, and for what `read_header` refuses: a picture that costs far more than others of its size.
    """
    header = header or read_header(data)
    require_pixels(header, max_pixels)
    if is_cut(data, header):
        raise PictureError("its end is missing")
    return _decoded(data, header)


def decode_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> Image:
    """Return a JPEG, PNG, WebP or BMP as RGB, as `decode_jpeg` does, and with its bounds. Raises PictureError.

    What is transparent shows a white ground.
    """
    header = picture_header(data)
    if header.jpeg is not None:
        return decode_jpeg(data, max_pixels, header.jpeg)
    require_pixels(header, max_pixels)
    if data.startswith((PNG, b"RIFF")):
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if stored is not None and stored.ndim == 3 and stored.shape[2] == WITH_ALPHA:
            return upright(as_image(on_white(stored[..., 2::-1], stored[..., 3])), header.orientation)
    return _decoded(data, header)


def smaller_jpeg(data: bytes, width: int, quality: int, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return the picture as a JPEG of at most this width, upright. Raises PictureError, as `decode_picture` does.

    A JPEG is decoded at a half, a quarter or an eighth of its size where that is enough: from 1920 pixels to 320 it
    takes half the time so.
    """
    header = picture_header(data)
    require_pixels(header, max_pixels)
    upright_width, upright_height = header.upright_size
    flags = next((flag for by, flag in _REDUCED if upright_width >= by * width), None) if header.jpeg else None
    if flags is None or header.jpeg is None or is_cut(data, header.jpeg):
        image = decode_picture(data, max_pixels)
    else:
        try:
            found = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error as error:
            raise PictureError(f"it cannot be decoded ({error.code})") from None
        if found is None:
            raise PictureError("it cannot be decoded")
        image = upright(as_image(found[..., ::-1]), header.orientation)
    height = max(1, round(upright_height * width / upright_width))
    if image.shape[1] > width:
        image = as_image(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def on_white(rgb: Any, alpha: Any) -> Image:
    """Return a picture of 8 or 16 bits laid over white, by how opaque it is."""
    most = np.float32(np.iinfo(alpha.dtype).max)
    opaque = (alpha.astype(np.float32) / most)[..., None]
    out: Image = ((rgb.astype(np.float32) / most * opaque + (1 - opaque)) * 255 + 0.5).astype(np.uint8)
    return out


def decode_any(data: bytes, max_pixels: int = MAX_PIXELS) -> Image | None:
    """Return a picture of another kind that OpenCV reads, upright, as RGB; None where it knows none in these bytes.

    Raises PictureError for more than `max_pixels`. OpenCV itself refuses what would take more than 2^30.
    """
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        return None
    if image is None:
        return None
    require_pixels(PictureHeader(image.shape[1], image.shape[0]), max_pixels)
    return as_image(image)


def animation(data: bytes, max_pixels: int = MAX_PIXELS) -> Iterator[tuple[float, Image]]:
    """Yield the pictures of an animated WebP with the second at which each is shown. Raises PictureError."""
    header = picture_header(data)
    require_pixels(header, max_pixels)
    portion = max(1, ANIMATION_BYTES // (WITH_ALPHA * header.width * header.height))
    begin_ms, start = 0, 0
    while found := _portion(data, start, portion):
        for frame, milliseconds in found:
            rgb = frame[..., 2::-1]
            opaque = on_white(rgb, frame[..., 3]) if frame.shape[2] == WITH_ALPHA else rgb.copy()
            yield begin_ms / 1000, as_image(opaque)
            begin_ms += int(milliseconds)
        start += len(found)
        if len(found) < portion:
            return


def _portion(data: bytes, start: int, most: int) -> list[tuple[Any, int]]:
    """Return pictures of an animation from one on, with how long each is shown in milliseconds. Raises PictureError."""
    try:
        is_one, found = cv2.imdecodeanimation(np.frombuffer(data, np.uint8), start=start, count=most)
    except cv2.error as error:
        raise PictureError(f"it cannot be decoded ({error.code})") from None
    if not is_one and start == 0:
        raise PictureError("it cannot be decoded")
    return list(zip(found.frames, found.durations, strict=True)) if is_one else []


def _decoded(data: bytes, header: JpegHeader | PictureHeader) -> Image:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise PictureError(f"it cannot be decoded ({error.code})") from None
    if image is None or image.shape[:2] != (header.height, header.width):
        raise PictureError("it cannot be decoded")
    return upright(as_image(image), header.orientation)


def as_image(array: Any) -> Image:
    """Check that an array is a picture. Raises PictureError."""
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise PictureError(f"an array of shape {array.shape} and type {array.dtype} is no RGB picture")
    picture: Image = array
    return picture
