"""A HEIC picture, as phones store it: one HEVC picture in the boxes of ISO/IEC 23008-12, turned by properties."""

import io

import av

from groundcam_runtime.pictures.image import Image

TURNS = {
    1: (None, None), 2: (None, 1), 3: (2, None), 4: (None, 0), 5: (1, 0), 6: (3, None), 7: (3, 0), 8: (1, None),
}  # fmt: skip
"""By EXIF orientation: quarters counter-clockwise (6.5.10), then the axis of a mirror (6.5.12)."""


def heic(stored: Image, orientation: int) -> bytes:
    """A picture that is shown by this orientation; `stored` is [height, width, 3], of even sides."""
    settings, picture = _hevc(stored)
    height, width = stored.shape[:2]
    quarters, axis = TURNS[orientation]
    properties = [_box("hvcC", settings), _box("ispe", bytes(4) + _number(width, 4) + _number(height, 4))]
    properties += [_box("irot", _number(quarters, 1))] if quarters is not None else []
    properties += [_box("imir", _number(axis, 1))] if axis is not None else []
    associated = bytes(number | 0x80 for number in range(1, len(properties) + 1))
    kind = _box("ftyp", b"heic", bytes(4), b"mif1heic")

    def description(offset: int) -> bytes:
        return _box(
            "meta", bytes(4),
            _box("hdlr", bytes(8), b"pict", bytes(13)),
            _box("pitm", bytes(4), _number(1, 2)),
            _box("iloc", bytes(4), b"\x44\x00", _number(1, 2), _number(1, 2), _number(0, 2), _number(1, 2),
                 _number(offset, 4), _number(len(picture), 4)),
            _box("iinf", bytes(4), _number(1, 2), _box("infe", b"\x02\0\0\0", _number(1, 2), bytes(2), b"hvc1\0")),
            _box("iprp", _box("ipco", *properties),
                 _box("ipma", bytes(4), _number(1, 4), _number(1, 2), _number(len(associated), 1), associated)),
        )  # fmt: skip

    begin = len(kind) + len(description(0)) + 8
    return kind + description(begin) + _box("mdat", picture)


def _hevc(image: Image) -> tuple[bytes, bytes]:
    """The decoder's settings (hvcC) and one picture, as an MP4 has them."""
    # With frames that wait for others, x265 takes the time to decode the only one from memory that it never wrote.
    settings = "log-level=none:crf=5:bframes=0"
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx265", rate=10, options={"x265-params": settings})
        stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as made:
        video = made.streams.video[0]
        return bytes(video.codec_context.extradata or b""), bytes(next(made.demux(video)))


def _box(kind: str, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return _number(8 + len(content), 4) + kind.encode() + content


def _number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")
