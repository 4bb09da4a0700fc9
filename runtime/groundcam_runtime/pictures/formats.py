"""The headers of picture files, read without decoding anything: what it is, how large, and whether its end is there.

Pure. A few hundred bytes can claim to be 30,000 pixels wide, which costs a decoder gigabytes; and half a file is no
picture, whatever a decoder makes of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.jpeg_header import END, JpegHeader, is_cut, read_header
from groundcam_runtime.pictures.orientation import EXIF, UPRIGHT, of_exif, upright_size

PNG = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
STILL_BYTES = 18
MAX_CHUNKS = 10_000
ANIMATION_WITHIN = 1024 * 1024
WEBP_ANIMATION = 0x02
BMP_CORE_BYTES = 12
"""Of the oldest header, from OS/2, whose sizes are 16 bits."""
BMP_HEADERS = (BMP_CORE_BYTES, 40, 52, 56, 64, 108, 124)
BMP_RUN_LENGTHS = (1, 2)
"""Compressed so, a bitmap says itself how many bytes it takes."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """The facts in a picture's header."""

    width: int
    height: int
    jpeg: JpegHeader | None = None
    """Where it is a JPEG."""
    orientation: int = UPRIGHT
    """As EXIF counts; width and height are those of the stored picture."""

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) of the upright picture."""
        return upright_size(self.width, self.height, self.orientation)


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
    return PictureHeader(header.width, header.height, header, header.orientation)


def _png(data: bytes) -> PictureHeader:
    if data[12:16] != b"IHDR":
        raise PictureError("it does not begin with its header")
    _require(PNG_END in data)
    return PictureHeader(_number(data, 16, 20), _number(data, 20, 24), None, _of_chunk(data, "big", b"eXIf"))


def _webp(data: bytes) -> PictureHeader:
    """Google's container specification, and RFC 6386, 9.1."""
    if data[8:12] != b"WEBP":
        raise PictureError("it is no WebP")
    _require(len(data) >= max(30, 8 + _little(data, 4, 8)))
    match data[12:16]:
        case b"VP8X":
            turned = _of_chunk(data, "little", b"EXIF")
            return PictureHeader(1 + _little(data, 24, 27), 1 + _little(data, 27, 30), None, turned)
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


def _of_chunk(data: bytes, order: Literal["big", "little"], name: bytes) -> int:
    """Return the orientation in a PNG's (W3C PNG 3, 11.3.3.7) or a WebP's chunk of EXIF; upright where it has none."""
    at = len(PNG) if order == "big" else 12
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            break
        first, second = data[at : at + 4], data[at + 4 : at + 8]
        length = int.from_bytes(first if order == "big" else second, order)
        if name == (second if order == "big" else first):
            return of_exif(data[at + 8 : at + 8 + length].removeprefix(EXIF))
        at += 12 + length if order == "big" else 8 + length + length % 2
    return UPRIGHT


def orientation_of(data: bytes) -> int:
    """Return the orientation of a picture file; upright where it says none, or is none of those that can."""
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return of_exif(data)
    try:
        return picture_header(data).orientation
    except PictureError:
        return UPRIGHT


def begins_still(head: bytes) -> bool:
    """Whether a file's first STILL_BYTES are those of a JPEG, PNG, WebP or BMP; some films begin so, too."""
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    is_bitmap = head[:2] == b"BM" and (len(head) < STILL_BYTES or _little(head, 14, 18) in BMP_HEADERS)
    return head.startswith((b"\xff\xd8", PNG)) or is_bitmap


def fault_of(data: bytes) -> str | None:
    """Return what is wrong with a JPEG, PNG, WebP or BMP, of which decoders make up the missing part; else None."""
    if not begins_still(data):
        return None
    try:
        picture_header(data)
    except PictureError as error:
        return str(error)
    return None


def is_animated(data: bytes) -> bool:
    """Whether a PNG (its chunk acTL comes before the pixels) or a WebP (a bit in its first chunk) is a film."""
    if data.startswith(PNG):
        return 0 <= data.find(b"acTL", 0, ANIMATION_WITHIN) < data.find(b"IDAT")
    return data[:4] == b"RIFF" and data[12:16] == b"VP8X" and bool(data[20] & WEBP_ANIMATION)


def is_motion_jpeg(data: bytes) -> bool:
    """Whether a second picture follows a JPEG at once, and is no preview of it (CIPA DC-007, multi-picture format)."""
    try:
        first = read_header(data).first_scan
    except PictureError:
        return False
    end = data.find(END, first) + len(END)
    return end >= len(END) and data.startswith(b"\xff\xd8\xff", end) and b"MPF\x00" not in data[:first]


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
