"""JPEGs that no encoder writes, put together segment by segment (ITU-T T.81, annex B)."""

import io

from PIL import Image

START, END = b"\xff\xd8", b"\xff\xd9"
SCAN = b"\xff\xda"
QUANTISATION, HUFFMAN, COMMENT, EXIF = 0xDB, 0xC4, 0xFE, 0xE1
BASELINE, PROGRESSIVE = 0xC0, 0xC2


def encoded(width: int = 64, height: int = 48, mode: str = "RGB", **options: object) -> bytes:
    """A real picture with something in it, as Pillow writes it."""
    out = io.BytesIO()
    picture = Image.linear_gradient("L").resize((width, height)).convert(mode)
    picture.save(out, "JPEG", **options)  # type: ignore[arg-type]
    return out.getvalue()


def segment(marker: int, body: bytes = b"") -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


def frame(marker: int, width: int, height: int, components: int = 3) -> bytes:
    """A frame segment: every component at full resolution."""
    parts = b"".join(bytes([number, 0x11, 0]) for number in range(1, components + 1))
    return segment(marker, b"\x08" + height.to_bytes(2) + width.to_bytes(2) + bytes([components]) + parts)


def scan(*components: int, first: int = 0, last: int = 63, bits: int = 0) -> bytes:
    """A scan's own segment; what it holds is missing, which decoders take for zeros."""
    chosen = b"".join(bytes([number, 0]) for number in components)
    return segment(0xDA, bytes([len(components)]) + chosen + bytes([first, last, bits]))


def segments(data: bytes) -> tuple[list[bytes], bytes]:
    """Take a real picture apart: the segments before its first scan, and the rest without its end."""
    at, found = 2, []
    while data[at + 1] != SCAN[1]:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        found.append(data[at:end])
        at = end
    return found, data.removesuffix(END)[at:]


def tables() -> bytes:
    """The quantisation and Huffman tables of a real picture."""
    return b"".join(one for one in segments(encoded())[0] if one[1] in (QUANTISATION, HUFFMAN))


def with_its_last_scan_again(data: bytes, times: int, between: bytes = b"") -> bytes:
    """The same picture to look at, and a decoder works for each repetition."""
    body = data.removesuffix(END)
    return body + (between + body[body.rindex(SCAN) :]) * times + END
