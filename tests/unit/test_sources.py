"""Every file as a person sees it: what is published, and what `detect` looks at, against the upright original."""

import io
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from groundcam.offline.inputs import PassedOverError
from groundcam.offline.reading import pictures
from groundcam_producers.films.decoded import AS_IT_SAYS, Viewing
from groundcam_producers.jpeg import encode
from groundcam_producers.scaling import Scaler
from groundcam_producers.video import PictureFolder, VideoSource
from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import Frame
from groundcam_schemas import encode as encode_message
from groundcam_worker.parse import ParsedFrame, parse
from groundcam_worker.pictures import decode_frame as look
from heic import heic
from made_files import (
    HEIGHT,
    WIDTH,
    covered,
    film,
    interlaced,
    moving,
    original,
    squeezed,
    still,
    stored,
    transparent,
    turned,
)


def read(name: str, codec: str = "libx264") -> Callable[[], bytes]:
    return lambda: film(name, codec)


Row = tuple[str, Callable[[], bytes], Viewing]
ROWS: list[Row] = [
    *((f"{kind}-{turn}.bin", lambda kind=kind, turn=turn: still(kind, turn), AS_IT_SAYS)
      for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF") for turn in range(1, 9)),
    *((f"HEIC-{turn}", lambda turn=turn: heic(stored(turn), turn), AS_IT_SAYS) for turn in range(1, 9)),
    *((f"matrix-{turn}", lambda turn=turn: turned(turn), AS_IT_SAYS) for turn in range(1, 9)),
    ("rotate-90.mp4", lambda: film(image=stored(6)), Viewing(rotate=90)),
    ("rotate-180.mp4", lambda: film(image=stored(3)), Viewing(rotate=180)),
    ("rotate-270.mp4", lambda: film(image=stored(8)), Viewing(rotate=270)),
    ("turned-twice.mp4", lambda: turned(8), AS_IT_SAYS),
    ("wide-pixels.mp4", lambda: film(image=squeezed(96), aspect=Fraction(2)), AS_IT_SAYS),
    ("wide-pixels.mkv", lambda: film("matroska", image=squeezed(96), aspect=Fraction(2)), AS_IT_SAYS),
    ("wide-pixels.ts", lambda: film("mpegts", image=squeezed(96), aspect=Fraction(2)), AS_IT_SAYS),
    ("narrow-pixels.mp4", lambda: film(image=squeezed(384), aspect=Fraction(1, 2)), AS_IT_SAYS),
    ("dvr-says-nothing.mp4", lambda: film(image=squeezed(96)), Viewing(aspect=Fraction(3, 2))),
    ("wide-and-turned.mp4", lambda: film(image=cv2.rotate(squeezed(WIDTH, 64), cv2.ROTATE_90_COUNTERCLOCKWISE),
                                         aspect=Fraction(2)), Viewing(rotate=90)),
    ("hole.png", lambda: transparent("PNG"), AS_IT_SAYS),
    ("hole-palette.png", lambda: transparent("PNG", "P"), AS_IT_SAYS),
    ("hole.webp", lambda: transparent("WEBP"), AS_IT_SAYS),
    ("interlaced.mp4", interlaced, AS_IT_SAYS),
    ("cover.mp4", covered, AS_IT_SAYS),
    ("film.avi", read("avi", "mpeg4"), AS_IT_SAYS), ("film.mov", read("mov"), AS_IT_SAYS),
    ("film.webm", read("webm", "libvpx"), AS_IT_SAYS), ("film.mts", read("mpegts"), AS_IT_SAYS),
    ("film.flv", read("flv"), AS_IT_SAYS), ("film.mpg", read("mpeg", "mpeg2video"), AS_IT_SAYS),
    ("film.3gp", read("3gp", "mpeg4"), AS_IT_SAYS), ("film.wmv", read("asf", "wmv2"), AS_IT_SAYS),
    ("film.h264", read("h264"), AS_IT_SAYS), ("film.nut", read("nut"), AS_IT_SAYS),
    ("film.jpg", read("mov"), AS_IT_SAYS), ("film", read("matroska"), AS_IT_SAYS),
    ("film.txt", lambda: film("mjpeg", "mjpeg", pix_fmt="yuvj420p"), AS_IT_SAYS),
    ("moving.gif", lambda: moving("GIF"), AS_IT_SAYS), ("moving.png", lambda: moving("PNG"), AS_IT_SAYS),
    ("still.gif", lambda: still("GIF"), AS_IT_SAYS), ("still.jp2", lambda: still("JPEG2000"), AS_IT_SAYS),
    ("still.avif", lambda: still("AVIF"), AS_IT_SAYS), ("still.bmp", lambda: still("BMP"), AS_IT_SAYS),
    ("still.ppm", lambda: still("PPM"), AS_IT_SAYS), ("still.mp4", lambda: still("JPEG"), AS_IT_SAYS),
    ("padded.jpg", lambda: still("JPEG") + bytes(100_000), AS_IT_SAYS),
    ("motion.jpg", lambda: still("JPEG", 6) + film(), AS_IT_SAYS),
    ("cam:1.mp4", film, AS_IT_SAYS), ("shot%03d.jpg", lambda: still("JPEG"), AS_IT_SAYS),
    ("-v.png", lambda: still("PNG"), AS_IT_SAYS), ("a b'\"\n\u00e9\u4eba.mkv", read("matroska"), AS_IT_SAYS),
    ("file:x.jpg", lambda: still("JPEG"), AS_IT_SAYS), ("concat.mp4", film, AS_IT_SAYS),
]  # fmt: skip


def near(image: Image) -> bool:
    expected = original()
    if image.shape != expected.shape:
        return False
    # Edges are softer after a codec, a palette and a scaling.
    return bool(
        np.median(np.abs(image.astype(int) - expected)) < 8 and np.abs(image.astype(int) - expected).mean() < 12
    )


@pytest.mark.parametrize("turn", range(1, 9))
def test_without_ffmpeg_an_avif_is_upright_or_told(turn: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "groundcam_producers.video", None)
    path = tmp_path / "still"
    path.write_bytes(still("AVIF", turn))
    if turn == 1:
        assert near(next(pictures(path, 1.0)).image)
    else:
        with pytest.raises(PassedOverError, match=r"stored turned.*pip install 'groundcam\[producer\]'"):
            list(pictures(path, 1.0))


@pytest.mark.parametrize(("name", "content", "viewing"), ROWS, ids=[repr(row[0]) for row in ROWS])
def test_a_file_is_published_as_a_person_sees_it(
    name: str, content: Callable[[], bytes], viewing: Viewing, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content())
    with VideoSource(str(path), is_live=False, timeout_s=0, viewing=viewing) as source:
        decoded = next(iter(source))
    assert not decoded.is_corrupt
    assert decoded.size == (WIDTH, HEIGHT)
    published = encode(Scaler(None).planes(decoded), 95, 10**7)
    assert published is not None
    assert near(decode_jpeg(published))
    half = Scaler((WIDTH // 2, HEIGHT)).planes(decoded)
    assert half[0].shape == (HEIGHT // 2, WIDTH // 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [row[:2] for row in ROWS if row[2] == AS_IT_SAYS],
    ids=[repr(r[0]) for r in ROWS if r[2] == AS_IT_SAYS],
)
def test_a_file_is_looked_at_as_a_person_sees_it(name: str, content: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content())
    found = list(pictures(path, 10.0))
    assert near(found[0].image)
    is_film = len(found) > 1
    assert all((one.time_s is not None) == is_film for one in found)


def test_an_animated_webp_is_a_film_to_detect(tmp_path: Path) -> None:
    (tmp_path / "moving").write_bytes(moving("WEBP"))
    assert [one.time_s for one in pictures(tmp_path / "moving", 10.0)] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_half_a_picture_is_refused_by_both(kind: str, tmp_path: Path) -> None:
    """A decoder fills the other half with green."""
    data = still(kind)
    (tmp_path / "half").write_bytes(data[: len(data) * 2 // 3])
    with PictureFolder(tmp_path, 1.0) as folder:
        assert [one.is_corrupt for one in folder] == [True]
    with pytest.raises(Exception, match="its end is missing"):
        list(pictures(tmp_path / "half", 1.0))


def test_a_folder_plays_its_films_and_passes_over_the_rest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.png").write_bytes(still("PNG"))
    (tmp_path / "b").write_bytes(film(frames=10))
    (tmp_path / "c.txt").write_text("nothing to see")
    (tmp_path / "d.jpg").write_bytes(still("JPEG"))
    with PictureFolder(tmp_path, 2.0) as folder:
        times = [round(one.time_s or 0.0, 3) for one in folder]
    assert times == [0.0, *(0.5 + number / 10 for number in range(10)), 1.9]
    assert "passed over in the folder" in caplog.text
    assert "c.txt (Invalid data found" in caplog.text


def consumed(value: bytes) -> Consumed:
    return Consumed(Partition("frames", 0), 0, 1_000, b"gate", value, (), 0)


def test_a_jpeg_of_others_is_looked_at_upright_and_its_boxes_are_of_the_upright_picture() -> None:
    lying = still("JPEG", 6)
    parsed = parse(consumed(lying), 10**8)
    assert isinstance(parsed, ParsedFrame)
    assert parsed.source_size == parsed.picture_size == (WIDTH, HEIGHT)
    assert near(decode_jpeg(parsed.data))
    enveloped = Frame(
        camera_id="gate", run_id="r", seq=0, captured_at_ns=1, width=HEIGHT, height=WIDTH,
        source_width=2 * HEIGHT, source_height=2 * WIDTH, data=lying,
    )  # fmt: skip
    told = parse(consumed(encode_message(enveloped)), 10**8)
    assert isinstance(told, ParsedFrame)
    assert (told.source_size, told.picture_size) == ((2 * WIDTH, 2 * HEIGHT), (WIDTH, HEIGHT))


def test_a_squeezed_jpeg_of_others_is_looked_at_in_the_proportions_of_its_source() -> None:
    buffer = io.BytesIO()
    Pillow.fromarray(squeezed(96)).save(buffer, "JPEG", quality=95)
    frame = Frame(
        camera_id="gate", run_id="r", seq=0, captured_at_ns=1, width=96, height=HEIGHT,
        source_width=2 * WIDTH, source_height=2 * HEIGHT, data=buffer.getvalue(),
    )  # fmt: skip
    parsed = parse(consumed(encode_message(frame)), 10**8)
    assert isinstance(parsed, ParsedFrame)
    assert parsed.picture_size == (WIDTH, HEIGHT)
    assert near(look(parsed.data, size=parsed.picture_size))
    bomb = parse(consumed(encode_message(frame.model_copy(update={"source_width": 60_000, "source_height": 1}))), 10**8)
    assert isinstance(bomb, ParsedFrame)
    assert bomb.picture_size == (96, HEIGHT), "no such shape is believed"
    same = frame.model_copy(update={"source_width": 193, "source_height": 2 * HEIGHT})
    rounded = parse(consumed(encode_message(same)), 10**8)
    assert isinstance(rounded, ParsedFrame)
    assert rounded.picture_size == (96, HEIGHT)
