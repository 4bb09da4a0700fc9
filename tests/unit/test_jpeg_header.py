"""A JPEG's header bounds what its picture can cost, whatever its bytes are."""

import time
from contextlib import suppress

import numpy as np
import pytest

from forged_jpegs import (
    BASELINE,
    COMMENT,
    END,
    EXIF,
    HUFFMAN,
    PROGRESSIVE,
    SCAN,
    START,
    encoded,
    frame,
    scan,
    segment,
    segments,
    tables,
    with_its_last_scan_again,
)
from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.jpeg_header import MAX_SCANS, MAX_SEGMENTS, JpegHeader, read_header

SLOW = encoded(progressive=True)
"""Ten scans."""


@pytest.mark.parametrize(
    ("data", "scans"),
    [
        (encoded(), 1),
        (encoded(mode="L"), 1),
        (encoded(restart_marker_blocks=1), 1),
        (encoded(exif=b"Exif\0\0" + b"\xff\xda" * 100), 1),
        (encoded(icc_profile=b"\xff\xda" * 300_000), 1),
        (encoded(comment=b"\xff\xda" * 100), 1),
        (SLOW, 10),
        (encoded(progressive=True, mode="L"), 6),
        (encoded(progressive=True, mode="CMYK"), 18),
        (encoded() + encoded(32, 32), 1),
        (START + b"\xff" * 5 + encoded()[2:], 1),
    ],
)
def test_what_encoders_write_is_read(data: bytes, scans: int) -> None:
    assert read_header(data) == JpegHeader(64, 48, scans)
    assert read_header(data).upright_size == (64, 48)
    assert decode_jpeg(data).shape == (48, 64, 3)


def test_restart_markers_are_part_of_a_scan() -> None:
    data = encoded(640, 480, restart_marker_blocks=1)
    assert sum(data.count(bytes([0xFF, 0xD0 + number])) for number in range(8)) > MAX_SEGMENTS
    assert read_header(data) == JpegHeader(640, 480, 1)


@pytest.mark.parametrize(
    "between",
    [
        b"",
        b"\xff" * 10,
        segment(COMMENT, END),
        segment(COMMENT, END + START),
        segment(HUFFMAN, b"\x00" + bytes([1, *[0] * 15, 0])),
    ],
)
def test_a_picture_that_repeats_its_scans_is_refused(between: bytes) -> None:
    """Each costs a pass over all pixels, and 20 bytes: a megabyte of them would take a decoder minutes."""
    assert read_header(with_its_last_scan_again(SLOW, MAX_SCANS - 10, between)).scans == MAX_SCANS
    with pytest.raises(PictureError, match=f"more than {MAX_SCANS} scans"):
        decode_jpeg(with_its_last_scan_again(SLOW, MAX_SCANS - 9, between))


def test_scans_without_content_count() -> None:
    """Decoders take what is missing for zeros, and go over all pixels for it."""
    start = START + tables() + frame(PROGRESSIVE, 64, 48)
    assert decode_jpeg(start + scan(1, 2, 3, last=0) * MAX_SCANS + END).shape == (48, 64, 3)
    with pytest.raises(PictureError, match="scans"):
        decode_jpeg(start + scan(1, 2, 3, last=0) * (MAX_SCANS + 1) + END)


def test_scans_behind_one_of_every_component_cost_nothing_in_a_picture_that_is_not_progressive() -> None:
    start = START + tables() + frame(BASELINE, 64, 48)
    assert read_header(start + scan(1, 2, 3, last=63) * 9000 + END).scans == 1
    assert decode_jpeg(start + scan(1, 2, 3, last=63) * 9000 + END).shape == (48, 64, 3)


def test_scans_of_single_components_count_in_a_picture_that_is_not_progressive() -> None:
    start = START + tables() + frame(BASELINE, 64, 48)
    assert read_header(start + scan(1, last=63) * MAX_SCANS + END).scans == MAX_SCANS
    with pytest.raises(PictureError, match="scans"):
        read_header(start + scan(1, last=63) * (MAX_SCANS + 1) + END)


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_a_coding_that_no_camera_writes_is_refused(marker: int) -> None:
    with pytest.raises(PictureError, match="arithmetic, lossless or hierarchical"):
        decode_jpeg(START + tables() + frame(marker, 64, 48) + scan(1, 2, 3) + END)


