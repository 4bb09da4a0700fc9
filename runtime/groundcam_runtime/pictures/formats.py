"""The headers of picture files, read without decoding anything: what it is, how large, and whether its end is there.

Pure. A few hundred bytes can claim to be 30,000 pixels wide, which costs a decoder gigabytes; and half a file is no
picture, whatever a decoder makes of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.jpeg_header import JpegHeader, is_cut, read_header

PNG = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
BMP_CORE_BYTES = 12
"""Of the oldest header, from OS/2, whose sizes are 16 bits."""
BMP_RUN_LENGTHS = (1, 2)
"""Compressed so, a bitmap says itself how many bytes it takes."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """The facts in a picture's header."""

    width: int
    height: int
    jpeg: JpegHeader | None = None
    """Where it is a JPEG."""


def picture_header(data: bytes) -> PictureHeader:
    """Read the header of a JPEG, PNG, WebP or BMP; which it is, its first bytes say.

    Raises PictureError for anything else, for a size of nothing, and for a file that is cut off.
    """
    for magic, read in _READERS.items():
        if data.startswith(magic):
            found = read(data)
            if found.width < 1 or found.height < 1:
                raise PictureError(f"its size is {found.width}x{found.height}")
            return found
    raise PictureError("it is no JPEG, PNG, WebP or BMP")


def _jpeg(data: bytes) -> PictureHeader:
    header = read_header(data)
    _require(not is_cut(data, header))
    return PictureHeader(header.width, header.height, header)


def _png(data: bytes) -> PictureHeader:
    if data[12:16] != b"IHDR":
        raise PictureError("it does not begin with its header")
    _require(PNG_END in data)
    return PictureHeader(_number(data, 16, 20), _number(data, 20, 24))


def _webp(data: bytes) -> PictureHeader:
    """Google's container specification, and RFC 6386, 9.1."""
    if data[8:12] != b"WEBP":
        raise PictureError("it is no WebP")
    _require(len(data) >= max(30, 8 + _little(data, 4, 8)))
    match data[12:16]:
        case b"VP8X":
            return PictureHeader(1 + _little(data, 24, 27), 1 + _little(data, 27, 30))
        case b"VP8L":
            bits = _little(data, 21, 25)
            return PictureHeader(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        case b"VP8 ":
            return PictureHeader(_little(data, 26, 28) & 0x3FFF, _little(data, 28, 30) & 0x3FFF)
    raise PictureError("its first chunk is none of a picture's")


def _bmp(data: bytes) -> PictureHeader:
    _require(len(data) >= 54)
    begin, header_bytes = _little(data, 10, 14), _little(data, 14, 18)
    if header_bytes == BMP_CORE_BYTES:
        width, height, bits, stored = _little(data, 18, 20), _little(data, 20, 22), _little(data, 24, 26), 0
    else:
        width, height = _little(data, 18, 22, signed=True), abs(_little(data, 22, 26, signed=True))
        bits, stored = _little(data, 28, 30), _little(data, 30, 34)
    rows = (max(0, width) * bits + 31) // 32 * 4 * height
    _require(begin + (_little(data, 34, 38) if stored in BMP_RUN_LENGTHS else rows) <= len(data))
    return PictureHeader(width, height)


def _require(is_whole: bool) -> None:
    if not is_whole:
        raise PictureError("its end is missing")


def _number(data: bytes, begin: int, end: int) -> int:
    return int.from_bytes(data[begin:end])


def _little(data: bytes, begin: int, end: int, *, signed: bool = False) -> int:
    return int.from_bytes(data[begin:end], "little", signed=signed)


_READERS: dict[bytes, Callable[[bytes], PictureHeader]] = {
    b"\xff\xd8": _jpeg,
    PNG: _png,
    b"RIFF": _webp,
    b"BM": _bmp,
}
