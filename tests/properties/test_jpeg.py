"""Any bytes at all are a picture of the size that their header says, or a PictureError."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forged_jpegs import BASELINE, END, PROGRESSIVE, START, encoded, frame, scan, segment, segments, tables
from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.jpeg_header import MAX_SCANS, JpegHeader, read_header

SIZES = [(64, 48), (16, 16), (400, 300)]
REAL = [encoded(*SIZES[0]), encoded(*SIZES[1], progressive=True)]
ANOTHER = tables() + frame(BASELINE, *SIZES[2]) + scan(1, 2, 3)
"""What a decoder would rather find."""
PARTS = [
    *segments(REAL[0])[0],
    segments(REAL[0])[1],
    segments(REAL[1])[1],
    ANOTHER,
    *(frame(marker, *SIZES[2]) for marker in (BASELINE, PROGRESSIVE, 0xC3, 0xC9)),
    START,
    END,
    scan(1, 2, 3),
    scan(1, first=1, last=63),
    b"\xff",
    b"\xff\x00",
    b"\xff\x01",
    b"\xff\xd3",
    b"\x00",
]
markers = st.sampled_from([0x00, 0x01, 0x02, 0xC8, 0xD3, 0xD8, 0xD9, 0xDC, 0xE1, 0xF0, 0xFE]) | st.integers(0, 255)
bodies = st.sampled_from([ANOTHER, *PARTS]) | st.binary(max_size=8)
parts = st.lists(
    st.sampled_from(PARTS)
    | st.builds(segment, markers, bodies)
    | st.builds(
        lambda marker, length, body: bytes([0xFF, marker, 0, length]) + body, markers, st.integers(0, 9), bodies
    ),
    max_size=3,
)


@st.composite
def forged(draw: st.DrawFn) -> bytes:
    """A real picture with other parts in between, and some of its bytes changed."""
    data = draw(st.sampled_from(REAL))
    first, rest = segments(data)
    pieces = [START, *first, rest]
    place = draw(st.just(1) | st.integers(1, len(pieces)))
    forged = bytearray(b"".join([*pieces[:place], *draw(parts), *pieces[place:], END]))
    for at, value in draw(st.lists(st.tuples(st.integers(2, len(forged) - 3), st.integers(0, 255)), max_size=2)):
        forged[at] = value
    return bytes(forged)


def header(data: bytes) -> JpegHeader | None:
    try:
        return read_header(data)
    except PictureError:
        return None


def finds_no_other_picture(data: bytes) -> bool:
    """A decoder may find none; what it finds is of the size that the header says, which bounds what it costs."""
    known = header(data)
    if known is None or known.pixels > 1_000_000:
        return True
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    return 1 <= known.scans <= MAX_SCANS and (found is None or found.shape == (known.height, known.width, 3))


@pytest.mark.parametrize("length", [0, 1, 2, 3, len(ANOTHER) + 2])
def test_behind_no_marker_a_decoder_finds_another_picture_than_we_do(length: int) -> None:
    for marker in range(256):
        for real in REAL:
            forged = START + bytes([0xFF, marker]) + length.to_bytes(2) + ANOTHER + real.removeprefix(START)
            assert finds_no_other_picture(forged), f"marker {marker:02X}"


@given(forged() | st.binary(max_size=60).map(lambda tail: START + tail))
def test_a_decoder_finds_no_other_picture_than_we_do(data: bytes) -> None:
    assert finds_no_other_picture(data)


@given(forged() | st.binary(max_size=60))
def test_any_bytes_are_a_picture_or_an_error(data: bytes) -> None:
    try:
        picture = decode_jpeg(data, 1_000_000)
    except PictureError:
        return
    known = header(data)
    assert known is not None
    assert picture.shape == (known.height, known.width, 3)
