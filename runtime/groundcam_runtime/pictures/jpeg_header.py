"""A JPEG's header, read without decoding anything. Pure."""

from groundcam_runtime.pictures.errors import PictureError

_START = b"\xff\xd8"
# Markers that begin a frame and hold its size; C4, C8 and CC lie in the range but are something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xD8)])


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) from a JPEG's header, ITU-T T.81 annex B. Raises PictureError."""
    if not data.startswith(_START):
        raise PictureError("it does not begin like a JPEG")
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            raise PictureError(f"there is no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _FRAMES:
            height, width = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
            if not (width and height):
                raise PictureError(f"its size is {width}x{height}")
            return width, height
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    raise PictureError("its header is cut off")
