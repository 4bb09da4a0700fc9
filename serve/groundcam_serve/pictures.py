"""A picture of a request: what it is and how large, told by its first bytes before anything is decoded. Pure."""

from dataclasses import dataclass
from typing import Literal

from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.formats import PNG, is_animated, picture_header
from groundcam_schemas.limits import MAX_PIXELS_A_SIDE
from groundcam_serve.problems import Problem

Encoding = Literal["jpeg", "png", "webp"]


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes as they came."""

    data: bytes
    encoding: Encoding
    size: tuple[int, int]
    """(width, height), upright, in pixels."""


def encoding_of(data: bytes) -> Encoding | None:
    """Return which of the three it begins like."""
    if data.startswith(b"\xff\xd8"):
        return "jpeg"
    if data.startswith(PNG):
        return "png"
    return "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def picture_of(data: bytes, index: int, max_pixels: int, max_bytes: int) -> Picture:
    """Look at a picture of a request. Raises Problem."""
    encoding = encoding_of(data)
    if encoding is None:
        raise Problem(415, "media-type", f"picture {index} is no JPEG, PNG or WebP", picture=index)
    if len(data) > max_bytes:
        why = f"picture {index} has {len(data)} bytes, and Kafka takes {max_bytes}"
        raise Problem(413, "too-large", why, picture=index)
    try:
        header = picture_header(data)
        if is_animated(data):
            raise PictureError("it is a film: POST it to /v1/jobs")
    except PictureError as error:
        raise Problem(422, "unprocessable", f"picture {index}: {error}", picture=index) from None
    width, height = header.upright_size
    if width * height > max_pixels or max(width, height) > MAX_PIXELS_A_SIDE:
        why = f"picture {index} has {width}x{height} pixels, more than {max_pixels}"
        raise Problem(413, "too-large", why, picture=index)
    return Picture(data, encoding, (width, height))
