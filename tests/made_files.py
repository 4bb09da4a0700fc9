"""Pictures and films of one image, as cameras and programs write them."""

import io
from fractions import Fraction

import av
import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from groundcam_runtime.pictures.image import Image

WIDTH, HEIGHT = 192, 128
UNTURN = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
MATRICES = {
    1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
    5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
}  # fmt: skip


def original() -> Image:
    """No two of its corners are alike, and it is not the same in a mirror."""
    image = np.full((HEIGHT, WIDTH, 3), 245, np.uint8)
    image[: HEIGHT // 2, : WIDTH // 2] = 210, 40, 40
    image[: HEIGHT // 2, WIDTH // 2 :] = 40, 150, 40
    image[HEIGHT // 2 :, : WIDTH // 2] = 40, 40, 210
    image[8:40, 8:24] = 20
    return image


def stored(orientation: int) -> Image:
    """The original as it lies in a file that is shown by this orientation."""
    block = Pillow.Exif()
    block[0x0112] = UNTURN[orientation]
    buffer = io.BytesIO()
    Pillow.fromarray(original()).save(buffer, "PNG", exif=block)
    return np.array(ImageOps.exif_transpose(Pillow.open(buffer)))


def still(kind: str, orientation: int = 1) -> bytes:
    block, buffer = Pillow.Exif(), io.BytesIO()
    block[0x0112] = orientation
    Pillow.fromarray(stored(orientation)).save(buffer, kind, exif=block, quality=95)
    return buffer.getvalue()


def film(
    container: str = "mp4", codec: str = "libx264", image: Image | None = None, *, aspect: Fraction | None = None,
    frames: int = 12, pix_fmt: str = "yuv420p", options: dict[str, str] | None = None,
) -> bytes:  # fmt: skip
    buffer, shown = io.BytesIO(), original() if image is None else image
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=10, options=options or ({"crf": "10"} if codec == "libx264" else {}))
        stream.width, stream.height, stream.pix_fmt = shown.shape[1], shown.shape[0], pix_fmt
        stream.bit_rate = 4_000_000
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shown, "rgb24")))
        out.mux(stream.encode())
    return buffer.getvalue()


def turned(orientation: int) -> bytes:
    """A film with a display matrix in its track header (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(film(image=stored(orientation)))
    at = data.index(b"tkhd") + 44
    a, b, c, d = MATRICES[orientation]
    for place, number in ((0, a), (4, b), (12, c), (16, d)):
        data[at + place : at + place + 4] = (number * 65536).to_bytes(4, "big", signed=True)
    return bytes(data)


def squeezed(width: int, height: int = HEIGHT) -> Image:
    return cv2.resize(original(), (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def transparent(kind: str, mode: str = "RGBA") -> bytes:
    """The original, with a hole in its white part, over which something else lies unseen."""
    rgba = np.dstack([original(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    rgba[HEIGHT // 2 :, WIDTH // 2 :] = 10, 10, 10, 0
    buffer = io.BytesIO()
    picture = Pillow.fromarray(rgba)
    (picture.quantize(64) if mode == "P" else picture).save(buffer, kind, lossless=True)
    return buffer.getvalue()


def interlaced() -> bytes:
    """Two moments in alternate lines: the square has moved between them."""
    image = original()
    image[1::2, 100:140] = 0
    return film(image=image, options={"crf": "10", "x264-params": "tff=1"})


def covered() -> bytes:
    """A film behind a cover that is larger than it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        large = out.add_stream("mjpeg", rate=10)
        large.width, large.height, large.pix_fmt = 640, 480, "yuvj420p"
        large.disposition = av.stream.Disposition.attached_pic
        stream = out.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        out.mux(large.encode(av.VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), "rgb24")))
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(original(), "rgb24")))
        out.mux(stream.encode())
        out.mux(large.encode())
    return buffer.getvalue()


def moving(kind: str) -> bytes:
    frames = [Pillow.fromarray(np.roll(original(), number, 0)) for number in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=500, lossless=True)
    return buffer.getvalue()