HIDDEN = tables() + frame(BASELINE, 3000, 2000) + scan(1, 2, 3)


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (b"\xff\x00" + segment(COMMENT, HIDDEN)[2:], "marker 00 at byte 3"),
        (segment(0x02, HIDDEN), "marker 02"),
        (segment(0xD8, HIDDEN), "marker D8"),
        (segment(0xD9, HIDDEN), "marker D9"),
        (segment(0xF0, HIDDEN), "marker F0"),
        (b"\xff\xfe\x00\x00" + HIDDEN, "0 bytes long"),
        (b"\xff\xfe\x00\x01" + HIDDEN, "1 bytes long"),
        (b"garbage", "no marker at byte 2"),
        (scan(1, 2, 3), "before its size"),
    ],
)
def test_a_header_that_can_be_read_in_two_ways_is_refused(before: bytes, says: str) -> None:
    """A decoder that passes over other bytes than we do would find another picture, of any size."""
    with pytest.raises(PictureError, match=says):
        decode_jpeg(START + before + encoded()[2:])


@pytest.mark.parametrize("marker", [0xE0, EXIF, 0xE2, COMMENT, HUFFMAN, 0xDB, 0xDD, 0x01, 0xD0])
def test_segments_without_end_are_refused(marker: int) -> None:
    one = bytes([0xFF, marker]) if marker in (0x01, 0xD0) else segment(marker)
    with pytest.raises(PictureError, match=f"more than {MAX_SEGMENTS} segments"):
        read_header(START + one * (MAX_SEGMENTS + 1) + encoded()[2:])


@pytest.mark.parametrize("marker", [EXIF, COMMENT, HUFFMAN])
def test_segments_without_end_between_scans_are_refused(marker: int) -> None:
    body = SLOW.removesuffix(END)
    assert read_header(body + segment(marker) * 900 + END).scans == 10
    with pytest.raises(PictureError, match=f"more than {MAX_SEGMENTS} segments"):
        read_header(body + segment(marker) * MAX_SEGMENTS + END)


def test_a_header_that_ends_anywhere_is_refused() -> None:
    data = encoded()
    first_scan_ends = data.index(SCAN) + 14
    assert read_header(data[:first_scan_ends]).scans == 1
    for end in range(2, first_scan_ends):
        with pytest.raises(PictureError, match="cut off"):
            read_header(data[:end])


class Counted(bytes):
    """Counts how often it is looked into from Python."""

    looks = 0

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        type(self).looks += 1
        return super().__getitem__(key)


HEADER = b"".join(segments(encoded())[0])
LARGE = 1_000_000


@pytest.mark.parametrize(
    "data",
    [
        START + b"\xff" * LARGE,
        START + b"\xff" * LARGE + HEADER + scan(1, 2, 3),
        START + HEADER + scan(1, 2, 3) + b"\xff" * LARGE,
        START + HEADER + scan(1, 2, 3) + b"\xff\x00" * LARGE,
        START + HEADER + scan(1, 2, 3) + b"\xff\xd0" * LARGE,
        START + HEADER + SCAN * LARGE,
        START + segment(COMMENT) * LARGE,
        START + b"\xff\xd0" * LARGE,
        START + HEADER + scan(1, 2, 3) + segment(COMMENT) * LARGE,
        START + HEADER + scan(1, 2, 3) + np.random.default_rng(1).bytes(LARGE),
    ],
)
def test_reading_a_header_takes_few_steps_and_no_more_time_than_the_bytes(data: bytes) -> None:
    Counted.looks, started = 0, time.process_time()
    with suppress(PictureError):
        read_header(Counted(data))
    assert Counted.looks < 10 * MAX_SEGMENTS
    assert time.process_time() - started < 2, "a second look at each byte for each byte would take hours"


def test_a_header_that_was_read_already_is_not_read_again() -> None:
    data = encoded()
    assert decode_jpeg(data, header=read_header(data)).shape == (48, 64, 3)
    with pytest.raises(PictureError, match="cannot be decoded"):
        decode_jpeg(data, header=JpegHeader(48, 64, 1))
    with pytest.raises(PictureError, match="64x48 pixels, more than 1000"):
        decode_jpeg(data, 1000, read_header(data))
