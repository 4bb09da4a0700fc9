"""A JPEG's header, read without decoding anything, and what bounds the work of a decoder. Pure.

A decoder's time grows with pixels times scans, and with nothing that the size of a file bounds: 20 forged bytes are a
scan over every pixel. So scans are counted here, and what costs more without being of use is refused. The header must
be walked as a decoder walks it (ITU-T T.81, annex B), or a decoder would find another, larger picture in the bytes
that were passed over: what a strict reader cannot follow is refused, too.

Time is linear in the bytes, and all of it but MAX_SEGMENTS steps is spent in compiled code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.orientation import EXIF, UPRIGHT, of_exif, upright_size

MAX_SCANS = 50
"""libjpeg's own progressions have 10 scans, 18 in four colours (jpeg_simple_progression). Its `djpeg -maxscans` and
`TJPARAM_SCANLIMIT` are this bound, for the same reason."""
MAX_SEGMENTS = 1000
"""An ICC profile has at most 255 segments, and metadata of 16 MiB fill as many again."""

END = b"\xff\xd9"
_START = b"\xff\xd8"
_MARKER = re.compile(rb"\xff++([^\xff])")
"""Any number of fill bytes may come before a marker (B.1.1.2)."""
_LATER_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In a scan's own bytes FF is followed by 00 or by a restart marker. Whatever a decoder takes for a marker is found
here: it may be less, where these two bytes are the content of a segment."""

_SCAN = 0xDA
_APP1 = 0xE1
_FF = b"\xff"
_PROGRESSIVE = 0xC2
_FRAMES = frozenset([0xC0, 0xC1, _PROGRESSIVE])
"""Baseline, extended and progressive, all of them Huffman-coded."""
_OTHER_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xD8)])
_WITH_LENGTH = frozenset([0xC4, 0xCC, _SCAN, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE]) | _FRAMES


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """The facts in a JPEG's header."""

    width: int
    height: int
    scans: int
    """At least as many as a decoder will find, from 1 to MAX_SCANS."""
    first_scan: int = field(default=0, compare=False)
    """Where the pixels begin, in bytes from the start."""
    orientation: int = UPRIGHT
    """As EXIF counts; width and height are those of the stored picture."""

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as the picture is shown."""
        return upright_size(self.width, self.height, self.orientation)

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def read_header(data: bytes) -> JpegHeader:
    """Read a JPEG's header.

    Raises PictureError, also for more than MAX_SCANS scans or MAX_SEGMENTS segments, and for arithmetic, lossless
    and hierarchical coding, which no camera writes: an empty arithmetic scan costs six times as much as any other.
    """
    if not data.startswith(_START):
        raise PictureError("it does not begin like a JPEG")
    size, at_once, orientation = None, 0, None
    for number, (marker, at) in enumerate(_segments(data)):
        if marker in _FRAMES:
            size = _size(data, at)
            at_once = data[at + 7] if marker != _PROGRESSIVE else 0
        elif marker == _APP1 and orientation is None and data.startswith(EXIF, at + 2):
            orientation = of_exif(data[at + 2 + len(EXIF) : at + int.from_bytes(data[at : at + 2])])
        elif marker == _SCAN:
            if size is None:
                raise PictureError("its pixels come before its size")
            # Where every component is in the first scan, a decoder ends behind it (libjpeg's has_multiple_scans), so
            # that nearly all pictures need not be searched.
            scans = 1 if data[at + 2] == at_once else _scans(data, at - 2, MAX_SEGMENTS - number)
            return JpegHeader(*size, scans, at, orientation or UPRIGHT)
    raise PictureError("its header is cut off")


def is_cut(data: bytes, header: JpegHeader) -> bool:
    """Whether the end of a picture is missing.

    Behind it may be anything: a camera's padding, a phone's film. Before the first scan there may be a preview with an
    end of its own, and in a scan there is none but the end.
    """
    return data.rfind(END, header.first_scan) < 0


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the markers of the header and where their segments' lengths are, as far as they are whole."""
    at = len(_START)
    for _ in range(MAX_SEGMENTS):
        if at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xFF:
            marker, at = data[at + 1], at + 2
        else:  # fill bytes, or no marker
            found = _MARKER.match(data, at)
            if found is None and data[at : at + 1] in (b"", _FF):
                return
            if found is None:
                raise PictureError(f"there is no marker at byte {at}")
            marker, at = found[1][0], found.end()
        if marker in _WITHOUT_LENGTH:
            continue
        if marker in _OTHER_FRAMES:
            raise PictureError("it is coded in a way that is not decoded: arithmetic, lossless or hierarchical")
        if marker not in _WITH_LENGTH:
            raise PictureError(f"the marker {marker:02X} at byte {at - 1} does not belong into a header")
        length = int.from_bytes(data[at : at + 2])
        if at + max(2, length) > len(data):
            return
        if length < 2:  # a decoder goes on behind these two bytes, and not every one does
            raise PictureError(f"the segment behind the marker at byte {at - 1} is {length} bytes long")
        yield marker, at
        at += length
    raise PictureError(f"it has more than {MAX_SEGMENTS} segments")


def _size(data: bytes, at: int) -> tuple[int, int]:
    """Return (width, height) from a frame segment, B.2.2."""
    height, width = int.from_bytes(data[at + 3 : at + 5]), int.from_bytes(data[at + 5 : at + 7])
    if not (width and height):
        raise PictureError(f"its size is {width}x{height}")
    return width, height


def _scans(data: bytes, at: int, most_segments: int) -> int:
    """Count the scans from the first one on, which begins at `at`."""
    scans = 0
    for segments, found in enumerate(_LATER_MARKER.finditer(data, at), 1):
        scans += found[0][1] == _SCAN
        if scans > MAX_SCANS:
            raise PictureError(f"it has more than {MAX_SCANS} scans")
        if segments > most_segments:
            raise PictureError(f"it has more than {MAX_SEGMENTS} segments")
    return scans
